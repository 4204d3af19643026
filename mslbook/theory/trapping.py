"""Subquadratic losses of any dimension, and the ball that catches their descent (section 4.3)."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from mslbook.checks import a_loss, learning_rates, numpy_rates
from mslbook.loss import Loss, as_point

RADII = np.geomspace(1e-4, 1e6, 81)  # the spheres that are sampled, eight to a decade
DECADE = 8  # spheres
KEPT = 6  # how many of the best directions of a sphere are tried on the next one too
APART = np.cos(0.05)  # two of them enclose at least 0.05 radians, so that they differ
ANGLES = 0.1 * 8.0 ** -np.arange(9)  # radians: a direction is improved by turns up to the first of
COARSE = ANGLES[:6]  # these angles, then up to the second ...; fewer do for the first survey
HILLS = 3  # how many of the farthest landings are improved
NOTHING = 1e-6  # a cosine, or a ratio of gradients, that counts as 0
PLACE = "journal definition 4.1, preprint definition 1"


@dataclass(frozen=True, eq=False, repr=False)
class Subquadratic:
    """What :func:`subquadratic` found; r is the distance ‖x - x*‖ from the minimum.

    All of it is sampled: a true minimum over space is at most the one found here.
    """

    c: float  #: the smallest cosine between the gradient and x - x* that was found
    where: Any  #: a point where it was found, of the shape of the minimum
    radii: np.ndarray  #: (spheres,): the distances r at which the loss was sampled
    cosines: np.ndarray  #: (spheres,): the smallest cosine on each sphere
    growth: np.ndarray  #: (spheres,): the largest ‖grad‖ / r on each sphere
    limits: np.ndarray  #: (spheres,): the learning rate below which all steps from it come nearer
    critical: Any  #: a point, other than the minimum, where the gradient vanishes; None if none

    @property
    def falls(self) -> bool:
        """Whether the growth is finite and falls by 1 % from the last decade but one to the last.

        Evidence that it tends to 0, and no proof: a growth like 1 + 1 / ln r falls so too.
        """
        last, before = self.growth[-DECADE:], self.growth[-2 * DECADE : -DECADE]
        return bool(np.all(np.isfinite(self.growth)) and last.max() <= 0.99 * before.max())

    @property
    def holds(self) -> bool:
        """Whether what was sampled meets both conditions of the definition."""
        return self.c > NOTHING and self.falls

    def __repr__(self):
        growth = "falls" if self.falls else "does not fall"
        other = "" if self.critical is None else f", gradient 0 also at {_written(self.critical)}"
        return f"<c at most {self.c:.4g}, growth {growth}{other}>"


@dataclass(frozen=True)
class Trap:
    """The radii of the proof of theorem 4.3, as :func:`trapping_radius` found them."""

    lr: Any  #: the learning rate
    by_c: Any  #: the proof's r1: beyond it ‖grad‖ < (2 c / lr) ‖x - x*‖, so steps come nearer;
    #: at least this, since the sampled c, from which it is computed, is at least the true one
    r1: Any  #: the smallest r1: beyond it every step comes nearer to the minimum
    r2: Any  #: how far from the minimum one step from within r1 can land

    @property
    def radius(self):
        """The larger of r1 and r2: no step leaves this ball, and all descent ends up in it.

        If r2 > r1 every trajectory enters it; if not, it enters every ball that is larger.
        """
        return np.maximum(self.r1, self.r2)


def subquadratic(loss: Loss, minimum=None) -> Subquadratic:
    """Put a loss to the test of journal definition 4.1 (preprint definition 1), by sampling.

    The definition asks for a c > 0 with grad·(x - x*) >= c ‖grad‖ ‖x - x*‖ everywhere, and that
    ‖grad‖ / ‖x - x*‖ tend to 0 far out. Both are measured on spheres around the minimum x* (zero
    unless given), with radii from 1e-4 to 1e6: in both directions for a function of one variable,
    in 256 or more for others, the worst of them improved and followed from sphere to sphere. No
    chance is involved. What is found is exact at the points sampled and proves nothing between
    them: ``c`` is an upper bound of the best constant, ``falls`` and ``critical`` are evidence. It
    is made for a handful of variables: the more there are, the more lies between the samples.

    Raises ValueError if the minimum has the wrong length or the gradient does not vanish there.

    >>> from mslbook.losses import Quadratic, f2
    >>> subquadratic(f2)
    <c at most 1, growth falls>
    >>> subquadratic(Quadratic())
    <c at most 1, growth does not fall>
    """
    return _survey(_Field(loss, minimum))[0]


def trapping_radius(loss: Loss, lr, minimum=None) -> Trap:
    """The ball around the minimum that catches gradient descent at learning rate ``lr``.

    Journal theorem 4.3, preprint theorem 3. From x a step comes nearer to x* if and only if
    lr < 2 (x - x*)·grad / ‖grad‖² (journal eq. 4.5, preprint eq. 5). Beyond ``r1`` this is so
    everywhere; from within, a step lands no farther out than ``r2``. ``lr`` is a number or an
    array; the radii have its shape. They are 0 where every step from everywhere comes nearer.

    The spheres are those of :func:`subquadratic`; between two of them r1 is found by bisection,
    and r2 from the best sample by the simplex method. For a function of one variable both are
    accurate to about 1e-9, unless something happens between two spheres; for others they are
    what sampling found, and a larger value cannot be excluded.

    Raises ValueError if ``lr`` is not positive and finite, if the minimum has the wrong length or
    the gradient does not vanish there, and if the loss lacks a condition of the theorem.

    >>> from mslbook.losses import f2
    >>> trap = trapping_radius(f2, lr=2.0)  # r1 = (lr / 9)^(1/3), r2 = 2 lr - 1/3
    >>> print(round(trap.r1, 6), round(trap.r2, 6), round(trap.radius, 6))
    0.605707 3.666667 3.666667
    """
    lr = learning_rates(numpy_rates(lr))
    field = _Field(loss, minimum)
    found, directions = _survey(field)
    _require_conditions(found)
    radii = np.array([_radii_of_trap(field, found, directions, rate) for rate in lr.ravel()])
    fields = (lr, *radii.T.reshape(3, *lr.shape))
    return Trap(*(array if lr.ndim else array.item() for array in fields))


def _written(point):
    """A point in words, to four digits."""
    return np.array2string(np.asarray(point), precision=4)


def _require_conditions(found):
    """ValueError, with one sentence, if the loss lacks a condition of the theorem."""
    if found.c <= NOTHING:
        raise ValueError(
            f"the loss is not subquadratic ({PLACE}): at x = {_written(found.where)} the gradient "
            f"does not point away from the minimum (cosine {found.c:.2g}), as it must everywhere "
            "with one c > 0; if the minimum lies elsewhere, pass it as minimum="
        )
    if not found.falls:
        raise ValueError(
            f"the loss is not subquadratic ({PLACE}): ‖grad‖ / ‖x - x*‖ must fall to 0 far from "
            f"the minimum, but is still {found.growth[-1]:.2g} at distance {found.radii[-1]:.0e}; "
            "a quadratic, or what grows faster, has no ball that catches every trajectory"
        )
    if found.critical is not None:
        raise ValueError(
            f"the gradient vanishes at x = {_written(found.critical)} too, so descent can rest "
            "there; the definition permits it, but journal theorem 4.3 (preprint theorem 3) needs "
            "a gradient that vanishes only at the minimum"
        )


class _Field:
    """The gradient as a function of x - x*, an array of shape (..., n) also for n = 1."""

    def __init__(self, loss, minimum):
        self.loss, self.n = a_loss(loss), loss.dimension or 1
        zero = 0.0 if loss.dimension is None else np.zeros(self.n)
        self.minimum = as_point(zero if minimum is None else minimum, loss.dimension)
        if self.minimum.ndim != np.ndim(zero) or not np.all(np.isfinite(self.minimum)):
            raise ValueError(f"the minimum must be one point without inf or nan, not {minimum!r}")
        size = np.linalg.norm(np.atleast_1d(loss.grad(self.minimum)))
        near = np.linalg.norm(self.grad(RADII[0] * _directions(self.n)), axis=-1).max()
        if not size <= NOTHING * near:
            raise ValueError(
                f"the gradient does not vanish at {_written(self.minimum)}, its norm there is "
                f"{size:.2g}: pass the point where the loss is smallest as minimum="
            )

    def point(self, x):
        """The point of the loss that lies ``x`` from the minimum."""
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
    from scipy.stats import norm, qmc  # slow to import

    normal = norm.ppf(qmc.Sobol(n, scramble=False).random_base2(10) + 0.5 / 1024)
    return normal / np.linalg.norm(normal, axis=-1, keepdims=True)


def _turned(field, radius, u, angles):
    """Directions ``u`` (3, kept, n), each turned to where its measure on the sphere is smaller."""
    axes = np.arange(-8, 9)[:, None, None] / 8 * np.eye(field.n)  # seventeen steps along each
    rows = np.arange(3)
    for angle in angles if field.n > 1 else ():
        trial = u[:, :, None] + angle * axes.reshape(-1, field.n)
        trial /= np.linalg.norm(trial, axis=-1, keepdims=True)
        best = np.argmin(field.measures(radius * trial)[rows, rows], axis=-1)
        u = np.take_along_axis(trial, best[..., None, None], axis=2)[:, :, 0]
    return u


def _smallest(field, radius, candidates, angles):
    """The smallest measures (3,) on one sphere, the directions followed, and the best (3, n)."""
    u = candidates[_best_apart(field.measures(radius * candidates), candidates)]
    u = _turned(field, radius, u, angles)
    rows = np.arange(3)
    values = field.measures(radius * u)[rows, rows]
    best = np.argmin(values, axis=-1)
    return values[rows, best], u, u[rows, best]


def _best_apart(measures, candidates):
    """The indices (3, kept) of the best candidates that are APART."""
    chosen, measures = [], measures.copy()
    for _ in range(min(KEPT, len(candidates))):
        chosen.append(np.argmin(measures, axis=-1))
        near = candidates[chosen[-1]] @ candidates.T > APART  # (3, candidates)
        measures[near] = np.inf
    return np.stack(chosen, axis=-1)


def _survey(field):
    """What was found on all spheres, and the directions kept on each, (spheres, 3, kept, n)."""
    from scipy.optimize import minimize

    spread = candidates = _directions(field.n)
    rows, kept, best = [], [], []
    for radius in RADII:
        values, u, worst = _smallest(field, radius, candidates, COARSE)
        rows.append(values)
        kept.append(u)
        best.append(worst[0])
        if field.n > 1:  # a steep strip of constant width looks ever thinner: follow it outwards
            candidates = np.concatenate((spread, u.reshape(-1, field.n)))
    cosines, steps, limits = np.array(rows).T
    worst = int(np.argmin(cosines))
    run = minimize(lambda x: field.measures(x)[0], RADII[worst] * best[worst], method="Nelder-Mead")
    with np.errstate(divide="ignore"):
        growth = 1 / steps
    critical = _other_critical_point(field, spread)
    found = Subquadratic(
        float(run.fun), field.point(run.x), RADII, cosines, growth, limits, critical
    )
    return found, np.array(kept)


def _other_critical_point(field, directions):
    """A point where the gradient vanishes, sought where it is smallest along a ray; or None."""
    from scipy.optimize import minimize

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
        found = minimize(size, RADII[k + 1] * directions[d], method="Nelder-Mead")
        inside = RADII[k] < np.linalg.norm(found.x) < RADII[k + 2]
        if inside and found.fun < NOTHING * around[k, d]:
            return field.point(found.x)
    return None


def _radii_of_trap(field, found, directions, lr):
    """The proof's r1, the smallest r1, and r2, for one learning rate."""
    by_c = _outermost(field, 1, 1 / found.growth, directions, lr / (2 * found.c))
    r1 = _outermost(field, 2, found.limits, directions, lr)
    return by_c, r1, _farthest_landing(field, directions, r1, lr)


