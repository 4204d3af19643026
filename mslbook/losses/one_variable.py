"""Functions of one variable in closed form."""

from dataclasses import dataclass

from mslbook._checks import check_real
from mslbook.losses.closed_form import ClosedForm


@dataclass(frozen=True)
class F1(ClosedForm):
    """The convex ``(1 + |x|) ln(1 + |x|) - |x|``, which grows more slowly than a quadratic.

    Examples
    --------
    >>> from mslbook.losses import F1
    >>> F1().value([1e-20, 1.0])  # the formula as it stands would give 0 for the first
    array([5.00000000e-41, 3.86294361e-01])
    """

    def _value_and_grad(self, xp, x):
        a = xp.abs(x)
        log = xp.log1p(a)
        value = (a * (log - 1) + log)[...]  # [...] makes an array of a number, to write to
        near = a < 0.25  # where the formula would subtract nearly equal numbers
        value[near] = _f1_near_0(a[near])
        return value, xp.copysign(log, x)

    def _grad(self, xp, x):
        return xp.copysign(xp.log1p(xp.abs(x)), x)

    def _hvp(self, xp, x, v):
        return v / (1 + xp.abs(x))


@dataclass(frozen=True)
class F2(ClosedForm):
    """The population loss ``C² x² / 3`` for ``|x| <= 1/C``, and ``1 - 2 / (3 C |x|)`` beyond.

    The second derivative jumps at ``|x| = 1/C``, where ``hvp`` takes the inner value, ``2 C² / 3``
    (Ma et al. (2022), eq. 6.2; preprint, eq. 11).

    Examples
    --------
    >>> from mslbook.losses import F2
    >>> F2(C=3).hvp(1 / 3, 1.0)
    np.float64(6.0)
    """

    C: float

    def __post_init__(self):
        check_real("C", self.C, above=0)

    def _parts(self, x):
        """C x, cut off to [-1, 1], and C |x|, at least 1."""
        u = self.C * x
        return u.clip(-1.0, 1.0), abs(u).clip(1.0, None)

    def _value_and_grad(self, xp, x):
        near, far = self._parts(x)
        return near * near / 3 + 2 / 3 * (1 - 1 / far), 2 * self.C / 3 * near / far / far

    def _grad(self, xp, x):
        near, far = self._parts(x)
        return 2 * self.C / 3 * near / far / far

    def _hvp(self, xp, x, v):
        far = self._parts(x)[1]
        inside = xp.abs(x) <= 1 / self.C
        return 2 * self.C**2 / 3 * xp.where(inside, 1.0, -2 / far / far / far) * v


@dataclass(frozen=True)
class PseudoHuber(ClosedForm):
    """The convex function √(1 + x²) - 1: subquadratic like f1, but smooth at the minimum."""

    def _value_and_grad(self, xp, x):
        root = xp.hypot(xp.ones_like(x), x)  # no overflow at large x
        return x * (x / (1 + root)), x / root

    def _hvp(self, xp, x, v):
        return v / xp.hypot(xp.ones_like(x), x) ** 3


@dataclass(frozen=True)
class Quadratic(ClosedForm):
    """The parabola minimum + curvature x² / 2."""

    curvature: float = 1.0
    minimum: float = 0.0

    def _value_and_grad(self, xp, x):
        return self.minimum + self.curvature / 2 * x * x, self.curvature * x

    def _hvp(self, xp, x, v):
        return self.curvature * v


@dataclass(frozen=True)
class Saturation(ClosedForm):
    """The smooth cut-off c x / (1 + x) for x >= 0, which stays below c > 0."""

    c: float = 1.0

    def __post_init__(self):
        check_real("the height c of a cut-off", self.c, above=0)

    def _value_and_grad(self, xp, x):
        u = 1 / (1 + x)
        return self.c * x * u, self.c * u * u

    def _hvp(self, xp, x, v):
        u = 1 / (1 + x)
        return -2 * self.c * u * u * u * v


@dataclass(frozen=True)
class Clip(ClosedForm):
    """The hard cut-off min(x, c), c > 0, whose slope is 0 from its kink at x = c on."""

    c: float

    def __post_init__(self):
        check_real("the height c of a cut-off", self.c, above=0)

    def _value_and_grad(self, xp, x):
        below = ~(x >= self.c)  # which nan is
        return xp.where(below, x, self.c), xp.astype(below, x.dtype)

    def _hvp(self, xp, x, v):
        return xp.zeros_like(v)


@dataclass(frozen=True)
class Reciprocal(ClosedForm):
    """The function 1 / (1 + x) for x > -1, positive and decreasing."""

    def _value_and_grad(self, xp, x):
        u = 1 / (1 + x)
        return u, -u * u

    def _hvp(self, xp, x, v):
        u = 1 / (1 + x)
        return 2 * u * u * u * v


def _f1_near_0(a):
    """f1 at 0 <= a < 1/4, by a series of positive terms.

    With u = a / (2 + a) it is 2 ((1 + u) artanh u - u) / (1 - u), as ln(1 + a) = 2 artanh u.
    """
    u = a / (2 + a)
    w = u * u
    series = w / 17 + 1 / 15  # to become (artanh u - u) / u³
    for odd in (13, 11, 9, 7, 5, 3):
        series = series * w + 1 / odd
    return 2 * w / (1 - u) * (1 + (1 + u) * u * series)
