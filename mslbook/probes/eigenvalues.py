"""The largest eigenvalues of the Hessian, from Hessian-vector products alone."""

from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from mslbook._arrays import array_namespace, like, to_numpy
from mslbook._checks import check_int, check_real
from mslbook.probes._theta import check_theta, in_full_precision
from mslbook.probes.hessian import hessian_operator
from mslbook.probes.lanczos import KrylovSpace

FLOOR_EPS = 3  # machine epsilons relative to H, below which no residual can be made smaller
MIN_OUTSIDE = 1e-5  # of a start vector, outside the span of the others, for it to be used
# Further products for a guard that began at random, before it counts as settled: after a cold
# start, and after a start from vectors without a guard.
COLD_STEPS, BARE_STEPS = 3, 4
# The next vectors from the last four, the newest first: where they were, one step on, and, since at
# the edge of stability they swing with period two, where they were two steps ago, and two steps on.
PREDICTIONS = np.array([(1, 0, 0, 0), (2, -1, 0, 0), (0, 1, 0, 0), (1, 1, -1, 0), (0, 2, 0, -1)])


@dataclass(frozen=True, repr=False)
class Sharpness:
    """The answer of `sharpness`."""

    values: np.ndarray  #: the algebraically largest eigenvalues, descending, shape (k,)
    vectors: Any  #: their unit eigenvectors, of the kind of theta, shape (k, n)
    residuals: np.ndarray  #: ``||Hv - λv|| / |λ|`` of each, shape (k,)
    converged: bool  #: whether all are known to the tolerance, or 0 but for rounding
    hvps: int  #: the number of Hessian-vector products made
    guard: Any  #: the Ritz vector of eigenvalue k + 1, shape (1, n), or none if k = n
    path: Any  #: vectors and guard of this answer and up to four before it, shape (j, k + 1, n)

    def __repr__(self):
        values = ", ".join(f"{value:.5g}" for value in self.values)
        end = f"{self.hvps} products, {'converged' if self.converged else 'NOT converged'}"
        return f"Sharpness([{values}], residual {self.residuals.max():.1e}, {end})"


@in_full_precision
def sharpness(loss, theta, k=1, tol=1e-3, start=None, seed=0, max_hvps=None,
              preconditioner=None, value_tol=None, hessian=None) -> Sharpness:  # fmt: skip
    """The k algebraically largest eigenvalues of the Hessian of a loss.

    Parameters
    ----------
    loss : Loss
    theta : array_like, shape () or (n,)
    k : int
    tol : float
        The relative residual ``||Hv - λv|| / |λ|`` at which a pair counts as found.
    start : Sharpness or array, shape (j, n), optional
        The answer at a nearby point, or vectors, of which the first k + 1 are used. Along a path
        the answer before, or its `path`: the next vectors are then predicted.
    seed : int
    max_hvps : int, optional
        Products after which it gives up; by default ``50 + 20 * k``.
    preconditioner : array, shape of theta, optional
        A positive diagonal P, such as ``optimizer.precondition(state)``, for the eigenvalues of
        P^(-1/2) H P^(-1/2), to be compared with ``optimizer.edge()``.
    value_tol : float, optional
        For k = 1, in place of `tol`, the relative error of the value at which to stop, bounded by
        residual² / gap, which needs fewer products unless the next eigenvalue is near.
    hessian : callable, optional
        The function ``v -> H v`` at theta, where ``mslbook.loss.value_grad_and_hessian`` has
        made it.

    Notes
    -----
    Block Lanczos with full reorthogonalisation, restarted so as to hold at most the larger of
    20 + 2 k and 6 k + 6 vectors of n numbers; a product that is not finite raises
    FloatingPointError. Since a warm start cannot see an eigenvector that it is orthogonal to, one
    pair beyond the k, the guard, is followed until it is known or its residual keeps it below them.
    That no eigenvalue was missed cannot be certified by any method that samples products.

    Examples
    --------
    >>> from mslbook import sharpness, two_valleys
    >>> sharpness(two_valleys, [0.0, 0.0], k=2, tol=1e-8).values.round(6)
    array([25.,  1.])
    """
    theta = check_theta(loss, theta, "hvp")[1]
    n = prod(theta.shape)
    check_int("k", k, least=1, most=n)
    check_real("tol", tol, above=0, below=1)
    if value_tol is not None:
        check_real("value_tol", value_tol, above=0, below=1)
        if k > 1:
            raise ValueError("value_tol is for k = 1: for more eigenvalues give tol")
    limit = check_int("max_hvps", 50 + 20 * k if max_hvps is None else max_hvps, least=k + 1)
    followed, random = min(k + 1, n), np.random.default_rng(seed)
    past, rows = _start(start, theta, followed)
    operator = hessian_operator(loss, theta, preconditioner, hessian)
    space = KrylovSpace(operator, theta.reshape((-1,)), min(n + 2, max(13 + k, 4 * k)))
    for row in rows[:followed]:
        space.add(row, MIN_OUTSIDE)
    # Random vectors complete the start: all of them if it is cold, the guard if it is warm.
    further = 0 if len(space) == followed else BARE_STEPS if len(space) else COLD_STEPS
    while len(space) < followed:
        space.add(random.standard_normal(n), MIN_OUTSIDE)  # by NumPy, so the same everywhere
    while True:
        spectrum, mixing = space.ritz()
        values, mixing = spectrum[:followed], mixing[:followed]
        couplings = mixing @ space.couplings  # the residuals H v - λ v, in the pending rows
        norms, sizes = np.linalg.norm(couplings, axis=1), np.abs(values)
        unit = space.eps * np.abs(spectrum).max()
        above = norms > FLOOR_EPS * unit
        direction = _needed(values, couplings * above[:, None], k, tol, value_tol)
        if direction is None and further and len(space) < n:
            direction, further = couplings[k] * above[k], further - 1
        if direction is None or space.hvps >= limit or len(space) == n:
            break
        if space.full:
            space.restart(followed)
        if direction.any():
            space.extend(direction)
        else:
            space.add(random.standard_normal(n))
    with np.errstate(divide="ignore"):
        residuals = np.divide(norms, sizes, out=np.zeros(followed), where=norms > 0)
    if value_tol is None:
        found = residuals[:k] <= tol
    else:
        found = _needed(values, couplings, k, tol, value_tol) is None
    converged = direction is None and bool((found | (sizes[:k] <= unit)).all())
    vectors, xp = space.combine(mixing), array_namespace(theta)
    rates = np.where(values > 0, values, np.inf)[:, None]
    images = np.hstack([mixing, couplings / rates])  # H v: a power step that costs no product
    latest = space.combine(images / np.linalg.norm(images, axis=1)[:, None])[None]
    path = xp.concat([latest, past]) if len(past) else latest
    return Sharpness(
        values[:k], vectors[:k], residuals[:k], converged, space.hvps, vectors[k:], path
    )


