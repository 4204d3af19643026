"""Descent on any loss by any optimizer: one trajectory, or a sweep of a million at once."""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from math import prod
from typing import Any, NamedTuple

import numpy as np

from mslbook._arrays import array_namespace, as_theta, broadcast_lr
from mslbook._checks import check_int, check_loss, check_lr, check_save_every
from mslbook.loss import Loss, value_and_grad
from mslbook.optimizers import GradientDescent, Optimizer, decays

__all__ = ["Iterate", "Trajectory", "decays", "descend", "iterate"]

BLOCK = 2**14  # numbers of a block of trajectories, so that all that a step needs stays in cache


class Iterate(NamedTuple):
    """A step of :func:`iterate`; it unpacks in this order."""

    step: int  #: the number of updates made
    theta: Any  #: the parameters after them, of the shape of the start
    value: Any  #: the loss there
    grad: Any  #: its gradient there
    diverged_at: Any  #: the step of divergence, -1 for none: an integer for each trajectory
    state: dict  #: the state of the optimizer, a dict of str to array


@dataclass(frozen=True, repr=False, eq=False)
class Trajectory:
    """The iterates that :func:`descend` kept, in the kind of array of the start.

    A trajectory that diverged stays at its last finite iterate.
    """

    points: Any  #: ``(rows, *shape of the points)``
    values: Any  #: ``(rows, *batch)``: the loss at the points
    steps: np.ndarray  #: ``(rows,)``: the number of updates that led to each row
    diverged_at: Any  #: integers, ``(*batch)``: the step of divergence, -1 for never

    def __repr__(self):
        diverged = int((self.diverged_at >= 0).sum())
        told = f"{diverged} of {prod(self.diverged_at.shape)} diverged"
        return f"<Trajectory of {self.steps[-1]} steps: {told}>"


