"""Sharpness: the largest eigenvalues of the Hessian, from Hessian-vector products alone."""

from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from array_api_compat import device

from mslbook.checks import float64, generator, real, whole
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
    values : NumPy array (k,), the algebraically largest eigenvalues, descending
    vectors : (k, n), their unit eigenvectors, of the kind of the point
    residuals : NumPy array (k,), ``||Hv - λv|| / |λ|`` of each, from the products themselves
    converged : whether every residual is within the tolerance (or down to rounding, as for an
        eigenvalue of 0) and the guard is settled
    hvps : how many Hessian-vector products it took
    guard : (j, n), the next eigenvector as far as it was found; `start=` this whole answer to
        hand it on, so that an eigenvalue that overtakes the k-th one is seen coming
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
def sharpness(loss, point, k=1, tol=1e-3, start=None, seed=0, max_hvps=None):
    """The k algebraically largest eigenvalues of the Hessian of `loss` at `point`.

    Lanczos with full reorthogonalisation: an orthonormal basis grows by the residual of the first
    Ritz pair that is not yet accurate, one Hessian-vector product at a time. From one random
    start this spans the Krylov space of Lanczos; from the eigenvectors of a nearby point it
    starts almost done.

    One pair beyond the k asked for, the guard, is followed until its eigenvalue is known or its
    residual keeps it below the k-th, because a warm start alone cannot see an eigenvector that it
    is orthogonal to. Started from a whole earlier answer the guard goes on where it was, and sees
    the eigenvalue that it follows overtake, though not one that jumps up from beyond it; started
    from k bare vectors it begins at random, may see any, and costs a few products more.

    Parameters
    ----------
    loss : anything with ``hvp(point, v)``
    point : a number, for a function of one variable, or a vector of n coordinates
    k : how many, at most n
    tol : relative residual ``||Hv - λv|| / |λ|`` at which an eigenvalue counts as found
    start : the answer at a nearby point, or vectors of shape (j, n): the first k + 1 are used,
        and the one after the k-th is the guard
    seed : of the random start; the same everywhere, whatever the library or device
    max_hvps : products after which it gives up, at least k + 1; by default ``50 + 20 * k``

    A residual says how far an eigenvalue is from one of the Hessian's, not that none was missed:
    no method that samples products can. Ask for a smaller `tol` to tell close eigenvalues apart.

    Returns a `Sharpness`. Raises ``ValueError`` for arguments out of range, and
    ``FloatingPointError`` if a product is not finite.

    The sharpness is what gradient descent compares with 2/η (journal and preprint section 2.1).

    >>> from mslbook.losses import f1, two_valleys
    >>> sharpness(f1, 0.0).values
    array([1.])
    >>> s = sharpness(two_valleys, np.array([0.0, 0.0]), k=2, tol=1e-8)
    >>> s.values.round(6), s.converged
    (array([25.,  1.]), True)
    """
    xp, point = one_point(loss, point, "hvp")
    n = prod(point.shape)
    start = _check(k, tol, start, max_hvps, n)
    limit = 50 + 20 * k if max_hvps is None else max_hvps
    followed = min(k + 1, n)
    space = _RitzSpace(hessian_at(loss, point), xp, point, seed)
    for row in start[:followed]:
        space.add(row)
    # Random rows complete the start: all of them if it is cold, the guard if it is warm.
    further = 0 if len(space) == followed else BARE_STEPS if len(space) else COLD_STEPS
    while len(space) < followed:
        space.add(space.random())
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
            space.add(space.random())
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


class _RitzSpace:
    """An orthonormal basis, the Hessian's images of it, and the best eigenpairs within it."""

    def __init__(self, product, xp, point, seed):
        self._product, self._xp, self._point = product, xp, point
        self._generator = generator(seed)
        self._basis = self._images = self._like(np.empty((0, prod(point.shape))))
        self.hvps = 0

    def __len__(self):
        return self._basis.shape[0]

    def random(self):
        """A random direction: drawn by NumPy, so the same on every library and device."""
        return self._generator.standard_normal(self._basis.shape[1])

    def add(self, row):
        """Add the part of `row` orthogonal to the basis; False if there is none to speak of."""
        row, norm = self._like(row), self._xp.linalg.vector_norm
        for sweep in range(3):  # twice is enough for orthogonality, thrice for a row nearly lost
            length = float(norm(row))
            if not length > (DEPENDENT if sweep else 0.0):
                return False
            row = row / length
            row = row - (self._basis @ row) @ self._basis
        row = row / norm(row)
        image = self._product(row)
        self.hvps += 1
        self._basis = self._xp.concat([self._basis, row[None]])
        self._images = self._xp.concat([self._images, image[None]])
        return True

    def largest(self, count):
        """The `count` largest Ritz pairs of the space."""
        spectrum, mixing = self._decompose()
        values = spectrum[:count]
        vectors, images = self._combine(mixing[:count])
        defects = images - self._like(values)[:, None] * vectors
        norms = float64(self._xp.linalg.vector_norm(defects, axis=1))
        with np.errstate(divide="ignore"):
            residuals = np.divide(norms, np.abs(values), out=np.zeros(count), where=norms > 0)
        rounding = 10 * float(self._xp.finfo(self._point.dtype).eps) * np.abs(spectrum).max()
        return _Pairs(values, vectors, defects, norms, residuals, rounding)

    def restart(self, count):
        """Shrink to the `count` best Ritz vectors; their images need no new products."""
        _, mixing = self._decompose()
        self._basis, self._images = self._combine(mixing[:count])

    def _decompose(self):
        """The Hessian's eigenvalues within the space, the largest first, and the mixing rows."""
        projected = float64(self._basis @ self._images.T)
        values, mixing = np.linalg.eigh((projected + projected.T) / 2)
        return values[::-1].copy(), mixing[:, ::-1].T.copy()

    def _combine(self, mixing):
        mixing = self._like(mixing)
        return mixing @ self._basis, mixing @ self._images

    def _like(self, array):
        """The array as one of the point's kind."""
        return self._xp.asarray(array, dtype=self._point.dtype, device=device(self._point))


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
