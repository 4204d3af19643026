"""Losses in closed form: functions of one variable, what combines them, and the paper's examples.

Every piece is a small immutable object that is a :class:`~mslbook.losses.Loss`. Points may be
numbers, lists, NumPy arrays or torch tensors; arrays and tensors are answered in kind, with their
dtype and on their device. A point of the wrong length raises ValueError.
"""

import re
from dataclasses import dataclass

import numpy as np
from array_api_compat import array_namespace, device

from mslbook.checks import a_loss, finite_row, float64, real, real_numbers, whole
from mslbook.loss import Loss, as_point, value_and_grad

DECADES = np.logspace(-6, 30, 145)  # where a condition on a whole function is tried


class ClosedForm:
    """What all pieces share: reading points, and telling their formula.

    A piece gives ``_value_and_grad(xp, x)``, ``_hvp(xp, x, v)`` and ``formula(x)``, where ``xp`` is
    the namespace of the arrays (NumPy's or torch's).
    """

    dimension = None

    def value(self, x):
        """The loss at ``x``: shape (...,)."""
        return self.value_and_grad(x)[0]

    def grad(self, x):
        """The gradient at ``x``, of the shape of ``x``."""
        return self.value_and_grad(x)[1]

    def value_and_grad(self, x):
        """Both of them; they share most of their work."""
        x = as_point(x, self.dimension)
        value, grad = self._value_and_grad(array_namespace(x), x)
        return value[()], grad[()]  # a scalar rather than NumPy's array of no axes

    def hvp(self, x, v):
        """The Hessian at ``x`` times ``v``; the two broadcast against each other."""
        x, v = as_point(x, self.dimension), as_point(v, self.dimension)
        xp = array_namespace(x)
        v = xp.asarray(v, dtype=x.dtype, device=device(x))
        return self._hvp(xp, *xp.broadcast_arrays(x, v))[()]

    def __repr__(self):
        if self.dimension is None:
            return f"x -> {self.definition('x')}"
        x = [f"x{i + 1}" for i in range(self.dimension)]
        return f"({', '.join(x)}) -> {self.formula(x)}"

    def definition(self, x):
        """The formula, spelled out where :meth:`formula` only names the function."""
        return self.formula(x)


# --- functions of one variable --------------------------------------------------------------------


@dataclass(frozen=True, repr=False)
class F1(ClosedForm):
    """The convex ``(1 + |x|) ln(1 + |x|) - |x|``, which grows more slowly than a quadratic.

    Its second derivative ``1 / (1 + |x|)`` is largest at the minimum, 1, and falls to 0
    (journal fig. 4.1, preprint fig. 4). Accurate to a few units in the last place everywhere.

    >>> F1()
    x -> (1 + |x|) ln(1 + |x|) - |x|
    >>> F1().value([1e-20, 1.0])  # the formula as it stands would give 0 for the first
    array([5.00000000e-41, 3.86294361e-01])
    """

    def _value_and_grad(self, xp, x):
        a = xp.abs(x)
        log = xp.log1p(a)
        value = (a * (log - 1) + log)[...]  # [...] makes an array of a number, to write to
        near = a < 0.25  # where the formula would subtract nearly equal numbers
        value[near] = _f1_near_0(a[near])
        return value, xp.sign(x) * log

    def _hvp(self, xp, x, v):
        return v / (1 + xp.abs(x))

    def formula(self, x):
        """Its name, applied to ``x``."""
        return f"f1({x})"

    def definition(self, x):
        """Its definition."""
        return f"(1 + |{x}|) ln(1 + |{x}|) - |{x}|"


