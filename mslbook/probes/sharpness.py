"""Sharpness: the largest eigenvalues of the Hessian, from Hessian-vector products alone."""

from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from array_api_compat import device

from mslbook.checks import float64, generator, real, whole
from mslbook.probes.lanczos import KrylovSpace
from mslbook.probes.points import hessian_at, in_full_precision, one_point

# A row this close to the span of the others adds nothing but rounding.
DEPENDENT = 1e-5
# Products more, spent on a guard that began at random, before nothing is believed to be missed:
# after a cold start the whole basis did, after a start from bare vectors the guard alone.
COLD_STEPS, BARE_STEPS = 3, 4


@dataclass(frozen=True)
class Sharpness:
    """The answer of `sharpness`.

    Attributes
    ----------
    values : ndarray, shape (k,)
        The algebraically largest eigenvalues, descending.
    vectors : array, shape (k, n)
        Their unit eigenvectors, of the kind of theta; those of P^(-1/2) H P^(-1/2) where there was
        a preconditioner.
    residuals : ndarray, shape (k,)
        ``||Hv - λv|| / |λ|`` of each, from the products themselves.
    converged : bool
        Whether every residual is within the tolerance (or down to rounding, as for an eigenvalue
        of 0) and the guard is settled.
    hvps : int
        How many Hessian-vector products it took.
    guard : array, shape (1, n)
        The Ritz vector of eigenvalue k + 1, or none if there is no such eigenvalue. Pass the whole
        answer as ``start`` at a nearby point to detect an eigenvalue that overtakes the k-th.
    """

    values: np.ndarray
    vectors: Any
    residuals: np.ndarray
    converged: bool
    hvps: int
    guard: Any

    def __repr__(self):
        values = ", ".join(f"{value:.5g}" for value in self.values)
        state = "converged" if self.converged else "NOT converged"
        return (
            f"Sharpness([{values}], residual {self.residuals.max():.1e}, "
            f"{self.hvps} products, {state})"
        )


@in_full_precision
def sharpness(loss, theta, k=1, tol=1e-3, start=None, seed=0, max_hvps=None, preconditioner=None):
    """The k algebraically largest eigenvalues of the Hessian of a loss.

    Lanczos with full reorthogonalisation: an orthonormal basis grows by the residual of the first
    Ritz pair that is not yet accurate, one Hessian-vector product at a time. From one random
    start this spans the Krylov space of Lanczos; from the eigenvectors of a nearby point it
    starts almost done.

    Parameters
    ----------
    loss : Loss
        Anything with ``hvp(theta, v)``.
    theta : array_like, shape () or (n,)
        A number, for a function of one variable, or a vector of n coordinates.
    k : int
        How many eigenvalues, at most n.
    tol : float
        The relative residual ``||Hv - λv|| / |λ|`` at which an eigenvalue counts as found. The
        eigenvalue itself is off by the square of it; a smaller one tells close eigenvalues apart.
    start : Sharpness or array, shape (j, n), optional
        The answer at a nearby point, or vectors: the first k + 1 are used, and the one after the
        k-th is the guard.
    seed : int
        Of the random start; the same everywhere, whatever the library or device.
    max_hvps : int, optional
        Products after which it gives up, at least k + 1; by default ``50 + 20 * k``.
    preconditioner : array, shape of theta, optional
        A positive diagonal P, such as ``optimizer.precondition(state)``: the eigenvalues are those
        of P^(-1/2) H P^(-1/2), to be compared with ``optimizer.edge()``.

    Returns
    -------
    Sharpness

    Raises
    ------
    ValueError
        For arguments out of range.
    FloatingPointError
        If a product is not finite.

    Notes
    -----
    One pair beyond the k asked for, the guard, is followed until its eigenvalue is known or its
    residual keeps it below the k-th, because a warm start alone cannot see an eigenvector that it
    is orthogonal to. Started from a whole earlier answer the guard goes on where it was, and sees
    the eigenvalue that it follows overtake, though not one that jumps up from beyond it; started
    from k bare vectors it begins at random, may see any, and costs a few products more. A residual
    says how far an eigenvalue is from one of the Hessian's, not that none was missed: no method
    that samples products can.

    Memory: at most 2 (40 + 4 k) + 10 (k + 1) vectors of n numbers, at which the basis is shrunk to
    the best Ritz vectors and grows anew.

    Examples
    --------
    >>> from mslbook.losses import f1, two_valleys
    >>> from mslbook.probes import sharpness
    >>> sharpness(f1, 0.0).values
    array([1.])
    >>> s = sharpness(two_valleys, [0.0, 0.0], k=2, tol=1e-8)
    >>> s.values.round(6), s.converged
    (array([25.,  1.]), True)
    """
    xp, theta = one_point(loss, theta, "hvp")
    n = prod(theta.shape)
    start = _check(k, tol, start, max_hvps, n)
    limit = 50 + 20 * k if max_hvps is None else max_hvps
    followed, random = min(k + 1, n), generator(seed)
    product, like = hessian_at(loss, theta, preconditioner), theta.reshape((-1,))
    space = _RitzSpace(product, xp, like, capacity=min(n, 40 + 4 * k))
    for row in start[:followed]:
        space.add(row)
    # Random rows complete the start: all of them if it is cold, the guard if it is warm.
    further = 0 if len(space) == followed else BARE_STEPS if len(space) else COLD_STEPS
    while len(space) < followed:
        space.add(random.standard_normal(n))  # by NumPy, so the same on every library and device
    while True:
        pairs = space.largest(followed)
        todo = _unsettled(pairs, k, tol)
        if todo is None and further and len(space) < n:
            todo, further = k, further - 1
        if todo is None or space.hvps >= limit:
            break
        if len(space) >= min(n, 40 + 4 * k):
            if len(space) == n:
                break  # the whole space: no product can add anything
            space.restart(2 * k + 1)
        if not space.add(pairs.defects[todo]):
            space.add(random.standard_normal(n))
    return Sharpness(
        values=pairs.values[:k],
        vectors=pairs.vectors[:k],
        residuals=pairs.residuals[:k],
        converged=todo is None,
        hvps=space.hvps,
        guard=pairs.vectors[k:],
    )


