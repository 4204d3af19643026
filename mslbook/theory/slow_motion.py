"""The slow motion along a valley, once descent oscillates across it."""

from typing import NamedTuple

import numpy as np

from mslbook._arrays import as_theta, broadcast_lr, to_numpy
from mslbook._checks import check_int
from mslbook.loss import value_and_grad
from mslbook.losses import Valley
from mslbook.theory.cycles import stable_lr, two_cycle

NEWTON_TOL = 1e-6  # of a step in log u; the error left is about its square
LOG_EPS = 1e-15  # what rounding leaves of the logarithm of a number near 1


class SlowMotion(NamedTuple):
    """The answer of `quasistatic`: NumPy arrays with a row for the start and for each step."""

    points: np.ndarray  #: x, the coordinates along the valley, shape (steps + 1, ..., d)
    amplitudes: np.ndarray  #: ``|y|``, of the two-cycle at x


def quasistatic(valley: Valley, start, lr, steps: int) -> SlowMotion:
    """The motion along a valley f(h(x) y) whose y always is on its two-cycle.

    Parameters
    ----------
    valley : Valley
    start : array_like, shape (..., d)
        Points x along the valley; for d = 1 a number will do.
    lr : float or array_like, shape (..., 1)
    steps : int
        The number of updates x <- x - 2 y² ∇log h(x).

    Notes
    -----
    y > 0 solves lr h f'(h y) = 2 y (Ma et al. (2022), eqs. 4.7 and 4.8), to a relative error of
    about 1e-12. Where lr h² f''(0) <= 2 there is no such y: it is 0, and the motion has stopped.

    Examples
    --------
    >>> from mslbook import quasistatic, valley
    >>> quasistatic(valley, start=1.0, lr=3.0, steps=1000).amplitudes[[0, -1]].round(4)
    array([1.0801, 0.5127])
    """
    if not isinstance(valley, Valley):
        raise ValueError(f"{valley!r} is no valley f(h(x) y): write it as mslbook.losses.Valley")
    d, steps = valley.h.dimension, check_int("steps", steps)
    x, lr = broadcast_lr(as_theta(np.atleast_1d(to_numpy(start)), d), lr, d)
    lr = np.broadcast_to(lr if np.ndim(lr) == 0 else lr[..., 0], x.shape[:-1])
    with np.errstate(all="ignore"):  # what is not finite is refused, or not kept
        h, h_grad = _steepness(valley, x, 0)
        across, edge = lr * h * h, stable_lr(valley.f)  # the learning rate that f sees
        if not np.all(across > edge):
            worst = np.argmin(across)
            needed, given = np.array([edge, across.flat[worst]]) / h.flat[worst] ** 2
            raise ValueError(
                "there is no cycle across the valley at the start, and so no motion: the learning "
                f"rate must be above 2 / (h(x)² f''(0)) = {needed:.6g}, but is {given:.6g}"
            )
        log_u, gain = _follow(valley.f, across, np.log(two_cycle(valley.f, across)))

        points, amplitudes = (np.empty((steps + 1, *one.shape)) for one in (x, h))
        points[0], amplitudes[0] = x, np.exp(log_u) / h
        for step in range(1, steps + 1):
            x = x - (2 * amplitudes[step - 1] ** 2 / h)[..., None] * h_grad
            h, h_grad = _steepness(valley, x, step)
            before, now = across, lr * h * h
            across = np.where(now > edge, now, before)  # what has stopped keeps its last cycle
            log_u, gain = _follow(valley.f, across, log_u + gain * np.log(across / before))
            points[step], amplitudes[step] = x, np.where(now > edge, np.exp(log_u) / h, 0.0)
    return SlowMotion(points, amplitudes)


def _follow(f, lr, log_u):
    """The two-cycle u of f at `lr` from a guess close to it: log u, and d log u / d log lr."""
    for _ in range(20):  # Newton's method for log(lr f'(u) / 2u) = 0, nearly straight in log u
        u = np.exp(log_u)
        slope = f.grad(u)
        excess = np.log(lr * slope / (2 * u))
        gain = 1 / (1 - u * f.hvp(u, 1.0) / slope)
        change = np.where(abs(excess) < LOG_EPS, 0.0, excess * gain)
        log_u = log_u + change
        if (abs(change) < NEWTON_TOL).all():
            return log_u, np.where(abs(gain) < np.inf, gain, 0.0)
    return np.log(two_cycle(f, lr)), np.zeros(np.shape(lr))


def _steepness(valley, x, step):
    h, h_grad = value_and_grad(valley.h, x)
    if not ((h > 0) & (h < np.inf)).all():
        told = f"after {step} steps h(x) is not a positive finite number"
        raise ValueError(f"{told}: start elsewhere, or lower lr")
    return h, h_grad