@dataclass(frozen=True, repr=False)
class F2(ClosedForm):
    """The population loss of journal eq. 6.2 (preprint eq. 11), quadratic within ``|x| <= 1/C``.

    It is ``C² x² / 3`` where ``|x| <= 1/C``, and ``1 - 2 / (3 C |x|)`` beyond, where it is concave
    and levels off. The second derivative jumps at ``|x| = 1/C`` from ``2 C² / 3`` down to
    ``-4 C² / 3``; at the jump itself ``hvp`` takes the inner value, ``2 C² / 3``. Raises
    ValueError unless C is positive and finite.

    >>> F2(C=3).hvp(1 / 3, 1.0)
    np.float64(6.0)
    """

    C: float

    def __post_init__(self):
        real("C", self.C, above=0)

    def _parts(self, xp, x):
        """C|x|, split into a factor of at most 1 (inside) and one of at least 1 (beyond)."""
        a = xp.abs(x)
        inside = a <= 1 / self.C
        return inside, xp.where(inside, self.C * a, 1.0), xp.where(inside, 1.0, self.C * a)

    def _value_and_grad(self, xp, x):
        _, small, large = self._parts(xp, x)
        value = small * small / 3 + 2 / 3 * (1 - 1 / large)
        return value, 2 * self.C / 3 * xp.sign(x) * small / large / large

    def _hvp(self, xp, x, v):
        inside, _, large = self._parts(xp, x)
        return 2 * self.C**2 / 3 * xp.where(inside, 1.0, -2 / large / large / large) * v

    def formula(self, x):
        """Its name, applied to ``x``."""
        return f"f2({x})" if self.C == 3 else f"F2(C={self.C:g})({x})"

    def definition(self, x):
        """Its definition."""
        C = self.C
        return f"{C * C / 3:g} {x}^2 if |{x}| <= 1/{C:g} else 1 - 2/({3 * C:g} |{x}|)"


@dataclass(frozen=True, repr=False)
class PseudoHuber(ClosedForm):
    """The convex function √(1 + x²) - 1: like f1 subquadratic, but smooth at the minimum.

    Its curvature 1 / (1 + x²)^(3/2) has no kink at 0, and its two-cycle is √(lr²/4 - 1).

    >>> PseudoHuber().hvp([0.0, 3**0.5], 1.0).round(6)
    array([1.   , 0.125])
    """

    def _value_and_grad(self, xp, x):
        root = xp.hypot(xp.ones_like(x), x)  # no overflow far out
        return x * (x / (1 + root)), x / root

    def _hvp(self, xp, x, v):
        return v / xp.hypot(xp.ones_like(x), x) ** 3

    def formula(self, x):
        """Its formula."""
        return f"√(1 + {_factor(x)}^2) - 1"


@dataclass(frozen=True, repr=False)
class Quadratic(ClosedForm):
    """The parabola minimum + curvature x² / 2: what a quadratic approximation sees.

    >>> Quadratic(curvature=4.0)
    x -> 2 x^2
    """

    curvature: float = 1.0
    minimum: float = 0.0

    def __post_init__(self):
        real("the curvature", self.curvature)
        real("the minimum", self.minimum)

    def _value_and_grad(self, xp, x):
        return self.minimum + self.curvature / 2 * x * x, self.curvature * x

    def _hvp(self, xp, x, v):
        return self.curvature * v

    def formula(self, x):
        """Its formula."""
        constant = f"{self.minimum:g} + " if self.minimum else ""
        return f"{constant}{self.curvature / 2:g} {_factor(x)}^2"


@dataclass(frozen=True, repr=False)
class Saturation(ClosedForm):
    """The smooth cut-off c x / (1 + x) for x >= 0, which stays below c (journal eq. 5.1).

    Preprint eq. 9. Raises ValueError unless the height c is positive and finite.

    >>> Saturation().value([0.0, 1.0, 9.0])
    array([0. , 0.5, 0.9])
    """

    c: float = 1.0

    def __post_init__(self):
        _check_height(self.c)

    def _value_and_grad(self, xp, x):
        u = 1 / (1 + x)
        return self.c * x * u, self.c * u * u

    def _hvp(self, xp, x, v):
        u = 1 / (1 + x)
        return -2 * self.c * u * u * u * v

    def formula(self, x):
        """Its formula."""
        ratio = f"{_factor(x)}/(1 + {x})"
        return ratio if self.c == 1 else f"{self.c:g} ({ratio})"


@dataclass(frozen=True, repr=False)
class Clip(ClosedForm):
    """The hard cut-off min(x, c), which has a kink at x = c (journal eq. 5.1, preprint eq. 9).

    Its slope jumps there from 1 to 0; at x = c itself ``grad`` takes the flat side, 0. Raises
    ValueError unless the height c is positive and finite.

    >>> Clip(0.25).value([0.0, 0.2, 9.0])
    array([0.  , 0.2 , 0.25])
    """

    c: float

    def __post_init__(self):
        _check_height(self.c)

    def _value_and_grad(self, xp, x):
        below = x < self.c
        return xp.where(below, x, self.c), xp.astype(below, x.dtype)

    def _hvp(self, xp, x, v):
        return xp.zeros_like(v)

    def formula(self, x):
        """Its formula."""
        return f"min({x}, {self.c:g})"