def _outermost(field, row, values, directions, level):
    """The largest radius at which a measure, ``values`` on the spheres, is not above ``level``."""
    from scipy.optimize import brentq

    below = np.flatnonzero(values <= level)
    if len(below) == 0:
        return 0.0
    k = below[-1]
    if k == len(RADII) - 1:
        raise ValueError(
            f"even at distance {RADII[-1]:.0e} a step may lead away from the minimum: the ball is "
            f"larger than what is sampled, or the loss is not subquadratic ({PLACE})"
        )
    candidates = directions[k : k + 2, row].reshape(-1, field.n)

    def excess(log_r):
        return np.log(_smallest(field, np.exp(log_r), candidates, ANGLES)[0][row] / level)

    ends = np.log(RADII[k : k + 2])
    if excess(ends[0]) >= 0:
        return float(RADII[k])
    return float(np.exp(brentq(excess, *ends, xtol=1e-10)))


def _farthest_landing(field, directions, r1, lr):
    """The largest ‖x - lr grad‖ over ‖x‖ <= r1: the best samples, improved.

    They are the best on spheres where the neighbouring spheres have no better ones. Each is
    improved along its ray first, since the simplex method does not leave the rim inwards.
    """
    from scipy.optimize import minimize, minimize_scalar

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
    for k in hills[np.argsort(around[1:-1][hills])[:HILLS]]:
        ray, ends = u[k, depths[k].argmin()], radii[[max(k - 1, 0), min(k + 1, len(radii) - 1)]]
        top = minimize_scalar(lambda r, ray=ray: lost(r * ray), bounds=ends, method="bounded").x
        options = {"xatol": 1e-10, "fatol": 1e-12 * r1}
        farthest.append(minimize(lost, top * ray, method="Nelder-Mead", options=options).fun)
    return float(-min(farthest))
