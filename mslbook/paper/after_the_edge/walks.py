"""Walks for remarks 4.1 and 4.2: noise in the gradient, stochastic differential equations."""

from dataclasses import dataclass

import numpy as np

from mslbook._arrays import broadcast_lr
from mslbook._checks import check_real, check_save_every


@dataclass(frozen=True, repr=False, eq=False)
class SamplePaths:
    """The points that :func:`sgd` and :func:`euler_maruyama` keep, the start first."""

    points: np.ndarray  #: shape (steps / every + 1, ..., n)
    steps: np.ndarray  #: the number of updates made, shape (steps / every + 1,)

    def __repr__(self):
        count = np.prod(self.points.shape[1:-1], dtype=int)
        return f"<{count} SamplePaths of {self.steps[-1]} steps>"


def sgd(sample_grad, start, lr, steps: int, seed=0, every: int = 1) -> SamplePaths:
    """Gradient descent with random gradients: x <- x - lr * sample_grad(rng, x).

    Parameters
    ----------
    sample_grad : callable
        Takes a NumPy generator and points (..., n) to a random gradient for each.
    start : array_like, shape (..., n)
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
    x = np.asarray(start, dtype=float)
    x, lr = broadcast_lr(x, lr, x.shape[-1])
    return _sample_paths(lambda rng, x: x - lr * sample_grad(rng, x), x, steps, seed, every)


def euler_maruyama(drift, diffusion, start, dt, steps: int, seed=0, every: int = 1) -> SamplePaths:
    """Simulate dX = drift(X) dt + diffusion(X) dW by steps of length `dt`.

    `drift` and `diffusion` take points (..., n) to the drift (..., n), and to matrices (..., n, m)
    for m independent Brownian motions W, the latter with fewer leading axes if it is the same for
    all. The other arguments are those of :func:`sgd`.

    Examples
    --------
    >>> import numpy as np
    >>> from mslbook.paper.after_the_edge.walks import euler_maruyama
    >>> euler_maruyama(lambda x: -x, lambda x: [[2**0.5]], np.zeros((100, 1)), dt=0.02, steps=200)
    <100 SamplePaths of 200 steps>
    """
    check_real("the time dt of one step", dt, above=0)

    def update(rng, x):
        matrix = np.asarray(diffusion(x))
        kicks = rng.standard_normal((*x.shape[:-1], matrix.shape[-1]))
        noise = np.einsum("...ij,...j->...i", matrix, kicks)
        return x + dt * drift(x) + np.sqrt(dt) * noise

    return _sample_paths(update, np.asarray(start, dtype=float), steps, seed, every)


def _sample_paths(update, x, steps, seed, every):
    """Iterate x <- update(rng, x), and keep every `every`-th point."""
    steps, every = check_save_every(steps, every)
    rng, points = np.random.default_rng(seed), [x]
    for step in range(1, steps + 1):
        with np.errstate(all="ignore"):
            x = update(rng, x)
        if step % every == 0:
            if not np.isfinite(x).all():
                raise ValueError(f"a path overflowed by step {step}: take smaller steps")
            points.append(x)
    return SamplePaths(np.stack(points), np.arange(0, steps + 1, every))