@dataclass(frozen=True, repr=False)
class Reciprocal(ClosedForm):
    """The function 1 / (1 + x) for x > -1: positive and falling, a valley that gets flatter.

    >>> Reciprocal().value([0.0, 1.0, 9.0])
    array([1. , 0.5, 0.1])
    """

    def _value_and_grad(self, xp, x):
        u = 1 / (1 + x)
        return u, -u * u

    def _hvp(self, xp, x, v):
        u = 1 / (1 + x)
        return 2 * u * u * u * v

    def formula(self, x):
        """Its formula."""
        return f"1/(1 + {x})"


# --- combinations ---------------------------------------------------------------------------------


@dataclass(frozen=True, repr=False)
class Ridge(ClosedForm):
    """f(p·x), for f of one variable and a vector p: constant across p.

    The sum of ridges over an orthonormal basis is journal eq. 4.4.

    >>> Ridge(F1(), (1, 1))
    (x1, x2) -> f1(x1 + x2)
    """

    f: Loss
    p: tuple[float, ...]

    def __post_init__(self):
        _check_one_variable(self.f)
        object.__setattr__(self, "p", tuple(finite_row("p", self.p).tolist()))

    @property
    def dimension(self):
        """The length of p."""
        return len(self.p)

    def _value_and_grad(self, xp, x):
        p = xp.asarray(self.p, dtype=x.dtype, device=device(x))
        value, slope = value_and_grad(self.f, x @ p)
        return value, slope[..., None] * p

    def _hvp(self, xp, x, v):
        p = xp.asarray(self.p, dtype=x.dtype, device=device(x))
        return self.f.hvp(x @ p, v @ p)[..., None] * p

    def formula(self, x):
        """Its formula."""
        return _formula(self.f, _weighted_sum(self.p, x))


@dataclass(frozen=True, repr=False)
class Radial(ClosedForm):
    """f(‖x‖) in ``dimension`` variables, for an even function f of one variable.

    >>> Radial(F1(), dimension=2).hvp([0.0, 0.0], [3.0, 4.0])
    array([3., 4.])
    """

    f: Loss
    dimension: int

    def __post_init__(self):
        _check_one_variable(self.f)
        whole("the dimension", self.dimension, least=1)

    def _value_and_grad(self, xp, x):
        r, r_or_one = self._radius(xp, x)
        value, slope = value_and_grad(self.f, r)
        return value, (slope / r_or_one)[..., None] * x

    def _hvp(self, xp, x, v):
        r, r_or_one = self._radius(xp, x)
        along = self.f.hvp(r, 1.0)
        across = xp.where(r > 0, self.f.grad(r) / r_or_one, along)  # at the origin: f''(0)
        u = x / r_or_one[..., None]
        return across[..., None] * v + ((along - across) * xp.vecdot(u, v))[..., None] * u

    def _radius(self, xp, x):
        r = xp.sqrt(xp.vecdot(x, x))
        return r, xp.where(r > 0, r, 1.0)

    def formula(self, x):
        """Its formula."""
        return _formula(self.f, f"‖({', '.join(x)})‖")


