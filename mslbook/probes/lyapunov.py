"""The Lyapunov exponent of gradient descent: how fast neighbouring trajectories part."""

from itertools import islice

import numpy as np
from array_api_compat import array_namespace, device

from mslbook.checks import a_loss, fixed, generator, points_and_rates, whole
from mslbook.descent import iterate


def lyapunov(loss, start, lr, steps, discard=0, seed=0):
    """The largest Lyapunov exponent of gradient descent, per step, one for each trajectory.

    A very small displacement v of the iterate x goes, in one step, to v - lr * H(x) v. The exponent
    is the mean of log(length after / length before) along the trajectory: positive in chaos, where
    neighbours part exponentially fast, and negative where they meet, as at a two-cycle or at rest.
    It tells a long cycle that attracts from chaos (journal fig. 4.1, preprint fig. 4).

    The displacement starts in a random direction, is carried along by ``hvp`` and brought back to
    length 1 at every step; after some steps it points where the stretching is largest. For one
    variable the answer is the mean of ``log|1 - lr f''(x)|``.

    Parameters
    ----------
    loss : anything with ``value``, ``grad`` and ``hvp``
    start : a point, or an array of points, one for each trajectory
    lr : a learning rate, or an array that broadcasts against the points, as for
        :func:`~mslbook.descent.descend`
    steps : over how many steps the mean is taken; its error falls with them
    discard : how many steps are made before, to reach what attracts
    seed : of the random direction; the same everywhere, whatever the library or device

    The answer has the shape of the loss's values at the points, and is of their kind. It is -inf
    where the displacement becomes exactly 0, as on a cycle that passes through a point of
    1 - lr f''(x) = 0 (superstable), and NaN for a trajectory that diverged.

    Raises ValueError or TypeError, before any work, for counts of steps out of range, for a
    schedule of learning rates, and where :func:`~mslbook.descent.descend` does.

    >>> from mslbook.losses import Quadratic, f2
    >>> lyapunov(Quadratic(), start=3.0, lr=[0.5, 1.0], steps=10)
    array([-0.69314718,        -inf])
    >>> start = np.random.default_rng(0).uniform(-1, 1, 1000)
    >>> round(float(lyapunov(f2, start, lr=2.0, steps=1000, discard=1000).mean()), 1)
    0.4
    """
    whole("steps", steps, least=1)
    whole("discard", discard)
    a_loss(loss, "hvp")
    fixed(lr)
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
    v = generator(seed).standard_normal(() if dimension is None else dimension)
    v = xp.asarray(v / np.linalg.norm(v), dtype=point.dtype, device=device(point))
    _, lr = points_and_rates(point, lr, dimension)
    rate = xp.asarray(lr, dtype=point.dtype, device=device(point))
    return xp, rate, xp.broadcast_to(v, point.shape)
