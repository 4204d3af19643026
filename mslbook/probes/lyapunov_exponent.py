"""The Lyapunov exponent of gradient descent: how fast neighbouring trajectories part."""

from itertools import islice

import numpy as np

from mslbook._arrays import array_namespace, as_theta, broadcast_lr, like
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
    A small displacement v of the iterate x goes to v - lr H(x) v. The exponent is the mean of
    log(length after / before): positive in chaos, negative on a cycle that attracts.

    Examples
    --------
    >>> from mslbook import Quadratic, lyapunov
    >>> lyapunov(Quadratic(), start=3.0, lr=[0.5, 1.0], steps=10)
    array([-0.69314718,        -inf])
    """
    check_int("steps", steps, least=1)
    check_int("discard", discard)
    dimension = check_loss(loss, "hvp").dimension
    require_constant(lr)
    iterates = islice(iterate(loss, start, lr), discard + steps)
    x, rate = broadcast_lr(as_theta(start, dimension), lr, dimension)
    xp, shape = array_namespace(x), () if dimension is None else dimension
    v = np.random.default_rng(seed).standard_normal(shape)
    v = xp.broadcast_to(like(x, v / np.linalg.norm(v)), x.shape)
    total = 0.0
    for state in iterates:
        with np.errstate(all="ignore"):  # what overflows here diverges, and is answered by NaN
            v = v - rate * loss.hvp(state.theta, v)
        stretch = xp.abs(v) if dimension is None else xp.linalg.vector_norm(v, axis=-1)
        length = xp.where(stretch > 0, stretch, 1.0)  # what is exactly 0 stays 0
        v = v / (length if dimension is None else length[..., None])
        if state.step >= discard:
            with np.errstate(divide="ignore"):  # log 0 = -inf is the answer there
                total = total + xp.log(stretch)
    return xp.where(state.diverged_at >= 0, xp.nan, total / steps)[()]
