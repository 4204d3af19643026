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


@dataclass(frozen=True)
class Sharpness:
    """The answer of `sharpness`.

    Attributes
    ----------
    values : ndarray, shape (k,)
        The algebraically largest eigenvalues, descending.
    vectors : array, shape (k, n)
        Their unit eigenvectors, of the kind of theta.
    residuals : ndarray, shape (k,)
        ``||Hv - λv|| / |λ|`` of each.
    converged : bool
        Whether every residual is within the tolerance, or down to rounding, and the guard settled.
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

    Parameters
    ----------
    loss : Loss
        Anything with ``hvp(theta, v)``.
    theta : array_like, shape () or (n,)
        A number, for a function of one variable, or a vector of n coordinates.
    k : int
        How many eigenvalues, at most n.
    tol : float
        The relative residual ``||Hv - λv|| / |λ|`` at which a pair counts as found. The eigenvalue
        is off by its square; a smaller one tells close eigenvalues apart.
    start : Sharpness or array, shape (j, n), optional
        The answer at a nearby point, or vectors: the first k + 1 are used, and the one after the
        k-th is the guard.
    seed : int
        Of the random start; the same everywhere, whatever the library or device.
    max_hvps : int, optional
        Products after which it gives up, at least k + 1; by default ``50 + 20 * k``.
    preconditioner : array, shape of theta, optional
        A positive diagonal P, such as ``optimizer.precondition(state)``, for the eigenvalues of
        P^(-1/2) H P^(-1/2), to be compared with ``optimizer.edge()``.

    Returns
    -------
    Sharpness

    Raises
    ------
    FloatingPointError
        If a product is not finite.

    Notes
    -----
    Block Lanczos with full reorthogonalisation: an orthonormal basis grows by the residual of the
    first Ritz pair that is not yet accurate, one product at a time. A basis of 40 + 4 k vectors is
    shrunk to the best Ritz vectors. Memory: at most 55 + 7 k vectors of n numbers.

    A warm start alone cannot see an eigenvector that it is orthogonal to. So one pair beyond the k
    asked for, the guard, is followed until its eigenvalue is known or its residual keeps it below
    the k-th. From a whole earlier answer it goes on where it was, and its eigenvalue is seen to
    overtake, though not one from beyond it; from k bare vectors it begins at random, may see any,
    and costs a few products more. A residual bounds the distance to the nearest eigenvalue, and
    does not say that none was missed: no method that samples products can.

    Examples
    --------
    >>> from mslbook.losses import two_valleys
    >>> from mslbook.probes import sharpness
    >>> s = sharpness(two_valleys, [0.0, 0.0], k=2, tol=1e-8)
    >>> s.values.round(6), s.converged
    (array([25.,  1.]), True)
    """
    xp, theta = check_theta(loss, theta, "hvp")
    n = prod(theta.shape)
    start = _start_vectors(k, tol, start, max_hvps, n)
    limit = 50 + 20 * k if max_hvps is None else max_hvps
    followed, largest_basis, random = min(k + 1, n), min(n, 40 + 4 * k), np.random.default_rng(seed)
    operator = hessian_operator(loss, theta, preconditioner)
    capacity = min(n, largest_basis + followed + COLD_STEPS + BARE_STEPS)
    space = KrylovSpace(operator, theta.reshape((-1,)), capacity)
    for vector in start[:followed]:
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
        rounding = ROUNDING_EPS * float(xp.finfo(theta.dtype).eps) * np.abs(spectrum).max()
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
    return Sharpness(
        values=values[:k],
        vectors=vectors[:k],
        residuals=residuals[:k],
        converged=todo is None,
        hvps=space.hvps,
        guard=vectors[k:],
    )


def _unsettled(values, norms, k, tol):
    """The first Ritz pair, by its residual norm, that needs more products; None if none does."""
    wanted = norms > tol * np.abs(values)
    if wanted[:k].any():
        return int(np.argmax(wanted))
    # The guard: an eigenvalue is off by the square of its residual, so this knows it to tol.
    if wanted[k:].any() and norms[k] ** 2 > tol * values[k] ** 2:
        could_be_larger = values[k] + norms[k] > values[k - 1]
        return k if could_be_larger else None
    return None


def _start_vectors(k, tol, start, max_hvps, n):
    """The start as a sequence of vectors; clear errors for arguments out of range."""
    check_int("k", k, least=1, most=n)
    check_real("tol", tol, above=0, below=1)
    if max_hvps is not None:
        check_int("max_hvps", max_hvps, least=k + 1)
    if start is None:
        return []
    rows = [*start.vectors, *start.guard] if isinstance(start, Sharpness) else list(start)
    shapes = {np.shape(row) for row in rows}
    if shapes != {(n,)} or not all(np.isfinite(float(row.sum())) for row in rows):
        raise ValueError(
            f"start must be the answer at a nearby point, or its finite vectors of shape (j, {n})"
        )
    return rows