def _needed(values, couplings, k, tol, value_tol):
    """Where in the pending rows the next product should go; None if no more is needed."""
    if value_tol is not None:
        return _least_certain(values, couplings, k, value_tol)
    norms = np.linalg.norm(couplings, axis=1)
    wanted = norms > tol * np.abs(values)
    if wanted[:k].any():
        return couplings[np.argmax(wanted)]
    # The guard: an eigenvalue is off by the square of its residual, so this knows it to tol.
    unknown = wanted[k:].any() and norms[k] ** 2 > tol * values[k] ** 2
    return couplings[k] if unknown and values[k] + norms[k] > values[k - 1] else None


def _least_certain(values, couplings, k, tol):
    """Where the bound of a value comes from that is not within `tol`; None if all are.

    H is [[diag(values), C], [C^T, rest]] with these couplings C. If no eigenvalue of the rest is
    above an end, the guard's value and residual, none of H is above those of [[diag(values), C],
    [C^T, end]]: a value is off by residual² / gap, without a gap by its residual, and by as much as
    the guard could overtake.
    """
    size, pending = couplings.shape
    end = values[-1] + np.linalg.norm(couplings[-1])
    whole = np.diag(np.r_[values, np.full(pending, end)])
    whole[size:, :size] = couplings.T
    bounds, vectors = np.linalg.eigh(whole)  # of the lower triangle
    uncertain = bounds[::-1][:k] > values[:k] + tol * np.abs(values[:k])
    return vectors[size:, -1 - np.argmax(uncertain)] if uncertain.any() else None


def _start(start, theta, followed):
    """Up to four answers before, each of shape (followed, n), and the rows to start from."""
    if start is None:
        return [], []
    n, path = prod(theta.shape), getattr(start, "path", start)
    deep = getattr(path, "ndim", 2) == 3
    if deep and path.shape[1:] == (followed, n):
        path = like(theta, path)
        return path[:4], _predicted(path)
    rows = list(path[0] if deep else path)
    shapes = {np.shape(row) for row in rows}
    if shapes != {(n,)} or not all(np.isfinite(float(row.sum())) for row in rows):
        raise ValueError(
            f"start must be the answer at a nearby point, or its finite vectors of shape (j, {n})"
        )
    return [], rows


def _predicted(path):
    """The vectors of the next answer, by the formula that was best for the last one."""
    count, followed = path.shape[:2]
    rows = path.reshape((count * followed, -1))
    gram = to_numpy(rows @ rows.T).astype(float).reshape((count, followed, count, followed))
    # Vectors turn within their span, change places and signs: earlier ones are turned to the last.
    turns = []
    for j in range(count):
        left, _, right = np.linalg.svd(gram[0, :, j])
        turns.append(left @ right)
    overlaps = np.einsum("iap,ipjq,jaq->aij", turns, gram, turns)
    best = np.repeat(PREDICTIONS[:1], followed, axis=0)
    if count == 1 + len(best[0]):
        squares = np.einsum("pi,aij,pj->ap", PREDICTIONS, overlaps[:, 1:, 1:], PREDICTIONS)
        cosines = overlaps[:, 0, 1:] @ PREDICTIONS.T / np.sqrt(squares)
        best = PREDICTIONS[np.argmax(cosines, axis=1)]
    used = min(count, len(best[0]))
    mixing = np.concatenate([best[:, j, None] * turns[j] for j in range(used)], axis=1)
    return like(path, mixing) @ rows[: mixing.shape[1]]
