"""Losses made of other losses."""

from dataclasses import dataclass

import numpy as np

from mslbook._arrays import like, to_numpy
from mslbook._checks import check_int, check_loss, check_real
from mslbook.loss import Loss, value_and_grad
from mslbook.losses.closed_form import ClosedForm


class Combined(ClosedForm):
    """A loss made of others.

    A subclass gives ``_value_and_grad(xp, x, of)``, where ``of(part, x)`` has the value and the
    gradient of a part, or a value of 0 and the gradient, where that alone is wanted.
    """

    def _grad(self, xp, x):
        return self._value_and_grad(xp, x, of=lambda part, x: (0.0, part.grad(x)))[1]


@dataclass(frozen=True)
class Ridge(Combined):
    """f(p·x), for a function f of one variable and a vector p of shape (n,)."""

    f: Loss
    p: tuple[float, ...]

    def __post_init__(self):
        _check_one_variable(self.f)
        _set(self, p=tuple(map(float, self.p)), dimension=len(self.p))

    def _value_and_grad(self, xp, x, of=value_and_grad):
        p = like(x, self.p)
        value, slope = of(self.f, _dot(x, p))
        return value, slope[..., None] * p

    def _hvp(self, xp, x, v):
        p = like(x, self.p)
        return self.f.hvp(_dot(x, p), _dot(v, p))[..., None] * p


@dataclass(frozen=True)
class Radial(Combined):
    """f(‖x‖), for an even function f of one variable and x of the dimension given."""

    f: Loss
    dimension: int

    def __post_init__(self):
        _check_one_variable(self.f)
        check_int("the dimension", self.dimension, least=1)

    def _value_and_grad(self, xp, x, of=value_and_grad):
        r, r_or_one = self._radius(xp, x)
        value, slope = of(self.f, r)
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


@dataclass(frozen=True)
class Valley(Combined):
    """f(h(x) y) of x in R^d and a last coordinate y: every point of y = 0 is a minimum.

    f is an even function of one variable; h, the steepness at x, is a positive one of d variables.

    Examples
    --------
    >>> from mslbook.losses import Quadratic, Ridge, Valley, f1
    >>> narrowing = Valley(f1, h=Ridge(Quadratic(curvature=2.0, minimum=1.0), (1,)))
    >>> narrowing.hvp([[0.0, 0.0], [3.0, 0.0]], [0.0, 1.0])
    array([[  0.,   1.],
           [  0., 100.]])
    """

    f: Loss
    h: Loss

    def __post_init__(self):
        _check_one_variable(self.f)
        if check_loss(self.h).dimension is None:
            raise ValueError("h must be a loss of d variables: write Ridge(h, (1,)) for one of one")
        _set(self, dimension=self.h.dimension + 1)

    def _value_and_grad(self, xp, x, of=value_and_grad):
        x, y = x[..., :-1], x[..., -1]
        h, h_grad = value_and_grad(self.h, x)
        value, slope = of(self.f, h * y)
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


@dataclass(frozen=True)
class Linear(Combined):
    """loss(A x), for a loss of m variables and a matrix A of shape (m, n)."""

    loss: Loss
    A: tuple[tuple[float, ...], ...]

    def __post_init__(self):
        rows = tuple(tuple(map(float, row)) for row in self.A)
        if len(rows) != check_loss(self.loss).dimension or len({len(row) for row in rows}) != 1:
            raise ValueError(f"A must have {self.loss.dimension} rows of one length, not {rows}")
        _set(self, A=rows, dimension=len(rows[0]))

    def _value_and_grad(self, xp, x, of=value_and_grad):
        A = like(x, self.A)
        value, grad = of(self.loss, _map(A, x))
        return value, _map(A.T, grad)

    def _hvp(self, xp, x, v):
        A = like(x, self.A)
        return _map(A.T, self.loss.hvp(_map(A, x), _map(A, v)))


@dataclass(frozen=True)
class Composed(Combined):
    """outer(inner(x)), for an outer function of one variable, such as a cut-off."""

    outer: Loss
    inner: Loss

    def __post_init__(self):
        _check_one_variable(self.outer)
        _set(self, dimension=check_loss(self.inner).dimension)

    def _value_and_grad(self, xp, x, of=value_and_grad):
        inner, grad = value_and_grad(self.inner, x)
        value, slope = of(self.outer, inner)
        return value, self._per_point(slope) * grad

    def _hvp(self, xp, x, v):
        inner, grad = value_and_grad(self.inner, x)
        change = grad * v if self.dimension is None else xp.vecdot(grad, v)
        slope, slope_change = self.outer.grad(inner), self.outer.hvp(inner, change)
        curvature = self._per_point(slope) * self.inner.hvp(x, v)
        return self._per_point(slope_change) * grad + curvature

    def _per_point(self, array):
        return array if self.dimension is None else array[..., None]