@dataclass(frozen=True, repr=False)
class Valley(ClosedForm):
    """F(x, y) = f(h(x) y), x in R^d and y the last coordinate: minima all along y = 0.

    The positive loss h of d variables says how steep the valley is at x (journal section 4.4,
    preprint section 4.4); f is an even function of one variable.

    >>> Valley(F1(), h=Ridge(Quadratic(curvature=2.0, minimum=1.0), (1,)))
    (x1, x2) -> f1((1 + 1 x1^2) x2)
    """

    f: Loss
    h: Loss

    def __post_init__(self):
        _check_one_variable(self.f)
        if a_loss(self.h).dimension is None:
            raise ValueError(
                "h must be a loss of d variables: write Ridge(h, (1,)) for a function of one"
            )

    @property
    def dimension(self):
        """One more than h has."""
        return self.h.dimension + 1

    def _value_and_grad(self, xp, x):
        x, y = x[..., :-1], x[..., -1]
        h, h_grad = value_and_grad(self.h, x)
        value, slope = value_and_grad(self.f, h * y)
        return value, _append(xp, (slope * y)[..., None] * h_grad, slope * h)

    def _hvp(self, xp, x, v):
        (x, y), (v, w) = (x[..., :-1], x[..., -1]), (v[..., :-1], v[..., -1])
        h, h_grad = value_and_grad(self.h, x)
        h_change = xp.vecdot(h_grad, v)
        slope = self.f.grad(h * y)
        slope_change = self.f.hvp(h * y, h_change * y + h * w)
        along = (slope_change * y + slope * w)[..., None] * h_grad
        along = along + (slope * y)[..., None] * self.h.hvp(x, v)
        return _append(xp, along, slope_change * h + slope * h_change)

    def formula(self, x):
        """Its formula."""
        return _formula(self.f, f"{_factor(_formula(self.h, x[:-1]))} {_factor(x[-1])}")


@dataclass(frozen=True, repr=False)
class Linear(ClosedForm):
    """loss(A x): the loss in other coordinates, for a matrix A given by its rows.

    >>> swapped = Linear(Ridge(F1(), (1, 0)), ((0, 1), (1, 0)))
    >>> swapped.grad([5.0, 0.0])
    array([0., 0.])
    """

    loss: Loss
    A: tuple[tuple[float, ...], ...]

    def __post_init__(self):
        rows = self.A if np.iterable(self.A) else ()
        rows = tuple(tuple(finite_row("a row of A", row).tolist()) for row in rows)
        if len(rows) != a_loss(self.loss).dimension or len({len(row) for row in rows}) != 1:
            raise ValueError(
                f"A must have {self.loss.dimension} rows of one length, as many as the loss has "
                f"variables, not rows of lengths {[len(row) for row in rows]}"
            )
        object.__setattr__(self, "A", rows)

    @property
    def dimension(self):
        """The number of columns of A."""
        return len(self.A[0])

    def _value_and_grad(self, xp, x):
        A = xp.asarray(self.A, dtype=x.dtype, device=device(x))
        value, grad = value_and_grad(self.loss, x @ A.T)
        return value, grad @ A

    def _hvp(self, xp, x, v):
        A = xp.asarray(self.A, dtype=x.dtype, device=device(x))
        return self.loss.hvp(x @ A.T, v @ A.T) @ A

    def formula(self, x):
        """Its formula."""
        return _formula(self.loss, [_weighted_sum(row, x) for row in self.A])


@dataclass(frozen=True, repr=False)
class Composed(ClosedForm):
    """outer(inner(x)), a function of one variable of any loss, such as a cut-off (journal eq. 5.1).

    >>> Composed(Saturation(), F1())
    x -> f1(x)/(1 + f1(x))
    """

    outer: Loss
    inner: Loss

    def __post_init__(self):
        _check_one_variable(self.outer)
        a_loss(self.inner)

    @property
    def dimension(self):
        """That of the inner loss."""
        return self.inner.dimension

    def _value_and_grad(self, xp, x):
        inner, grad = value_and_grad(self.inner, x)
        value, slope = value_and_grad(self.outer, inner)
        return value, self._per_point(slope) * grad

    def _hvp(self, xp, x, v):
        inner, grad = value_and_grad(self.inner, x)
        change = grad * v if self.dimension is None else xp.vecdot(grad, v)
        slope, slope_change = self.outer.grad(inner), self.outer.hvp(inner, change)
        curvature = self._per_point(slope) * self.inner.hvp(x, v)
        return self._per_point(slope_change) * grad + curvature

    def _per_point(self, array):
        return array if self.dimension is None else array[..., None]

    def formula(self, x):
        """Its formula."""
        return _formula(self.outer, _formula(self.inner, x))


@dataclass(frozen=True, repr=False)
class Scaled(ClosedForm):
    """factor * loss(x).

    >>> Scaled(0.5, F1())
    x -> 0.5 f1(x)
    """

    factor: float
    loss: Loss

    def __post_init__(self):
        real("the factor", self.factor)
        a_loss(self.loss)

    @property
    def dimension(self):
        """That of the loss."""
        return self.loss.dimension

    def _value_and_grad(self, xp, x):
        value, grad = value_and_grad(self.loss, x)
        return self.factor * value, self.factor * grad

    def _hvp(self, xp, x, v):
        return self.factor * self.loss.hvp(x, v)

    def formula(self, x):
        """Its formula."""
        return f"{self.factor:g} {_factor(_formula(self.loss, x))}"


