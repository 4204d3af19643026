"""Sharpness at little cost: by values along one direction, by the gradients of minibatches."""

from math import inf, nan, sqrt
from typing import NamedTuple

import numpy as np
from scipy.special import stdtrit

from mslbook._arrays import like
from mslbook._checks import check_real
from mslbook.probes._theta import as_preconditioner, check_theta, in_full_precision

MOST_VALUES = 60  # after which the loss is taken to rise at once, or never


class SharpnessEstimate(NamedTuple):
    """The answer of `critical_sharpness` and of `batch_sharpness`."""

    value: float  #: the sharpness
    low: float  #: the lower end of an interval for it
    high: float  #: the upper end
    count: int  #: the number of values of the loss, or of batches, that it took


@in_full_precision
def critical_sharpness(loss, theta, direction=None, start=None, rtol=0.1, preconditioner=None):
    """2 / η_c, where η_c is the smallest step along a direction from which the loss is higher.

    Where the loss is quadratic, the curvature along the direction (D. Kalra et al., 2026,
    arXiv:2601.16979), from about 6 values of the loss; 0 if it never rises, inf if it does at once,
    nan at a point without a gradient.

    Parameters
    ----------
    loss, theta, preconditioner
        As for :func:`sharpness`.
    direction : array, shape of theta, optional
        An update divided by its learning rate; by default -P^(-1) grad, P the preconditioner.
    start : float, optional
        Where the search for 2 / η_c begins, such as its value at a nearby point.
    rtol : float
        The relative distance of `low` and `high`, which enclose 2 / η_c.

    Examples
    --------
    >>> from mslbook import critical_sharpness, f1
    >>> critical_sharpness(f1, 1.0, start=0.5)
    SharpnessEstimate(value=0.677..., low=0.648..., high=0.707..., count=6)
    """
    xp, theta = check_theta(loss, theta)
    if direction is None:
        direction = -loss.grad(theta) / as_preconditioner(preconditioner, theta)
    if not bool(xp.any(like(theta, direction) != 0)):
        return SharpnessEstimate(nan, 0.0, inf, 0)
    check_real("rtol", rtol, above=0)
    step = 2 / check_real("start", 2.0 if start is None else float(start), above=0)
    base, below, above, count = float(loss.value(theta)), 0.0, inf, 1
    if not abs(base) < inf:
        raise FloatingPointError("the loss is not finite at theta")
    while above > (1 + rtol) * below and count < MOST_VALUES:
        higher = not float(loss.value(theta + step * direction)) <= base  # as nan is
        below, above = (below, step) if higher else (step, above)
        step = sqrt(below * above) if 0 < below < above < inf else (2 * step, step / 2)[higher]
        count += 1
    value = 0.0 if above == inf else 2 / step if below else inf
    return SharpnessEstimate(value, 2 / above, 2 / below if below else inf, count)


@in_full_precision
def batch_sharpness(losses, theta, preconditioner=None):
    """The mean over minibatches of gᵀHg / ‖g‖², the curvature along the gradient of each.

    Stochastic gradient descent without momentum brings it to 2 / lr (A. Andreyev and
    P. Beneventano, 2024, arXiv:2412.20553). The 95 % interval is Student's, nan for one batch.

    Parameters
    ----------
    losses : iterable of Loss
        Of batches drawn independently. One without a gradient at theta does not count.
    theta, preconditioner
        As for :func:`sharpness`.

    Examples
    --------
    >>> from mslbook import Quadratic, batch_sharpness
    >>> batch_sharpness([Quadratic(1.0), Quadratic(2.0)], theta=3.0)
    SharpnessEstimate(value=1.5, low=-4.853..., high=7.853..., count=2)
    """
    found = []
    for loss in losses:
        point = check_theta(loss, theta, "hvp")[1]
        grad = loss.grad(point)
        step = grad / as_preconditioner(preconditioner, point)
        if square := float((grad * step).sum()):
            found.append(float((step * loss.hvp(point, step)).sum()) / square)
    mean, count = np.mean(found or nan).item(), len(found)
    spread = np.std(found, ddof=1) / sqrt(count) if count > 1 else nan
    half = float(stdtrit(count - 1, 0.975) * spread)
    return SharpnessEstimate(mean, mean - half, mean + half, count)
