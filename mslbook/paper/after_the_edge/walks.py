"""Walks for remarks 4.1 and 4.2: noise in the gradient, stochastic differential equations."""

from dataclasses import dataclass
from math import inf, prod
from typing import Any

import numpy as np

from mslbook._arrays import array_namespace, as_theta, broadcast_lr, like
from mslbook._checks import check_real, check_save_every


@dataclass(frozen=True, repr=False, eq=False)
class SamplePaths:
    """The points that :func:`sgd` and :func:`euler_maruyama` keep, the start first."""

    points: Any  #: shape (steps / every + 1, ..., n)
    steps: np.ndarray  #: the number of updates made, shape (steps / every + 1,)

    def __repr__(self):
        count = prod(self.points.shape[1:-1])
        return f"<{count} SamplePaths of {self.steps[-1]} steps>"


def sgd(sample_grad, start, lr, steps: int, seed=0, every: int = 1) -> SamplePaths:
    """Gradient descent with random gradients: x <- x - lr * sample_grad(rng, x).

    Parameters
    ----------
    sample_grad : callable
        Takes a NumPy generator and points (..., n) to a random gradient for each.
    start : ndarray or Tensor, shape (..., n)
        A point for each path.
    lr : float or array_like, shape (..., 1)
    steps, every : int
        The start and every ``every``-th point are kept.
    seed : int or numpy.random.Generator

    Examples
    --------
    >>> import numpy as np
    >>> from mslbook.paper.after_the_edge.walks import sgd
    >>> noisy = lambda rng, x: x + rng.standard_normal(x.shape)  # of a parabola
    >>> sgd(noisy, np.ones((50, 2)), lr=0.1, steps=100)
    <50 SamplePaths of 100 steps>
    """
    x = _points(start)
    x, lr = broadcast_lr(x, lr, x.shape[-1])
    return _sample_paths(lambda rng, x: x - lr * sample_grad(rng, x), x, steps, seed, every)


def euler_maruyama(drift, diffusion, start, dt, steps: int, seed=0, every: int = 1) -> SamplePaths:
    """Simulate dX = drift(X) dt + diffusion(X) dW by steps of length `dt`.

    Parameters
    ----------
    drift, diffusion : callable
        Take points (..., n) to the drift (..., n), and to matrices (..., n, m) for m independent
        Brownian motions W. Either may return fewer leading axes.
    start : ndarray or Tensor, shape (..., n)
    dt : float
    steps, seed, every
        As for :func:`sgd`.

    Examples
    --------
    >>> import numpy as np
    >>> from mslbook.paper.after_the_edge.walks import euler_maruyama
    >>> euler_maruyama(lambda x: -x, lambda x: [[2**0.5]], np.zeros((100, 1)), dt=0.02, steps=200)
    <100 SamplePaths of 200 steps>
    """
    check_real("the time dt of one step", dt, above=0)
    x = _points(start)
    xp, n = array_namespace(x), x.shape[-1]

    def update(rng, x):
        slope, matrix = (like(x, f(x)) for f in (drift, diffusion))
        if slope.shape[-1:] != (n,) or matrix.shape[-2:-1] != (n,):  # which might broadcast
            raise ValueError(
                f"at points of {n} coordinates the drift must have the shape (..., {n}) and the "
                f"diffusion (..., {n}, m), not {tuple(slope.shape)} and {tuple(matrix.shape)}"
            )
        kicks = rng.standard_normal((*x.shape[:-1], matrix.shape[-1]))
        noise = xp.einsum("...ij,...j->...i", matrix, like(x, kicks))
        return x + dt * slope + np.sqrt(dt) * noise

    return _sample_paths(update, x, steps, seed, every)


def _points(start):
    """The start as finite points (..., n)."""
    x = as_theta(start, None)
    if x.ndim == 0 or 0 in x.shape or not array_namespace(x).all(abs(x) < inf):
        raise ValueError("the start must be a finite point (n,), or an array of them (..., n)")
    return x.detach() if hasattr(x, "detach") else x


def _sample_paths(update, x, steps, seed, every):
    """Iterate x <- update(rng, x), and keep every `every`-th point."""
    steps, every = check_save_every(steps, every)
    rng, xp = np.random.default_rng(seed), array_namespace(x)
    points = xp.empty((steps // every + 1, *x.shape), dtype=x.dtype, device=x.device)
    points[0, ...] = x
    for step in range(1, steps + 1):
        with np.errstate(all="ignore"):
            x = update(rng, x)
        if step % every == 0:
            if not xp.all(abs(x) < inf):
                raise ValueError(f"a path overflowed by step {step}: take smaller steps")
            points[step // every, ...] = x
    return SamplePaths(points, np.arange(0, steps + 1, every))
