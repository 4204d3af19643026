"""The slow motion along a valley, once descent oscillates across it (section 4.4)."""

from dataclasses import dataclass

import numpy as np

from mslbook.checks import array_of, points_and_rates, whole
from mslbook.loss import as_point, value_and_grad
from mslbook.losses import Valley
from mslbook.theory.cycles import stable_lr, two_cycle

PLACE = "journal section 4.4 and eq. 4.8, preprint section 4.4 and eq. 8"
CONVERGED = 1e-6  # of a Newton step in log u; the error left is about its square
ROUNDING = 1e-15  # what rounding leaves of the logarithm of a number near 1


@dataclass(frozen=True, repr=False, eq=False)
class SlowMotion:
    """What :func:`quasistatic` returns: the places along the valley, and the swing at each."""

    points: np.ndarray  #: (steps + 1, ..., d): x, the place along the valley
    amplitudes: np.ndarray  #: (steps + 1, ...): ``|y|``, the half width of the two-cycle there
    values: np.ndarray  #: (steps + 1, ...): the loss at ``(x, |y|)``
    steps: np.ndarray  #: (steps + 1,): the number of updates that led to each row

    def __repr__(self):
        swings = (f"{np.max(self.amplitudes[row]):.4g}" for row in (0, -1))
        return f"<SlowMotion of {self.steps[-1]} steps: |y| {' -> '.join(swings)}>"


def quasistatic(valley: Valley, start, lr, steps: int) -> SlowMotion:
    """The motion along a valley f(h(x) y) whose y always sits on its two-cycle.

    ``steps`` updates x <- x - 2 y² ∇log h(x) (journal eq. 4.8, preprint eq. 8), where y > 0 solves
    lr h f'(h y) = 2 y at the present x (journal eq. 4.7, preprint eq. 7): it is the two-cycle of f
    at the learning rate lr h², divided by h. Where lr h² f''(0) <= 2 there is no cycle: y is 0 and
    the motion has stopped.

    Parameters
    ----------
    valley : Valley
        F(x, y) = f(h(x) y), for x of d coordinates.
    start : array
        The place x along the valley: shape (..., d); for d = 1 a number will do.
    lr : number or array
        The learning rate; an array, whose last axis has length 1, broadcasts against the start.
    steps : int
        The number of updates.

    The relative error of y is about 1e-12, or 1e-15 / (1 - 2 / (lr h² f''(0))) if that is more.

    Raises ValueError, before any work, if the loss is no Valley, if start, lr and the valley do not
    fit together, or if there is no cycle at the start: where lr h² f''(0) <= 2 (journal Lemma 4.1,
    preprint Lemma 1), or where f grows as fast as a parabola; and on the way if a step leads to
    where h is not positive and finite.

    >>> from mslbook.losses import valley
    >>> motion = quasistatic(valley, start=1.0, lr=3.0, steps=1000)
    >>> motion
    <SlowMotion of 1000 steps: |y| 1.08 -> 0.5127>
    >>> motion.points[[0, -1], 0].round(2)
    array([ 1.  , 11.05])
    """
    x, lr = _checked(valley, start, lr)
    steps = whole("steps", steps)
    with np.errstate(all="ignore"):  # what is not finite is found, and told or not kept
        h, h_grad = _steepness(valley, x, 0)
        across = lr * h * h  # the learning rate that f sees across the valley
        edge = _check_cycle(valley, h, across)
        log_u, gain = _follow(valley.f, across, np.log(_first_cycle(valley.f, across)))

        points = np.empty((steps + 1, *x.shape))
        amplitudes = np.empty((steps + 1, *h.shape))
        points[0], amplitudes[0] = x, np.exp(log_u) / h
        for step in range(1, steps + 1):
            x = x - (2 * amplitudes[step - 1] ** 2 / h)[..., None] * h_grad
            h, h_grad = _steepness(valley, x, step)
            before, now = across, lr * h * h
            across = np.where(now > edge, now, before)  # what has stopped keeps its last cycle
            log_u, gain = _follow(valley.f, across, log_u + gain * np.log(across / before))
            points[step], amplitudes[step] = x, np.where(now > edge, np.exp(log_u) / h, 0.0)
    ends = np.concatenate((points, amplitudes[..., None]), axis=-1)
    return SlowMotion(points, amplitudes, valley.value(ends), np.arange(steps + 1))