@dataclass(frozen=True, repr=False)
class Sum(ClosedForm):
    """The sum of losses of one dimension.

    >>> Sum((Ridge(F1(), (1, 0)), Ridge(F2(C=3), (0, 1))))
    (x1, x2) -> f1(x1) + f2(x2)
    """

    terms: tuple[Loss, ...]

    def __post_init__(self):
        terms = tuple(self.terms) if np.iterable(self.terms) else (self.terms,)
        object.__setattr__(self, "terms", terms)
        dimensions = [a_loss(term).dimension for term in terms]
        if len(set(dimensions)) != 1:
            raise ValueError(
                f"the terms of a sum must have the same number of variables, not {dimensions}"
            )

    @property
    def dimension(self):
        """That of every term."""
        return self.terms[0].dimension

    def _value_and_grad(self, xp, x):
        values, grads = zip(*(value_and_grad(term, x) for term in self.terms), strict=True)
        return sum(values[1:], values[0]), sum(grads[1:], grads[0])

    def _hvp(self, xp, x, v):
        return sum(term.hvp(x, v) for term in self.terms)

    def formula(self, x):
        """Its formula."""
        return " + ".join(_formula(term, x) for term in self.terms)


def separable(functions, basis):
    """The loss f_1(p_1·x) + ... + f_n(p_n·x) over an orthonormal basis p_1, ..., p_n of R^n.

    Gradient descent on it is n descents side by side, one along each p_i (journal eq. 4.4 and
    theorem 4.2, preprint eq. 4 and theorem 2). ``functions`` are n losses of one variable;
    ``basis`` has the shape (n, n), a vector in each row. The answer is a :class:`Sum` of
    :class:`Ridge` terms.

    Raises ValueError if a function is not of one variable, if there are not as many as vectors, or
    if a product of two vectors differs by 1e-6 or more from that of an orthonormal basis.

    >>> separable([F1(), Scaled(0.5, F1())], [[0.6, 0.8], [-0.8, 0.6]])
    (x1, x2) -> f1(0.6 x1 + 0.8 x2) + 0.5 f1(-0.8 x1 + 0.6 x2)
    """
    functions = tuple(functions) if np.iterable(functions) else (functions,)
    basis = float64(real_numbers("the basis", basis))
    for i, f in enumerate(functions, start=1):
        if getattr(f, "dimension", 0) is not None:
            raise ValueError(
                f"function {i} of the sum must be a loss of one variable, such as f1 (journal eq. "
                f"4.4, preprint eq. 4), not {f!r}"
            )
    n = len(functions)
    if n == 0:
        raise ValueError("a sum over no functions is no loss: give at least one")
    if basis.shape != (n, n):
        raise ValueError(
            f"a sum of {n} functions needs {n} basis vectors of length {n}, one in each row "
            f"(journal eq. 4.4, preprint eq. 4), not an array of shape {basis.shape}"
        )
    off = abs(basis @ basis.T - np.eye(n)).max()
    if not off < 1e-6:
        raise ValueError(
            "the basis must be orthonormal (journal eq. 4.4 and theorem 4.2, preprint eq. 4 and "
            f"theorem 2), but a product of its rows (or of one with itself) is off by {off:.2g}: "
            "np.linalg.qr(np.transpose(basis))[0].T makes an orthonormal basis of any other"
        )
    return Sum(Ridge(f, p) for f, p in zip(functions, basis, strict=True))


