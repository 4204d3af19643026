"""The largest eigenvalues of the Hessian, from Hessian-vector products alone."""

from dataclasses import dataclass
from math import inf, prod
from typing import Any

import numpy as np

from mslbook._checks import check_int, check_real
from mslbook.probes._history import History, remember
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
    converged: bool  #: whether the certificate asked for was had within `max_hvps`
    hvps: int  #: the number of Hessian-vector products made
    guard: Any  #: the Ritz vector of eigenvalue k + 1, shape (1, n), or none if it had no product
    history: History  #: what the next answer starts from

    def __repr__(self):
        values = ", ".join(f"{value:.5g}" for value in self.values)
        end = f"{self.hvps} products, {'converged' if self.converged else 'NOT converged'}"
        return f"Sharpness([{values}], residual {self.residuals.max():.1e}, {end})"


@in_full_precision
def sharpness(
    loss,
    theta,
    k=1,
    tol=1e-3,
    start=None,
    seed=0,
    max_hvps=None,
    preconditioner=None,
    value_tol=None,
    hessian=None,
) -> Sharpness:
    """The k algebraically largest eigenvalues of the Hessian of a loss.

    Parameters
    ----------
    loss : Loss
    theta : array_like, shape () or (n,)
    k : int
    tol : float
        The relative residual ``||Hv - λv|| / |λ|`` at which a pair counts as found.
    start : Sharpness, History or array, shape (j, n), optional
        The whole answer at a nearby point, best the one before on a path; or vectors, of which the
        first k + 1 are used.
    seed : int
    max_hvps : int, optional
        Products after which it gives up; by default ``50 + 20 * k``.
    preconditioner : array, shape of theta, optional
        A positive diagonal P, such as ``optimizer.precondition(state)``, for the eigenvalues of
        P^(-1/2) H P^(-1/2), to be compared with ``optimizer.edge()``.
    value_tol : float, optional
        The relative error of the values at which to stop, in place of `tol`: by residual and gap it
        is known from far fewer products than a residual as small.
    hessian : callable, optional
        The function ``v -> H v`` at theta, where :func:`~mslbook.loss.value_grad_and_hessian` has
        made it.

    Notes
    -----
    Block Lanczos with full reorthogonalisation, restarted so as to hold at most the larger of
    20 + 2 k and 5 k + 5 vectors of n numbers; a product that is not finite raises
    FloatingPointError. One pair beyond the k, the guard, is followed until the bound of its
    eigenvalue, by residual and gap, is below the k-th. Along a path it has a product only when this
    bound could be higher by now: no faster than the k-th eigenvalue and itself changed of late. A
    residual does not say that no eigenvalue was missed: no method that samples products can.

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
    slack = tol if value_tol is None else check_real("value_tol", value_tol, above=0, below=1)
    limit = check_int("max_hvps", 50 + 20 * k if max_hvps is None else max_hvps, least=k + 1)
    followed, random = min(k + 1, n), np.random.default_rng(seed)
    rows, guards, history = _starts(start, k, theta)
    waiting = list(guards)
    apart = bool(waiting)  # whether the guard is outside of the space
    operator = hessian_operator(loss, theta, preconditioner, hessian)
    space = KrylovSpace(operator, theta.reshape((-1,)), min(n + 2, max(13 + k, 4 * k)))
    for row in rows[: followed - apart]:
        space.add(row, MIN_OUTSIDE)
    # Random vectors complete the start: all of them if it is cold, the guard if it is warm.
    full = len(space) == followed - apart
    further = 0 if full else BARE_STEPS if len(space) else COLD_STEPS
    while len(space) < followed - apart:
        space.add(random.standard_normal(n), MIN_OUTSIDE)  # by NumPy, so the same everywhere
    while True:
        spectrum, mixing = space.ritz()
        values, mixing = spectrum[: followed - apart], mixing[: followed - apart]
        couplings = mixing @ space.couplings  # the residuals H v - λ v, in the pending rows
        norms = np.linalg.norm(couplings, axis=1)
        unit = space.eps * np.abs(spectrum).max()
        rounding = ROUNDING_EPS * unit  # a residual so small cannot become smaller
        clear = couplings * (norms > rounding)[:, None]
        bound = history.bound(values[k - 1]) if apart else _guard_bound(values, norms, k, slack)
        todo = _unsettled(values, clear, bound, k, tol, value_tol)
        if todo is None and further and len(space) < n:
            todo, further = k, further - 1
        if todo is None or space.hvps >= limit or len(space) == n:
            break
        if space.full:
            space.restart(followed)
        if waiting:
            if not space.add(waiting.pop(0), MIN_OUTSIDE) and apart:
                space.add(random.standard_normal(n))
            apart = False
        elif norms[todo] > rounding:
            space.extend(couplings[todo])
        else:
            space.add(random.standard_normal(n))
    vectors, sizes = space.combine(mixing), np.abs(values)
    with np.errstate(divide="ignore"):
        residuals = np.divide(norms, sizes, out=np.zeros(len(norms)), where=norms > 0)
    certain = not _open_pairs(values[:k], couplings[:k], bound, tol, value_tol).any()
    ends = [0, k][: 1 + (len(values) > k)]
    rates = np.where(values[ends] > 0, values[ends], inf)  # an image where that is an improvement
    images = space.combine(mixing[ends], couplings[ends] / rates[:, None])
    hvps = space.hvps
    del space  # whose memory the history may have
    return Sharpness(
        values[:k],
        vectors[:k],
        residuals[:k],
        todo is None and (certain or bool((sizes[:k] <= unit).all())),
        hvps,
        vectors[k:],
        remember(history, images, vectors[1:k], float(values[k - 1]), bound),
    )


def _guard_bound(values, norms, k, slack):
    """An upper bound of eigenvalue k + 1, which is off by the square of a small residual."""
    if len(values) == k:
        return -inf
    value, norm = values[k], norms[k]
    return value + (norm if norm**2 > slack * value**2 else norm**2 / (abs(value) or 1))


def _unsettled(values, couplings, bound, k, tol, value_tol):
    """The first Ritz pair that needs more products, the guard last; None if none does."""
    unsettled = _open_pairs(values[:k], couplings[:k], bound, tol, value_tol)
    high = bound > values[k - 1] + (value_tol or tol) * abs(values[k - 1])
    if unsettled.any():
        return int(np.argmax(unsettled))
    return k if high else None


def _open_pairs(values, couplings, bound, tol, value_tol):
    """Which pairs are not known to the tolerance, of the values the worst.

    For that of the values: H is [[diag(values), C], [C^T, rest]] with these couplings C, and if no
    eigenvalue of the rest is above the bound, none of H is above those of [[diag(values), C], [C^T,
    bound]].
    """
    if value_tol is None or bound == -inf:
        return np.linalg.norm(couplings, axis=1) > (value_tol or tol) * np.abs(values)
    k, pending = couplings.shape
    rest = bound if bound <= values[-1] + value_tol * abs(values[-1]) else values[-1]
    whole = np.diag(np.r_[values, np.full(pending, rest)])
    whole[:k, k:], whole[k:, :k] = couplings, couplings.T
    above = np.linalg.eigvalsh(whole)[::-1][:k]
    norms = np.linalg.norm(couplings, axis=1)
    return (above > values + value_tol * np.abs(values)).any() & (norms == norms.max())


def _starts(start, k, theta):
    """The vectors to start from, and the history that they are of, if there is one."""
    history = getattr(start, "history", start)
    if isinstance(history, History):
        if history.fits(k, theta):
            return *history.starts(), history
        if start is history:
            start = [*history.tops[:1], *history.others, *history.guards[:1]]
        else:
            start = [*start.vectors, *start.guard]
    if start is None:
        return [], (), None
    shapes, n = {np.shape(row) for row in start}, prod(theta.shape)
    if shapes != {(n,)} or not all(np.isfinite(float(row.sum())) for row in start):
        raise ValueError(
            f"start must be the answer at a nearby point, or its finite vectors of shape (j, {n})"
        )
    return list(start), (), None