@dataclass(frozen=True)
class _Pairs:
    """Ritz pairs, the largest first: the defect H v - λ v of each, its norm, that over |λ|.

    A norm below `rounding`, that of a product with the Hessian, is as good as zero.
    """

    values: np.ndarray
    vectors: Any
    defects: Any
    norms: np.ndarray
    residuals: np.ndarray
    rounding: float


class _RitzSpace(KrylovSpace):
    """A Krylov space with the Hessian's images of its rows, and the best eigenpairs within it."""

    def __init__(self, product, xp, like, capacity):
        super().__init__(product, xp, like, capacity, DEPENDENT)
        self._images = self._rows(capacity)

    @property
    def images(self):
        """The Hessian's images of the basis, (len, n)."""
        return self._images[: len(self)]

    def add(self, row):
        """Add a row; whether it added anything."""
        image = super().add(row)
        if image is not None:
            self.images[-1, ...] = image
        return image is not None

    def largest(self, count):
        """The `count` largest Ritz pairs of the space."""
        spectrum, mixing = self._decompose()
        values = spectrum[:count]
        vectors, defects = (self._combine(mixing[:count], r) for r in (self.basis, self.images))
        for i, value in enumerate(values):
            defects[i] -= float(value) * vectors[i]
        norms = float64(self._xp.linalg.vector_norm(defects, axis=1))
        with np.errstate(divide="ignore"):
            residuals = np.divide(norms, np.abs(values), out=np.zeros(count), where=norms > 0)
        rounding = 10 * float(self._xp.finfo(self._like.dtype).eps) * np.abs(spectrum).max()
        return _Pairs(values, vectors, defects, norms, residuals, rounding)

    def restart(self, count):
        """Shrink to the `count` best Ritz vectors; their images need no new products."""
        values, mixing = self._decompose()
        for rows in (self.basis, self.images):
            rows[:count, ...] = self._combine(mixing[:count], rows)
        self._count = count
        self.projected[...] = np.diag(values[:count])

    def _decompose(self):
        """The Hessian's eigenvalues within the space, the largest first, and the mixing rows."""
        values, mixing = np.linalg.eigh(self.projected)
        return values[::-1].copy(), mixing[:, ::-1].T.copy()

    def _combine(self, mixing, rows):
        """Combinations of rows: (count, len) times (len, n)."""
        return self._xp.asarray(mixing, dtype=rows.dtype, device=device(rows)) @ rows


def _unsettled(pairs, k, tol):
    """The first pair that needs more products: one asked for, or the guard; None if done."""
    wanted = (pairs.residuals > tol) & (pairs.norms > pairs.rounding)
    if wanted[:k].any():
        return int(np.argmax(wanted))
    if len(wanted) > k and wanted[k]:
        could_be_larger = pairs.values[k] + pairs.norms[k] > pairs.values[k - 1]
        # An eigenvalue is off by the square of its residual, so this knows the guard's to tol.
        if pairs.residuals[k] ** 2 > tol and could_be_larger:
            return k
    return None


def _check(k, tol, start, max_hvps, n):
    """The start as a sequence of rows; clear errors for what cannot be computed."""
    whole("k", k, least=1, most=n)
    real("tol", tol, above=0, below=1)
    if max_hvps is not None:
        whole("max_hvps", max_hvps, least=k + 1)
    if start is None:
        return []
    rows = [*start.vectors, *start.guard] if isinstance(start, Sharpness) else start
    rows = list(rows) if np.iterable(rows) else []
    shapes = {tuple(getattr(row, "shape", ())) for row in rows}
    if shapes != {(n,)} or not all(np.isfinite(float(row.sum())) for row in rows):
        raise ValueError(
            f"start must be the answer at a nearby point, or its finite vectors of shape (j, {n})"
        )
    return rows
