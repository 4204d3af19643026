"""Descent with noise: stochastic gradients, and stochastic differential equations.

The companions of :mod:`mslbook.descent`. :func:`minibatch_sgd` trains on data, one point at a time;
the others belong to journal remarks 4.1 and 4.2 (preprint remarks 1 and 2), and simulate many walks
at once: a start of shape (..., n) is one walk for each of its points.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from math import inf, prod, sqrt
from typing import Any, NamedTuple

import numpy as np
from array_api_compat import array_namespace, device

from mslbook.checks import (
    a_loss,
    function,
    generator,
    kept_steps,
    learning_rate,
    points_and_rates,
    real,
    whole,
)
from mslbook.descent import resumed, updates, value_and_grad_at_start
from mslbook.loss import Loss, as_point, value_and_grad
from mslbook.losses import Valley
from mslbook.optimizers import Momentum


@dataclass(frozen=True, repr=False, eq=False)
class Walk:
    """The points that :func:`sgd` and :func:`euler_maruyama` kept, the start first."""

    points: Any  #: (steps / every + 1, ..., n), of the kind of the start (NumPy or torch)
    steps: np.ndarray  #: (steps / every + 1,): the number of updates that led to each row

    def __repr__(self):
        walks = prod(self.points.shape[1:-1])
        return f"<Walk of {self.steps[-1]} steps: {walks} walk{'s' * (walks != 1)}>"


def sgd(sample_grad, start, lr, steps: int, seed=0, every: int = 1) -> Walk:
    """Stochastic gradient descent: ``steps`` updates x <- x - lr * sample_grad(rng, x).

    Parameters
    ----------
    sample_grad : function
        Takes a NumPy generator and points (..., n), and draws a gradient for each; such as
        :func:`label_noise` and :func:`rescaled` give.
    start : array
        A point (n,), or one for each walk (..., n), of NumPy or torch; the walk is of its kind.
    lr : number or array
        The learning rate; an array, whose last axis has length 1, broadcasts against the start.
    steps, every : int
        The number of updates; the start and every ``every``-th point are kept.
    seed : int or numpy.random.Generator
        The same seed gives the same walks.

    Raises TypeError for a sample_grad that is no function, and ValueError if a number is out of
    range, if start and lr do not fit together, or if a walk leaves the finite numbers.

    >>> from mslbook.losses import valley
    >>> sgd(label_noise(valley, 0.1), np.ones((50, 2)), lr=1.5, steps=100)
    <Walk of 100 steps: 50 walks>
    """
    function("sample_grad", sample_grad)
    x = _points(start)
    x, lr = points_and_rates(x, lr, x.shape[-1])

    def update(rng, x):
        return x - lr * sample_grad(rng, x)

    return _walk(update, x, steps, seed, every)


def euler_maruyama(drift, diffusion, start, dt, steps: int, seed=0, every: int = 1) -> Walk:
    """Simulate dX = drift(X) dt + diffusion(X) dW by ``steps`` steps of length ``dt``.

    Parameters
    ----------
    drift, diffusion : functions
        Of points (..., n): the drift (..., n), and the matrices (..., n, m) that take the m
        independent Brownian motions W to the noise. Either may answer with fewer leading axes.
    start : array
        A point (n,), or one for each walk (..., n), of NumPy or torch; the walk is of its kind.
    dt : number
        The time of one step; the error of means, such as a covariance, is proportional to it.
    steps, seed, every :
        As in :func:`sgd`.

    Raises ValueError if a number is out of range, or if a walk leaves the finite numbers.

    An Ornstein-Uhlenbeck process, whose variance tends to 1:

    >>> walk = euler_maruyama(lambda x: -x, lambda x: [[2**0.5]], np.zeros((10_000, 1)), 0.02, 200)
    >>> round(float(walk.points[-1].var()), 1)
    1.0
    """
    function("the drift", drift)
    function("the diffusion", diffusion)
    real("the time dt of one step", dt, above=0)
    x = _points(start)
    xp, kind, n = array_namespace(x), _kind(x), x.shape[-1]

    def update(rng, x):
        slope, matrix = (xp.asarray(f(x), **kind) for f in (drift, diffusion))
        if slope.shape[-1:] != (n,) or matrix.shape[-2:-1] != (n,):
            raise ValueError(
                f"at points of {n} coordinates the drift must have the shape (..., {n}) and the "
                f"diffusion (..., {n}, m), not {tuple(slope.shape)} and {tuple(matrix.shape)}"
            )
        kicks = rng.standard_normal((*x.shape[:-1], matrix.shape[-1]))
        noise = xp.einsum("...ij,...j->...i", matrix, xp.asarray(kicks, **kind))
        return x + dt * slope + np.sqrt(dt) * noise

    return _walk(update, x, steps, seed, every)


class Update(NamedTuple):
    """What :func:`minibatch_sgd` yields at every step; it unpacks in this order."""

    step: int  #: the number of updates made
    theta: Any  #: where they led, (n,)
    value: Any  #: the loss there, of the batch of the next update
    grad: Any  #: its gradient there, (n,)
    diverged_at: int  #: the step of divergence, -1 for none
    velocity: Any  #: the running sum of gradients that led there, (n,)


def minibatch_sgd(
    loss: Loss, start, lr, batch=None, momentum=0.0, seed=0, first_step=0, velocity=None
) -> Iterator[Update]:
    """Yield the updates v <- momentum * v + grad(x), x <- x - lr * v without end, start first.

    Stochastic gradient descent in PyTorch's convention. Every gradient is that of a minibatch of
    ``batch`` inputs; each epoch goes once through all inputs, in an order that ``seed`` and the
    number of the epoch alone decide, and its last batch holds what is left. Without ``batch``, or
    with one that holds all inputs, this is full-batch descent: with momentum Polyak's heavy ball,
    without it :func:`mslbook.descent.iterate`, to the last bit.

    Parameters
    ----------
    loss : Loss
        For minibatches one over data, with ``inputs`` and ``subset(rows)``, such as
        :class:`mslbook.losses.network.NetworkLoss`.
    start : array
        One point (n,), or a number for a loss of one variable.
    lr : number or function
        The learning rate, or a schedule such as :class:`~mslbook.descent.decays`.
    batch : int, optional
        Inputs per update.
    momentum : number
        At least 0 and below 1.
    first_step, velocity : optional
        To resume a run: the step, and the velocity, of the ``start``.

    The loss is evaluated once per step, and no array that was yielded is written to. When the
    iterate, the loss or the gradient is no longer finite, the last finite iterate comes once more,
    ``diverged_at`` has the step, and the iteration ends.

    Raises ValueError or TypeError, by the call itself, for numbers out of range, for a start that
    does not fit the loss or where it is not finite, and for a loss that cannot be split.

    >>> from itertools import islice
    >>> from mslbook.losses import f1
    >>> for state in islice(minibatch_sgd(f1, 1.0, lr=1.0, momentum=0.5), 3):
    ...     print(state.step, f"{state.theta:.4f}")
    0 1.0000
    1 0.3069
    2 -0.3073
    """
    a_loss(loss)
    step, x = whole("first_step", first_step), as_point(start, loss.dimension)
    x = x.detach() if hasattr(x, "detach") else x
    if x.ndim != (0 if loss.dimension is None else 1):
        raise ValueError(
            f"SGD moves one point at a time, not a start of shape {tuple(x.shape)}: for a sweep "
            "call it once for each point"
        )
    optimizer = Momentum(lr, momentum)
    state = resumed(optimizer, x, None if velocity is None else {"velocity": velocity})
    loss_at = _batches(loss, x, batch, whole("seed", seed, most=inf))
    value, grad = value_and_grad_at_start(loss_at(step), x)
    return _until_divergence(updates(loss_at, x, value, grad, optimizer, lr, state, step))


def _until_divergence(iterates):
    last = None
    for step, theta, value, grad, diverged_at, state in iterates:
        if diverged_at >= 0:
            yield last._replace(diverged_at=step)
            return
        last = Update(step, theta, value, grad, -1, state["velocity"])
        yield last


def _batches(loss, x, batch, seed):
    """The loss of an update as a function of its step; ``x`` is a point to try it at."""
    if batch is None:
        return lambda step: loss
    batch = whole("batch", batch, least=1)
    if not hasattr(loss, "subset"):
        raise TypeError(f"{loss!r} is no loss over data that has a subset(rows): leave out batch")
    count = len(loss.inputs)
    if batch >= count:
        return lambda step: loss
    rest = count % batch
    if rest:  # tried now, since the first epoch may end an hour from now
        try:
            loss.subset(np.arange(rest)).value(x)
        except ValueError as error:
            raise ValueError(
                f"of {count} inputs a batch of {batch} leaves {rest} for the last update of an "
                f"epoch, too few for this loss: choose another batch ({error})"
            ) from error
    epoch = -(-count // batch)

    def loss_at(step):
        first = step % epoch * batch
        return loss.subset(_order(count, seed, step // epoch)[first : first + batch])

    return loss_at


@lru_cache(maxsize=1)
def _order(count, seed, epoch):
    """The order of the inputs in an epoch."""
    return np.random.default_rng((seed, epoch)).permutation(count)


def label_noise(valley: Valley, size: float):
    """Gradients of f(h(x) y - ξ), with a fresh ξ from N(0, size²) each time.

    The noise of labels that are wrong by ξ: it does not vanish at the minima y = 0 (journal remark
    4.1, preprint remark 1). Raises ValueError unless the loss is a Valley and size is a number of
    at least 0.
    """
    if not isinstance(valley, Valley):
        raise ValueError(
            "label noise (journal remark 4.1, preprint remark 1) is noise in a Valley f(h(x) y); "
            f"{valley!r} is none: write it as mslbook.losses.Valley(f, h)"
        )
    what = "the size of the label noise (journal remark 4.1, preprint remark 1)"
    real(f"{what}, its standard deviation,", size, least=0)

    def sample_grad(rng, x):
        xp, kind = array_namespace(x), _kind(x)
        x, y = x[..., :-1], x[..., -1]
        h, h_grad = value_and_grad(valley.h, x)
        noise = size * xp.asarray(rng.standard_normal(tuple(y.shape)), **kind)
        slope = valley.f.grad(h * y - noise)
        return xp.concat(((slope * y)[..., None] * h_grad, (slope * h)[..., None]), axis=-1)

    return sample_grad


def rescaled(loss: Loss, spread: float):
    """Gradients of a * loss, with a fresh a each time, uniform from 1 - spread to 1 + spread.

    The noise of data that can all be fitted at once: it vanishes at the minima with the gradient
    (journal remark 4.1, preprint remark 1). Raises ValueError unless 0 <= spread < 1, which keeps a
    positive, and for a function of one variable.
    """
    why = ": the factor a, from 1 - spread to 1 + spread, must be positive"
    real("the spread", spread, least=0, below=1, why=why)
    if a_loss(loss).dimension is None:
        raise ValueError(
            f"{loss!r} is a function of one variable, and each point of a walk needs a factor of "
            "its own: write Ridge(f, (1,)), whose points have the shape (..., 1)"
        )

    def sample_grad(rng, x):
        scale = rng.uniform(1 - spread, 1 + spread, (*x.shape[:-1], 1))
        return array_namespace(x).asarray(scale, **_kind(x)) * loss.grad(x)

    return sample_grad


def valley_sde(H, H_grad, along: int, lr: float, sigma: float):
    """The drift and the diffusion of journal remark 4.2 (preprint remark 2), for (x, y) in one.

    dx = -yᵀ∇H(x)y dt and dy = -2 H(x) y dt + σ √(η H(x)) dW: descent on F(x, y) = yᵀ H(x) y, with
    noise across the valley alone. ``H`` takes x (..., d) to positive definite matrices (..., m, m),
    ``H_grad`` to their derivatives (..., d, m, m); ``along`` is d. The root of H is its Cholesky
    factor: every root makes the same noise.

    Raises ValueError unless along is a whole number of at least 1, lr positive and sigma at least
    0; and the diffusion does at a place where H is not positive definite.

    >>> drift, diffusion = valley_sde(
    ...     lambda x: np.eye(2) * x[..., None],
    ...     lambda x: np.eye(2) * np.ones_like(x)[..., None, None],
    ...     along=1, lr=0.1, sigma=1.0,
    ... )
    >>> drift(np.array([3.0, 1.0, 0.0]))
    array([-1., -6., -0.])
    """
    along, lr = whole("along", along, least=1), learning_rate(lr)
    real("sigma", sigma, least=0)
    function("H", H)
    function("H_grad", H_grad)

    def drift(z):
        xp, kind = array_namespace(z), _kind(z)
        x, y = z[..., :along], z[..., along:]
        steepness, change = (xp.asarray(f(x), **kind) for f in (H, H_grad))
        slide = xp.einsum("...i,...dij,...j->...d", y, change, y)
        return -xp.concat((slide, 2 * xp.einsum("...ij,...j->...i", steepness, y)), axis=-1)

    def diffusion(z):
        xp, kind = array_namespace(z), _kind(z)
        root = sigma * sqrt(lr) * _root(xp, xp.asarray(H(z[..., :along]), **kind))
        along_it = xp.zeros((*root.shape[:-2], along, root.shape[-1]), **kind)
        return xp.concat((along_it, root), axis=-2)

    return drift, diffusion


def _root(xp, matrix):
    """The Cholesky factor of a positive definite matrix, or one sentence if it is none."""
    try:
        if xp.allclose(matrix, xp.matrix_transpose(matrix)):
            return xp.linalg.cholesky(matrix)
    except (RuntimeError, ValueError):
        pass  # not positive definite, or not square
    raise ValueError(
        "H(x) must be a symmetric, positive definite matrix wherever a walk comes (journal remark "
        "4.2, preprint remark 2): start elsewhere, or take smaller steps"
    )


def _points(start):
    """The start as finite points (..., n)."""
    x = as_point(start, None)
    if x.ndim == 0 or 0 in x.shape or not array_namespace(x).all(abs(x) < inf):
        raise ValueError("the start must be a finite point (n,), or an array of them (..., n)")
    return x.detach() if hasattr(x, "detach") else x


def _kind(x):
    """How to make an array that goes with x: of its dtype and on its device, if it is a tensor."""
    return {"dtype": x.dtype, "device": device(x)} if hasattr(x, "detach") else {}


def _walk(update, x, steps, seed, every):
    """Iterate x <- update(rng, x), and keep every ``every``-th point."""
    steps, every = kept_steps(steps, every)
    rng, xp = generator(seed), array_namespace(x)
    points = xp.empty((steps // every + 1, *x.shape), **_kind(x))
    points[0, ...] = x
    for step in range(1, steps + 1):
        with np.errstate(all="ignore"):
            x = update(rng, x)
        if step % every == 0:
            if not xp.all(abs(x) < inf):
                raise ValueError(
                    f"a walk left the finite numbers by step {step}: take smaller steps"
                )
            points[step // every, ...] = x
    return Walk(points, np.arange(0, steps + 1, every))
