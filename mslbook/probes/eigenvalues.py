"""The largest eigenvalues of the Hessian, from Hessian-vector products alone."""

from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from mslbook._checks import check_int, check_real
from mslbook.probes._theta import check_theta, in_full_precision
from mslbook.probes.hessian import hessian_operator
from mslbook.probes.lanczos import ROUNDING_EPS, KrylovSpace

MIN_OUTSIDE = 1e-5  # of a start vector, outside the span of the others, for it to be used
# Further products for a guard that began at random, before it counts as settled: after a cold
# start, and after a start from vectors without a guard.
COLD_STEPS, BARE_STEPS = 3, 4


@dataclass(frozen=True, repr=False)
class Sharpness:
    """The answer of `sharpness`."""

    values: np.ndarray  #: the algebraically largest eigenvalues, descending, shape (k,)
    vectors: Any  #: their unit eigenvectors, of the kind of theta, shape (k, n)
    residuals: np.ndarray  #: ``||Hv - λv|| / |λ|`` of each, shape (k,)
    converged: bool  #: whether each residual is within `tol`, or a value 0 but for rounding
    hvps: int  #: the number of Hessian-vector products made
    guard: Any  #: the Ritz vector of eigenvalue k + 1, shape (1, n), or none if k = n

    def __repr__(self):
        values = ", ".join(f"{value:.5g}" for value in self.values)
        end = f"{self.hvps} products, {'converged' if self.converged else 'NOT converged'}"
        return f"Sharpness([{values}], residual {self.residuals.max():.1e}, {end})"


@in_full_precision
def sharpness(
    loss, theta, k=1, tol=1e-3, start=None, seed=0, max_hvps=None, preconditioner=None
) -> Sharpness:
    """The k algebraically largest eigenvalues of the Hessian of a loss.

    Parameters
    ----------
    loss : Loss
    theta : array_like, shape () or (n,)
    k : int
    tol : float
        The relative residual ``||Hv - λv|| / |λ|`` at which a pair counts as found; the eigenvalue
        is off by its square.
    start : Sharpness or array, shape (j, n), optional
        The whole answer at a nearby point, or vectors, of which the first k + 1 are used.
    seed : int
    max_hvps : int, optional
        Products after which it gives up; by default ``50 + 20 * k``.
    preconditioner : array, shape of theta, optional
        A positive diagonal P, such as ``optimizer.precondition(state)``, for the eigenvalues of
        P^(-1/2) H P^(-1/2), to be compared with ``optimizer.edge()``.

    Notes
    -----
    Block Lanczos with full reorthogonalisation, restarted so as to hold at most 55 + 7 k vectors of
    n numbers; a product that is not finite raises FloatingPointError. A warm start alone cannot see
    an eigenvector that it is orthogonal to, so one pair beyond the k, the guard, is followed until
    its eigenvalue is known or its residual keeps it below the k-th. A residual does not say that no
    eigenvalue was missed: no method that samples products can.

    Examples
    --------
    >>> from mslbook import sharpness, two_valleys
    >>> sharpness(two_valleys, [0.0, 0.0], k=2, tol=1e-8).values.round(6)
    array([25.,  1.])
    """
    xp, theta = check_theta(loss, theta, "hvp")
    n = prod(theta.shape)
    check_int("k", k, least=1, most=n)
    check_real("tol", tol, above=0, below=1)
    limit = check_int("max_hvps", 50 + 20 * k if max_hvps is None else max_hvps, least=k + 1)
    followed, largest_basis, random = min(k + 1, n), min(n, 40 + 4 * k), np.random.default_rng(seed)
    operator = hessian_operator(loss, theta, preconditioner)
    capacity = min(n, largest_basis + followed + COLD_STEPS + BARE_STEPS)
    space = KrylovSpace(operator, theta.reshape((-1,)), capacity)
    for vector in _start_vectors(start, n)[:followed]:
        space.add(vector, MIN_OUTSIDE)
    # Random vectors complete the start: all of them if it is cold, the guard if it is warm.
    further = 0 if len(space) == followed else BARE_STEPS if len(space) else COLD_STEPS
    while len(space) < followed:
        space.add(random.standard_normal(n), MIN_OUTSIDE)  # by NumPy, so the same everywhere
    while True:
        spectrum, mixing = space.ritz()
        values, mixing = spectrum[:followed], mixing[:followed]
        couplings = mixing @ space.couplings  # the residuals H v - λ v, in the pending rows
        norms = np.linalg.norm(couplings, axis=1)
        unit = float(xp.finfo(theta.dtype).eps) * np.abs(spectrum).max()
        rounding = ROUNDING_EPS * unit  # a residual so small cannot become smaller
        todo = _unsettled(values, np.where(norms > rounding, norms, 0), k, tol)
        if todo is None and further and len(space) < n:
            todo, further = k, further - 1
        if todo is None or space.hvps >= limit or len(space) == n:
            break
        if len(space) == largest_basis:
            space.restart(2 * k + 1)
        if norms[todo] > rounding:
            space.extend(couplings[todo])
        else:
            space.add(random.standard_normal(n))
    vectors, sizes = space.combine(mixing), np.abs(values)
    with np.errstate(divide="ignore"):
        residuals = np.divide(norms, sizes, out=np.zeros(followed), where=norms > 0)
    found = (norms <= tol * sizes) | (sizes <= unit)
    converged = todo is None and bool(found[:k].all())
    return Sharpness(
        values[:k], vectors[:k], residuals[:k], converged, space.hvps, guard=vectors[k:]
    )


def _unsettled(values, norms, k, tol):
    """The first Ritz pair, by its residual norm, that needs more products; None if none does."""
    wanted = norms > tol * np.abs(values)
    if wanted[:k].any():
        return int(np.argmax(wanted))
    # The guard: an eigenvalue is off by the square of its residual, so this knows it to tol.
    unknown = wanted[k:].any() and norms[k] ** 2 > tol * values[k] ** 2
    return k if unknown and values[k] + norms[k] > values[k - 1] else None


def _start_vectors(start, n):
    if start is None:
        return []
    rows = [*start.vectors, *start.guard] if isinstance(start, Sharpness) else list(start)
    shapes = {np.shape(row) for row in rows}
    if shapes != {(n,)} or not all(np.isfinite(float(row.sum())) for row in rows):
        raise ValueError(
            f"start must be the answer at a nearby point, or its finite vectors of shape (j, {n})"
        )
    return rows