def descend(loss: Loss, start, lr=None, steps=0, every=1, optimizer=None, last=None) -> Trajectory:
    """Run gradient descent, or another optimizer, and return its path.

    Parameters
    ----------
    loss : Loss
    start : array_like, shape (...,) or (..., n)
        A point, or an array of points, one for each trajectory.
    lr : float, array_like or callable, optional
        The learning rate of gradient descent: a number; an array that broadcasts against the points
        (for a loss of n variables its last axis has length 1); or a schedule, such as `decays`.
    steps, every : int
        The number of updates; the start and every ``every``-th iterate are kept.
    optimizer : Optimizer, optional
        In place of `lr`, such as ``Momentum(lr=0.1, beta=0.9)``.
    last : int, optional
        To keep only so many of these rows, the last ones.

    Notes
    -----
    The loss is computed, and divergence looked for, where a row is kept; what is no longer finite
    there is traced back to the step where it began. A large sweep runs in blocks of trajectories,
    and on all cores if the loss has a true ``reentrant``, as those in closed form have.

    Examples
    --------
    >>> from mslbook import decays, descend, f1
    >>> descend(f1, start=-5.0, lr=decays({0: 5, 100: 3, 150: 1}), steps=200)
    <Trajectory of 200 steps: 0 of 1 diverged>
    """
    steps, every = check_save_every(steps, every)
    first = 0 if last is None else -check_int("last", last, least=1)
    kept = range(0, steps + 1, every)[first:]
    descent, begin = _begin(loss, start, lr, optimizer)
    shape, batch, blocks = begin.theta.shape, begin.value.shape, [...]
    size = max(1, BLOCK // (loss.dimension or 1))
    if prod(batch) > size and str(begin.theta.device) == "cpu":
        descent, begin = _in_one_row(descent, begin)
        blocks = [slice(i, i + size) for i in range(0, prod(batch), size)]
    points, values = (_rows(len(kept), array) for array in (begin.theta, begin.value))

    def run(block):
        part, now = _part(descent, begin, block)
        for row, step in enumerate(kept):
            now = part.advance(now, step) if step else now
            points[row, block], values[row, block] = now.theta, now.value
        begin.diverged_at[block] = now.diverged_at

    if len(blocks) > 1 and getattr(loss, "reentrant", False):
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            list(pool.map(run, blocks))
    else:
        list(map(run, blocks))
    points, values = points.reshape(len(kept), *shape), values.reshape(len(kept), *batch)
    return Trajectory(points, values, np.array(kept), begin.diverged_at.reshape(batch))


def _in_one_row(descent, begin):
    """The same with a single axis of trajectories."""
    batch, lr = begin.value.shape, descent.lr

    def flat(array):
        return array.reshape(-1, *array.shape[len(batch) :])

    if hasattr(lr, "shape"):
        shape = batch if descent.loss.dimension is None else (*batch, 1)
        lr = flat(array_namespace(lr).broadcast_to(lr, shape))
    return replace(descent, lr=lr), Iterate(0, *map(flat, begin[1:5]), {})


def _part(descent, begin, block):
    """The descent of a block of trajectories, and its start."""
    theta, value, grad, diverged_at = (array[block] for array in begin[1:5])
    if block is not ... and theta.ndim == 2:
        theta = array_namespace(theta).stack(list(theta.T)).T  # each coordinate in one piece
    lr = descent.lr[block] if hasattr(descent.lr, "shape") else descent.lr
    start = Iterate(0, theta, value, grad, diverged_at, descent.optimizer.init(theta))
    return replace(descent, lr=lr), start


def iterate(loss: Loss, start, lr=None, first_step=0, *, optimizer=None,
            state=None) -> Iterator[Iterate]:  # fmt: skip
    """Yield the iterates of an optimizer without end, the start first.

    It holds on to the current iterate alone and never writes to an array it has yielded. Where the
    loss has ``at_step(step)``, as `Minibatches` does, that is the loss of the update from iterate
    `step` to the next.

    Parameters
    ----------
    loss, start, lr, optimizer
        As for :func:`descend`.
    first_step : int
        The step of the start, to resume a run.
    state : dict of str to ndarray or Tensor, optional
        The optimizer's state there.

    Examples
    --------
    >>> from itertools import islice
    >>> from mslbook import f1, iterate
    >>> [round(float(state.theta), 4) for state in islice(iterate(f1, 1.0, lr=1.0), 3)]
    [1.0, 0.3069, 0.0392]
    """
    return _without_end(*_begin(loss, start, lr, optimizer, first_step, state))


def _without_end(descent, now):
    while True:
        yield now
        now = descent.advance(now, now.step + 1)


def _begin(loss, start, lr, optimizer, first_step=0, state=None):
    """The descent, and its first iterate; ValueError unless all is finite there."""
    if (lr is None) == (optimizer is None):
        raise TypeError("give a learning rate, for gradient descent, or optimizer=, one of the two")
    optimizer, first_step = optimizer or GradientDescent(lr), check_int("first_step", first_step)
    if not isinstance(optimizer, Optimizer):
        raise TypeError(f"{repr(optimizer)[:60]} is no optimizer: see mslbook.optimizers")
    x, lr = as_theta(start, check_loss(loss).dimension), optimizer.lr
    x = x.detach() if hasattr(x, "detach") else x  # a torch descent builds no autograd graph
    if not callable(lr):
        x, lr = broadcast_lr(x, lr, loss.dimension)
    state = _resumed(optimizer, x, state)
    if 0 in x.shape:
        raise ValueError(f"a start of shape {tuple(x.shape)} holds no point: give at least one")
    descent, xp = _Descent(loss, optimizer, lr), array_namespace(x)
    with np.errstate(all="ignore"):
        value, grad = value_and_grad(descent.loss_at(first_step), x)
        fine = _finite(x, value, grad, loss.dimension)
    if not xp.all(fine):
        raise ValueError("the start, the loss or its gradient is not finite there: start elsewhere")
    diverged_at = xp.full(value.shape, -1, dtype=xp.int64, device=x.device)
    return descent, Iterate(first_step, x, value, grad, diverged_at, state)


def _resumed(optimizer, x, state):
    """The state with which an optimizer continues at x; ValueError if it is another's."""
    fresh = optimizer.init(x)
    if state is None:
        return fresh

    def kinds(state):
        told = (f"{n} {a.dtype} of shape {tuple(a.shape)} on {a.device}" for n, a in state.items())
        return ", ".join(sorted(told)) or "nothing"

    if (held := kinds(state)) != (wanted := kinds(fresh)):  # it might broadcast
        told = f"the state of {type(optimizer).__name__} holds {wanted}, not {held}"
        raise ValueError(f"{told}: pass it as yielded")
    return {name: a.detach() if hasattr(a, "detach") else a for name, a in state.items()}


@dataclass
class _Descent:
    """The one loop, for a single trajectory as for a block of many."""

    loss: Loss
    optimizer: Optimizer
    lr: Any
    moving: Any = None  # one number per trajectory once one has diverged: 0 where it stands still

    def loss_at(self, step):
        """The loss whose gradient makes the update after `step`."""
        return self.loss.at_step(step) if hasattr(self.loss, "at_step") else self.loss

    def advance(self, now, step):
        """The iterate at a later step."""
        x, grad, state, xp = now.theta, now.grad, now.state, array_namespace(now.theta)
        with np.errstate(all="ignore"):  # what overflows is found by `_finite`
            for done in range(now.step, step):
                grad = grad if done == now.step else self.loss_at(done).grad(x)
                slope = grad if self.moving is None else self.moving * grad
                rate = check_lr(self.lr(done), done) if callable(self.lr) else self.lr
                x, state = self.optimizer.update(x, slope, state, rate)
            value, grad = value_and_grad(self.loss_at(step), x)
            fine = _finite(x, value, grad, self.loss.dimension)
        new = Iterate(step, x, value, grad, now.diverged_at, state)
        if xp.all(fine):
            return new
        if step == now.step + 1:
            return self._stopped(now, new, fine)
        for each in range(now.step + 1, step + 1):  # again, to see where it began
            now = self.advance(now, each)
        return now

    def _stopped(self, now, new, fine):
        """The new iterate, with the old one where the new one is not finite."""
        xp = array_namespace(new.theta)

        def per_point(array):  # one number per trajectory, shaped to meet the points
            return array if self.loss.dimension is None else array[..., None]

        diverged_at = xp.where(fine, now.diverged_at, new.step)
        self.moving = per_point(xp.astype(diverged_at < 0, new.theta.dtype))
        theta = xp.where(per_point(fine), new.theta, now.theta)
        grad = xp.where(per_point(fine), new.grad, now.grad)
        value = xp.where(fine, new.value, now.value)
        state = {  # at rest
            name: xp.where(self.moving > 0, array, 0 * theta) if array.ndim == theta.ndim else array
            for name, array in new.state.items()
        }
        return Iterate(new.step, theta, value, grad, diverged_at, state)


def _finite(x, value, grad, dimension):
    """Which trajectories are finite, one bool for each; a single True if all of them are."""
    xp = array_namespace(x)
    total = xp.sum(x) + xp.sum(value) + xp.sum(grad)  # three fast passes, nothing stored
    if xp.isfinite(total):
        return xp.asarray(True, device=x.device)
    fine = xp.isfinite(x) & xp.isfinite(grad)
    return xp.isfinite(value) & (fine if dimension is None else xp.all(fine, axis=-1))


def _rows(count, array):
    """Room for so many rows like an array."""
    xp, shape = array_namespace(array), (count, *array.shape)
    try:
        return xp.empty(shape, dtype=array.dtype, device=array.device)
    except (MemoryError, RuntimeError) as error:  # torch's
        hint = "keep fewer, by a larger every= or by last=, or pass fewer starts"
        told = f"{count} rows of shape {tuple(array.shape)} do not fit in memory"
        raise MemoryError(f"{told}: {hint}") from error
