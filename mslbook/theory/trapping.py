"""Subquadratic losses of any dimension, and the ball that traps their descent."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy  # whose modules are imported on first use

from mslbook._arrays import as_lrs, to_numpy
from mslbook._checks import check_loss
from mslbook.loss import Loss

RADII = np.geomspace(1e-4, 1e6, 81)  # of the spheres that are sampled, eight to a decade
PER_DECADE = 8  # spheres
N_KEPT = 6  # how many of the best directions of a sphere are tried on the next one too, which
MIN_ANGLE_COS = np.cos(0.05)  # enclose at least 0.05 radians
ANGLES = 0.1 * 8.0 ** -np.arange(9)  # radians: the largest turns that improve a direction, in turn
COARSE_ANGLES = ANGLES[:6]  # for the first survey
N_IMPROVED = 3  # how many of the farthest landings are improved
ZERO_TOL = 1e-6  # of a cosine, or of a ratio of gradients


@dataclass(frozen=True, eq=False)
class Subquadratic:
    """What `subquadratic` samples, so that true extremes may lie further out; r is a distance."""

    c: float  #: the smallest cosine of the angle between the gradient and theta - minimum
    worst_point: Any  #: a point where it was found
    radii: np.ndarray  #: the distances r from the minimum that were sampled, one for each sphere
    cosines: np.ndarray  #: the smallest cosine on each sphere
    growth: np.ndarray  #: the largest ‖grad‖ / r on each sphere
    limits: np.ndarray  #: the learning rate below which all steps from a sphere come nearer
    critical: Any  #: a point, other than the minimum, where the gradient vanishes; None if none

    @property
    def gradient_growth_vanishes(self) -> bool:
        """Whether the growth decreases by 1 % over the last decade: evidence, and no proof."""
        last, before = self.growth[-PER_DECADE:], self.growth[-2 * PER_DECADE : -PER_DECADE]
        return bool(np.all(np.isfinite(self.growth)) and last.max() <= 0.99 * before.max())

    @property
    def satisfies_definition(self) -> bool:
        """Whether what was sampled meets both conditions of the definition."""
        return self.c > ZERO_TOL and self.gradient_growth_vanishes


@dataclass(frozen=True)
class TrappingBall:
    """The answer of `trapping_radius`, numbers or arrays as `lr` is."""

    lr: Any  #: the learning rate
    by_c: Any  #: the proof's r1, from c: beyond it ‖grad‖ < (2 c / lr) r
    r1: Any  #: the distance beyond which every step comes nearer to the minimum
    r2: Any  #: how far from the minimum a step from within r1 can land

    @property
    def radius(self):
        """The larger of r1 and r2: all trajectories enter every larger ball, and none leaves it."""
        return np.maximum(self.r1, self.r2)


def subquadratic(loss: Loss, minimum=None) -> Subquadratic:
    """Test by sampling whether a loss is subquadratic.

    Parameters
    ----------
    loss : Loss
        Of one or a few variables; the more there are, the more lies between the samples.
    minimum : array_like, shape () or (n,), optional
        By default 0.

    Notes
    -----
    Subquadratic means that grad·(theta - minimum) >= c ‖grad‖ ‖theta - minimum‖ with one c > 0, and
    that ‖grad‖ / ‖theta - minimum‖ tends to 0 at infinity (Ma et al. (2022), definition 4.1). Both
    are measured on spheres with radii from 1e-4 to 1e6.

    Examples
    --------
    >>> from mslbook import f2, subquadratic
    >>> subquadratic(f2).satisfies_definition
    True
    """
    return _survey(_Field(loss, minimum))[0]


def trapping_radius(loss: Loss, lr, minimum=None) -> TrappingBall:
    """The ball around the minimum that traps gradient descent on a subquadratic loss.

    Parameters
    ----------
    loss, minimum
        As for :func:`subquadratic`; the gradient vanishes nowhere else.
    lr : float or array_like

    Notes
    -----
    The ball of Ma et al. (2022), theorem 4.3: a step from theta comes nearer if and only if
    lr < 2 (theta - minimum)·grad / ‖grad‖². The radii are improved samples: for one variable exact
    to about 1e-9, for more they may be larger than what sampling found.

    Examples
    --------
    >>> from mslbook import f2, trapping_radius
    >>> ball = trapping_radius(f2, lr=2.0)  # r1 = (lr / 9)^(1/3), r2 = 2 lr - 1/3
    >>> print(round(ball.r1, 6), round(ball.r2, 6), round(ball.radius, 6))
    0.605707 3.666667 3.666667
    """
    lr = as_lrs(lr)
    field = _Field(loss, minimum)
    found, directions = _survey(field)
    if found.c <= ZERO_TOL:
        at, hint = np.round(found.worst_point, 4), "if that lies elsewhere, pass it as minimum="
        why = f"at {at} the gradient does not point away from the minimum; {hint}"
        raise ValueError(f"the loss is not subquadratic: {why}")
    if not found.gradient_growth_vanishes:
        raise ValueError("the loss is not subquadratic: ‖grad‖ / r does not tend to 0 at infinity")
    if found.critical is not None:
        at = np.round(found.critical, 4)
        raise ValueError(f"the gradient vanishes at {at} too, and not only at the minimum")

    def radii(lr):
        by_c = _outermost(field, 1, 1 / found.growth, directions, lr / (2 * found.c))
        r1 = _outermost(field, 2, found.limits, directions, lr)
        return by_c, r1, _farthest_landing(field, directions, r1, lr)

    fields = (lr, *np.transpose([radii(rate) for rate in lr.ravel()]).reshape(3, *lr.shape))
    return TrappingBall(*(array if lr.ndim else array.item() for array in fields))


class _Field:
    """The gradient as a function of theta - minimum, of shape (..., n) also for n = 1."""

    def __init__(self, loss, minimum):
        self.loss, self.n = check_loss(loss), loss.dimension or 1
        shape = () if loss.dimension is None else (self.n,)
        self.minimum = np.zeros(shape) if minimum is None else to_numpy(minimum).reshape(shape)
        size = np.linalg.norm(np.atleast_1d(loss.grad(self.minimum)))
        near = np.linalg.norm(self.grad(RADII[0] * _directions(self.n)), axis=-1).max()
        if not size <= ZERO_TOL * near:
            told = f"the gradient does not vanish at {np.round(self.minimum, 4)}"
            raise ValueError(f"{told}: pass where it does as minimum=")

    def point(self, x):
        """The theta that lies `x` from the minimum."""
        return self.minimum + (x[..., 0] if self.loss.dimension is None else x)

    def grad(self, x):
        with np.errstate(all="ignore"):  # what overflows is judged by the growth
            grad = self.loss.grad(self.point(x))
        return grad[..., None] if self.loss.dimension is None else grad

    def measures(self, x):
        """Of which the smallest are sought, shape (3, ...): cosine, ‖x‖ / ‖grad‖, largest rate."""
        grad = self.grad(x)
        with np.errstate(all="ignore"):
            r, size = np.linalg.norm(x, axis=-1), np.linalg.norm(grad, axis=-1)
            cosine = np.sum(x / r[..., None] * (grad / size[..., None]), axis=-1)
            cosine = np.where(np.isnan(cosine), 1.0, cosine)  # no gradient, no direction
            steps = np.where(np.isfinite(size), r / size, 0.0)
            return np.stack((cosine, steps, np.where(size > 0, 2 * cosine * steps, np.inf)))


def _directions(n):
    """Unit vectors spread over the sphere, shape (count, n), always the same."""
    if n == 1:
        return np.array([[1.0], [-1.0]])
    if n == 2:
        angles = 2 * np.pi * np.arange(256) / 256
        return np.stack((np.cos(angles), np.sin(angles)), axis=-1)
    uniform = scipy.stats.qmc.Sobol(n, scramble=False).random_base2(10) + 0.5 / 1024
    normal = scipy.stats.norm.ppf(uniform)
    return normal / np.linalg.norm(normal, axis=-1, keepdims=True)


def _smallest(field, radius, candidates, angles):
    """The smallest measures (3,) on one sphere, the directions followed, and the best (3, n)."""
    u, rows = candidates[_best_apart(field.measures(radius * candidates), candidates)], np.arange(3)
    axes = np.arange(-8, 9)[:, None, None] / 8 * np.eye(field.n)  # seventeen steps along each
    for angle in angles if field.n > 1 else ():  # turn each to where its own measure is smaller
        trial = u[:, :, None] + angle * axes.reshape(-1, field.n)
        trial /= np.linalg.norm(trial, axis=-1, keepdims=True)
        turned = np.argmin(field.measures(radius * trial)[rows, rows], axis=-1)
        u = np.take_along_axis(trial, turned[..., None, None], axis=2)[:, :, 0]
    values = field.measures(radius * u)[rows, rows]
    best = np.argmin(values, axis=-1)
    return values[rows, best], u, u[rows, best]


def _best_apart(measures, candidates):
    """The indices (3, kept) of the best candidates that enclose an angle of 0.05 radians."""
    best = []
    for _ in range(min(N_KEPT, len(candidates))):
        best.append(np.argmin(measures, axis=-1))
        near = candidates[best[-1]] @ candidates.T > MIN_ANGLE_COS  # (3, candidates)
        measures = np.where(near, np.inf, measures)
    return np.stack(best, axis=-1)


def _survey(field):
    """What was found on all spheres, and the directions kept on each, (spheres, 3, kept, n)."""
    spread = candidates = _directions(field.n)
    spheres = []
    for radius in RADII:
        spheres.append(_smallest(field, radius, candidates, COARSE_ANGLES))
        if field.n > 1:  # a steep strip of constant width looks ever thinner: follow it outwards
            candidates = np.concatenate((spread, spheres[-1][1].reshape(-1, field.n)))
    values, kept, best = (np.array(one) for one in zip(*spheres, strict=True))
    cosines, steps, limits = values.T
    worst = int(np.argmin(cosines))
    run = _minimize(lambda x: field.measures(x)[0], RADII[worst] * best[worst, 0])
    with np.errstate(divide="ignore"):
        growth = 1 / steps
    measured = RADII, cosines, growth, limits, _other_critical_point(field, spread)
    return Subquadratic(float(run.fun), field.point(run.x), *measured), kept


def _minimize(function, start, **options):
    return scipy.optimize.minimize(function, start, method="Nelder-Mead", options=options)


def _other_critical_point(field, directions):
    """A point where the gradient vanishes, sought where it is smallest along a ray; or None."""

    def size(x):
        return np.linalg.norm(field.grad(x), axis=-1)

    sizes = size(RADII[:, None, None] * directions)  # (spheres, directions)
    for k, d in np.argwhere(sizes == 0)[:1]:
        return field.point(RADII[k] * directions[d])
    around = np.minimum(sizes[:-2], sizes[2:])
    with np.errstate(all="ignore"):
        dips = np.where(around > 0, sizes[1:-1] / around, np.inf)
    for flat in np.argsort(dips.round(6), axis=None, kind="stable")[:4]:
        k, d = np.unravel_index(flat, dips.shape)
        if not dips[k, d] < 1:
            break
        found = _minimize(size, RADII[k + 1] * directions[d])
        inside = RADII[k] < np.linalg.norm(found.x) < RADII[k + 2]
        if inside and found.fun < ZERO_TOL * around[k, d]:
            return field.point(found.x)
    return None


def _outermost(field, row, values, directions, level):
    """The largest radius at which a measure, `values` on the spheres, is not above `level`."""
    below = np.flatnonzero(values <= level)
    if len(below) == 0:
        return 0.0
    k = below[-1]
    if k == len(RADII) - 1:
        raise ValueError(f"the ball is larger than what is sampled, r = {RADII[-1]:.0e}")
    candidates = directions[k : k + 2, row].reshape(-1, field.n)

    def excess(log_r):
        return np.log(_smallest(field, np.exp(log_r), candidates, ANGLES)[0][row] / level)

    ends = np.log(RADII[k : k + 2])
    if excess(ends[0]) >= 0:
        return float(RADII[k])
    return float(np.exp(scipy.optimize.brentq(excess, *ends, xtol=1e-10)))


def _farthest_landing(field, directions, r1, lr):
    """The largest ‖x - lr grad‖ over ‖x‖ <= r1: the samples at its local maxima in r, improved."""
    if r1 == 0:
        return 0.0

    def lost(x):  # the landing with its sign changed; within the ball, whatever x
        x = x * np.minimum(1, r1 / np.linalg.norm(x, axis=-1, keepdims=True))
        return -np.linalg.norm(x - lr * field.grad(x), axis=-1)

    radii = np.union1d(RADII[r1 > RADII], r1 * np.arange(17, 33) / 32)
    followed = directions[np.searchsorted(RADII, radii)].reshape(len(radii), -1, field.n)
    spread = np.tile(_directions(field.n), (len(radii), 1, 1))
    u = np.concatenate((spread, followed), axis=1)
    depths = lost(radii[:, None, None] * u)
    around = np.pad(depths.min(axis=1), 1, constant_values=np.inf)
    hills = np.flatnonzero((around[1:-1] <= around[:-2]) & (around[1:-1] <= around[2:]))
    farthest = [depths.min()]
    for k in hills[np.argsort(around[1:-1][hills])[:N_IMPROVED]]:
        # Along its ray first, since the simplex method does not leave the rim inwards.
        ray, ends = u[k, depths[k].argmin()], radii[[max(k - 1, 0), min(k + 1, len(radii) - 1)]]
        top = scipy.optimize.minimize_scalar(lambda r, ray=ray: lost(r * ray), bounds=ends).x
        farthest.append(_minimize(lost, top * ray, xatol=1e-10, fatol=1e-12 * r1).fun)
    return float(-min(farthest))