@dataclass(frozen=True)
class Scaled(Combined):
    """factor * loss(x)."""

    factor: float
    loss: Loss

    def __post_init__(self):
        _set(self, dimension=check_loss(self.loss).dimension)

    def _value_and_grad(self, xp, x, of=value_and_grad):
        value, grad = of(self.loss, x)
        return self.factor * value, self.factor * grad

    def _hvp(self, xp, x, v):
        return self.factor * self.loss.hvp(x, v)


@dataclass(frozen=True)
class Sum(Combined):
    """The sum of a sequence of losses of the same number of variables.

    Examples
    --------
    >>> from mslbook.losses import Ridge, Sum, f1, f2
    >>> Sum((Ridge(f1, (1, 0)), Ridge(f2, (0, 1)))).hvp([0.0, 0.0], [1.0, 1.0])
    array([1., 6.])
    """

    terms: tuple[Loss, ...]

    def __post_init__(self):
        terms = tuple(self.terms)
        dimensions = [check_loss(term).dimension for term in terms]
        if len(set(dimensions)) != 1:
            raise ValueError(f"terms must have the same number of variables, not {dimensions}")
        _set(self, terms=terms, dimension=dimensions[0])

    def _value_and_grad(self, xp, x, of=value_and_grad):
        values, grads = zip(*(of(term, x) for term in self.terms), strict=True)
        return sum(values[1:], values[0]), sum(grads[1:], grads[0])

    def _hvp(self, xp, x, v):
        return sum(term.hvp(x, v) for term in self.terms)


def separable(functions, basis):
    """The `Sum` f_1(p_1·x) + ... + f_n(p_n·x) over an orthonormal basis p_1, ..., p_n of R^n.

    Ma et al. (2022), eq. 4.4 and theorem 4.2 (preprint, eq. 4 and theorem 2).

    Parameters
    ----------
    functions : sequence of Loss
    basis : array_like, shape (n, n)
        A vector in each row.

    Examples
    --------
    >>> from mslbook.losses import f1, f2, separable
    >>> separable([f1, f2], [[0.6, 0.8], [-0.8, 0.6]]).hvp([0.0, 0.0], [0.6, 0.8])
    array([0.6, 0.8])
    """
    functions, basis = tuple(functions), to_numpy(basis)
    n = len(functions)
    if basis.shape != (n, n) or not np.allclose(basis @ basis.T, np.eye(n), rtol=0, atol=1e-6):
        told = f"the basis must be orthonormal, {n} rows of length {n} for as many functions"
        raise ValueError(f"{told}: np.linalg.qr(np.transpose(basis))[0].T makes one of any other")
    return Sum(Ridge(f, p) for f, p in zip(functions, basis, strict=True))


def crossed_valleys(f, h, k, cutoff):
    """A wide valley along x1, crossed by a narrow one along x2: f(h(x1) x2) + φ(f(k h(x2) x1)).

    Ma et al. (2022), eq. 5.1 (preprint, eq. 9).

    Parameters
    ----------
    f, h : Loss
        Of one variable, f even and h positive.
    k : float
        How many times narrower the second valley is.
    cutoff : Loss
        φ, increasing and bounded, such as ``Saturation(c)`` or ``Clip(c)``.

    Examples
    --------
    >>> from mslbook.losses import Clip, Quadratic, crossed_valleys, f1
    >>> loss = crossed_valleys(f1, h=Quadratic(minimum=1.0), k=10, cutoff=Clip(0.25))
    >>> loss.value([[0.0, 0.0], [5.0, 0.0]])
    array([0.  , 0.25])
    """
    check_real("k", k, above=1)
    wide = Valley(f, h=Ridge(h, (1,)))
    return Sum((wide, Composed(cutoff, Linear(wide, ((0, 1), (k, 0))))))


def _dot(x, p):
    return x @ p if len(p) > 1 else p[0] * x[..., 0]  # of one column, NumPy's product is slow


def _map(A, x):
    """A x for points x (..., n), whose coordinates stay apart in memory if they are."""
    return (A @ x.mT).mT if x.ndim > 1 else A @ x


def _append(xp, x, y):
    """The points (x, y), their coordinates apart, too."""
    if y.ndim == 0:
        return xp.concat((x, y[None]))
    return xp.concat((x.mT, y[..., None, :]), axis=-2).mT


def _set(frozen, **attributes):
    for name, value in attributes.items():
        object.__setattr__(frozen, name, value)


def _check_one_variable(f):
    if check_loss(f).dimension is not None:
        raise ValueError(f"expected a function of one variable, not a loss of {f.dimension}: {f!r}")
