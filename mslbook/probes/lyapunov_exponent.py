"""The Lyapunov exponent of gradient descent: how fast neighbouring trajectories part."""

from itertools import islice

import numpy as np

from mslbook._arrays import array_namespace, broadcast_lr
from mslbook._checks import check_int, check_loss, require_constant
from mslbook.descent import iterate


def lyapunov(loss, start, lr, steps, discard=0, seed=0):
    """The largest Lyapunov exponent of gradient descent, per step, one for each trajectory.

    It is -inf where a displacement becomes exactly 0, nan for a trajectory that diverged.

    Parameters
    ----------
    loss : Loss
    start : array_like, shape (...,) or (..., n)
    lr : float or array_like
    steps, discard : int
        How many steps the mean is taken over, and how many are made before.
    seed : int

    Notes
    -----
    A small displacement v of the iterate x goes, in one step, to v - lr H(x) v. The exponent is the
    mean of log(length after / length before): positive in chaos, negative on a cycle that attracts
    (Ma et al. (2022), figure 4.1).

    Examples
    --------
    >>> from mslbook import Quadratic, lyapunov
    >>> lyapunov(Quadratic(), start=3.0, lr=[0.5, 1.0], steps=10)
    array([-0.69314718,        -inf])
    """
    check_int("steps", steps, least=1)
    check_int("discard", discard)
    check_loss(loss, "hvp")
    require_constant(lr)
    total = 0.0
    for state in islice(iterate(loss, start, lr), discard + steps):
        if state.step == 0:
            xp, rate, v = _begin(state.theta, lr, loss.dimension, seed)
        with np.errstate(all="ignore"):  # what overflows here diverges, and is answered by NaN
            v = v - rate * loss.hvp(state.theta, v)
        stretch = xp.abs(v) if loss.dimension is None else xp.linalg.vector_norm(v, axis=-1)
        length = xp.where(stretch > 0, stretch, 1.0)  # what is exactly 0 stays 0
        v = v / (length if loss.dimension is None else length[..., None])
        if state.step >= discard:
            with np.errstate(divide="ignore"):  # log 0 = -inf is the answer there
                total = total + xp.log(stretch)
    return xp.where(state.diverged_at >= 0, xp.nan, total / steps)[()]


def _begin(point, lr, dimension, seed):
    """The namespace, the learning rate as an array, and unit displacements of the points' shape."""
    xp = array_namespace(point)
    v = np.random.default_rng(seed).standard_normal(() if dimension is None else dimension)
    v = xp.asarray(v / np.linalg.norm(v), dtype=point.dtype, device=point.device)
    _, lr = broadcast_lr(point, lr, dimension)
    rate = xp.asarray(lr, dtype=point.dtype, device=point.device)
    return xp, rate, xp.broadcast_to(v, point.shape)