def crossed_valleys(f, h, k, cutoff):
    """A wide valley along x1, crossed by a narrow one along x2: f(h(x1) x2) + φ(f(k h(x2) x1)).

    Journal eq. 5.1 (preprint eq. 9). The functions of one variable ``f``, even, and ``h``,
    positive, make the valley; ``k`` is how many times narrower the second one is, and ``cutoff``,
    such as ``Saturation(c)`` or ``Clip(c)``, confines it. Returns a loss of two variables.

    Raises ValueError unless k is above 1 and finite, f, h and the cut-off have one variable, and,
    wherever it was tried, f is even, h positive, and the cut-off starts at 0, never falls, and
    levels off.

    >>> crossed_valleys(F1(), h=Quadratic(minimum=1.0), k=10, cutoff=Clip(0.25))
    (x1, x2) -> f1((1 + 0.5 x1^2) x2) + min(f1((1 + 0.5 x2^2) (10 x1)), 0.25)
    """
    real("k", k, above=1, why=": it is how much narrower the second valley is (journal section 5, "
         "preprint section 5)")  # fmt: skip
    wide = Valley(f, h=Ridge(h, (1,)))
    with np.errstate(all="ignore"):  # what is not finite is told in words
        _check_even(f)
        _check_steepness(h)
        _check_cutoff(cutoff)
    return Sum((wide, Composed(cutoff, Linear(wide, ((0, 1), (k, 0))))))


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


def _append(xp, x, y):
    """The point (x, y), from x of shape (..., d) and y of shape (...,)."""
    return xp.concat((x, y[..., None]), axis=-1)


def _check_one_variable(f):
    if a_loss(f).dimension is not None:
        raise ValueError(f"expected a function of one variable, not a loss of {f.dimension}: {f!r}")


def _check_even(f):
    if not np.allclose(f.value(-DECADES), f.value(DECADES), rtol=1e-9, atol=0):
        raise ValueError(
            f"f must be even (journal section 4.1, preprint section 4.1), unlike {f!r}"
        )


def _check_steepness(h):
    x = np.append(-DECADES, np.append(0.0, DECADES))
    steepness = h.value(x)
    if not np.all(steepness > 0):
        at = int(np.argmin(steepness))
        raise ValueError(
            "h must be positive everywhere (journal section 5, preprint section 5), but "
            f"h({x[at]:g}) is {steepness[at]:g}"
        )


def _check_cutoff(cutoff):
    _check_one_variable(cutoff)
    heights = cutoff.value(np.append(0.0, DECADES))
    falls = np.any(np.diff(heights) < -1e-12 * heights[1:])
    levels_off = 0 < heights[-1] <= 1.01 * heights[-4]
    if heights[0] != 0 or falls or not levels_off:
        raise ValueError(
            "a cut-off must rise from 0 and level off, so that it confines the small valley to "
            f"losses from 0 to c (journal eq. 5.1, preprint eq. 9), unlike {cutoff!r}"
        )


def _check_height(c):
    why = ": it confines the small valley to losses from 0 to c (journal eq. 5.1, preprint eq. 9)"
    real("the height c of a cut-off", c, above=0, why=why)


def _formula(loss, x):
    return loss.formula(x) if isinstance(loss, ClosedForm) else f"({loss!r})({x})"


def _factor(x):
    """The formula ``x``, in brackets unless it has none but inner operators."""
    outside = x
    while "(" in outside:
        outside = re.sub(r"\([^()]*\)", "", outside)
    return f"({x})" if re.search(r"[ /^]", outside) else x


def _weighted_sum(weights, x):
    terms = [
        _factor(entry) if weight == 1 else f"{weight:g} {_factor(entry)}"
        for weight, entry in zip(weights, x, strict=True)
        if weight
    ]
    return " + ".join(terms).replace("+ -", "- ") or "0"


# --- the paper's losses ---------------------------------------------------------------------------

#: Journal fig. 4.1 (left), preprint fig. 4 (left): convex, one variable.
f1 = F1()

#: Journal fig. 4.1 (middle), preprint fig. 4 (middle): not convex, one variable.
f2 = F2(C=3.0)

#: Journal fig. 4.1 (right), preprint fig. 4 (right): not convex, two variables.
f3 = Sum((Ridge(f2, (1, 0)), Ridge(f2, (1, 1)), Scaled(0.5, Radial(f1, dimension=2))))

#: Journal fig. 4.2, preprint fig. 5: a valley that gets flatter as x1 grows (x1 > -100).
valley = Valley(f1, h=Ridge(Reciprocal(), (0.01,)))

#: Journal fig. 5.1, preprint fig. 6: a wide valley along x1, crossed by a narrow one along x2.
two_valleys = crossed_valleys(
    f1, h=Quadratic(curvature=0.002, minimum=1.0), k=10, cutoff=Saturation(0.25)
)