def _follow(f, lr, log_u):
    """The two-cycle u of f at ``lr`` from a guess near by: log u, and how it grows with log lr.

    Newton's method for log(lr f'(u) / 2u) = 0 in log u, where the equation is nearly straight.
    """
    for _ in range(20):
        u = np.exp(log_u)
        slope = f.grad(u)
        excess = np.log(lr * slope / (2 * u))
        gain = 1 / (1 - u * f.hvp(u, 1.0) / slope)
        change = np.where(abs(excess) < ROUNDING, 0.0, excess * gain)
        log_u = log_u + change
        if (abs(change) < CONVERGED).all():
            return log_u, np.where(abs(gain) < np.inf, gain, 0.0)
    return np.log(two_cycle(f, lr)), np.zeros(np.shape(lr))


def _steepness(valley, x, step):
    """The pair of h and its gradient at x, or one sentence if the valley ends there."""
    h, h_grad = value_and_grad(valley.h, x)
    if not ((h > 0) & (h < np.inf)).all():
        where = "at the start" if step == 0 else f"after {step} steps"
        raise ValueError(
            f"{where} h(x) is not a positive finite number, as the valley f(h(x) y) needs "
            f"({PLACE}): start elsewhere, or with a smaller learning rate"
        )
    return h, h_grad


def _check_cycle(valley, h, across):
    """The learning rate across the valley above which there is a cycle; all must exceed it."""
    edge = stable_lr(valley.f)
    if not np.all(across > edge):
        worst = np.argmin(across)
        needed, given = np.array([edge, across.flat[worst]]) / h.flat[worst] ** 2
        raise ValueError(
            "there is no cycle across the valley at the start, and so no motion: the learning rate "
            f"must be above 2 / (h(x)² f''(0)) = {needed:.6g} there "
            "(journal section 4.4, eq. 4.7 and Lemma 4.1; preprint section 4.4, eq. 7 and Lemma "
            f"1), which {given:.6g} is not"
        )
    return edge


def _first_cycle(f, across):
    """The two-cycle u at the start; if f has none, the user hears whose learning rate is meant."""
    try:
        return two_cycle(f, across)
    except ValueError as error:
        raise ValueError(f"across the valley, where f meets the rate lr h(x)²: {error}") from None


def _checked(valley, start, lr):
    """The start and the learning rates, brought to one shape; the rates lose their last axis."""
    if not isinstance(valley, Valley):
        raise ValueError(
            f"the slow motion is that along a Valley f(h(x) y) ({PLACE}); {valley!r} is none: "
            "write it as mslbook.losses.Valley(f, h)"
        )
    d = valley.h.dimension
    x = array_of("the start", start)
    x = np.asarray(x.detach() if hasattr(x, "detach") else x)
    if x.ndim == 0 and d == 1:
        x = x[None]
    if x.shape[-1:] != (d,):
        raise ValueError(
            f"the start is the place along the valley, x of {d} coordinate{'s' * (d > 1)} without "
            f"y ({PLACE}): its last axis must have that length, not the shape {x.shape}"
        )
    x = as_point(x, d)
    if x.size == 0 or not np.all(np.isfinite(x)):
        raise ValueError("the start must hold at least one point, finite, without inf or nan")
    x, lr = points_and_rates(x, lr, d)
    return x, np.broadcast_to(lr if np.ndim(lr) == 0 else lr[..., 0], x.shape[:-1])
