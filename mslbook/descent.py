"""Descent on any loss by any optimizer: one trajectory, or a sweep of a million at once."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from math import prod
from typing import Any, NamedTuple

import numpy as np

from mslbook._arrays import array_namespace, as_theta, broadcast_lr
from mslbook._checks import check_int, check_loss, check_lr, check_save_every
from mslbook.loss import Loss, value_and_grad
from mslbook.optimizers import GradientDescent, Optimizer, decays

__all__ = ["Iterate", "Trajectory", "decays", "descend", "iterate"]


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
    """The iterates that :func:`descend` kept, the start first.

    The arrays are of the kind of the start (NumPy or torch, dtype, device), except for ``steps``,
    which is always NumPy's. A trajectory that diverged stays at its last finite iterate.
    """

    points: Any  #: ``(rows, *shape of the points)``, rows = steps / every + 1
    values: Any  #: ``(rows, *batch)``: the loss at the points
    steps: np.ndarray  #: ``(rows,)``: the number of updates that led to each row
    diverged_at: Any  #: integers, ``(*batch)``: the step of divergence, -1 for never

    def __repr__(self):
        fates = self.diverged_at
        diverged = fates[fates >= 0]
        if fates.ndim:
            fate = f"{len(diverged)} of {prod(fates.shape)} trajectories diverged"
            fate += f", first at step {int(diverged.min())}" if len(diverged) else ""
        elif len(diverged):
            fate = f"diverged at step {int(fates)}"
        else:
            fate = f"loss {float(self.values[0]):.4g} -> {float(self.values[-1]):.4g}"
        return f"<Trajectory of {self.steps[-1]} steps: {fate}>"


def descend(loss: Loss, start, lr=None, steps=0, every=1, optimizer=None) -> Trajectory:
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

    Examples
    --------
    >>> from mslbook import decays, descend, f1
    >>> descend(f1, start=-5.0, lr=decays({0: 5, 100: 3, 150: 1}), steps=200)
    <Trajectory of 200 steps: loss 5.751 -> ...>
    """
    steps, every = check_save_every(steps, every)
    kept = islice(iterate(loss, start, lr, optimizer=optimizer), 0, steps + 1, every)
    state = next(kept)
    xp, rows = array_namespace(state.theta), steps // every + 1
    points, values = (
        xp.empty((rows, *array.shape), dtype=array.dtype, device=array.device)
        for array in (state.theta, state.value)
    )
    points[0, ...], values[0, ...] = state.theta, state.value
    for row, state in enumerate(kept, start=1):
        points[row, ...], values[row, ...] = state.theta, state.value
    return Trajectory(points, values, np.arange(0, steps + 1, every), state.diverged_at)


def iterate(
    loss: Loss, start, lr=None, first_step=0, *, optimizer=None, state=None
) -> Iterator[Iterate]:
    """Yield the iterates of an optimizer without end, the start first.

    It holds on to the current iterate alone, never writes to an array it has yielded, and evaluates
    the loss once per step. Where the loss has ``at_step(step)``, as `Minibatches` does, that is the
    loss of the update from iterate `step` to the next.

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
    if (lr is None) == (optimizer is None):
        raise TypeError("give a learning rate, for gradient descent, or optimizer=, one of the two")
    optimizer, first_step = optimizer or GradientDescent(lr), check_int("first_step", first_step)
    if not isinstance(optimizer, Optimizer):
        raise TypeError(f"{repr(optimizer)[:60]} is no optimizer: see mslbook.optimizers")
    x, lr = as_theta(start, check_loss(loss).dimension), optimizer.lr
    x = x.detach() if hasattr(x, "detach") else x  # a torch descent builds no autograd graph
    if not callable(lr):
        x, lr = broadcast_lr(x, lr, loss.dimension)
    loss_at = getattr(loss, "at_step", lambda step: loss)
    state = _resumed(optimizer, x, state)
    value, grad = _at_start(loss_at(first_step), x)
    return _iterates(loss_at, x, value, grad, optimizer, lr, state, first_step)


def _resumed(optimizer, x, state):
    """The state with which an optimizer continues at x; ValueError if it is another's."""
    fresh = optimizer.init(x)
    if state is None:
        return fresh
    if state.keys() != fresh.keys():
        own, given = (", ".join(one) or "nothing" for one in (fresh, state))
        name = type(optimizer).__name__
        raise ValueError(f"the state of {name} holds {own}, not {given}: pass it as it was yielded")
    for name, like in fresh.items():  # which might broadcast
        given, expected = (
            f"{array.dtype} of shape {tuple(array.shape)} on {array.device}"
            for array in (state[name], like)
        )
        if given != expected:
            raise ValueError(f"the {name} is {given}, not {expected}: pass it as it was yielded")
    return {name: a.detach() if hasattr(a, "detach") else a for name, a in state.items()}


def _at_start(loss, x):
    """The loss and its gradient at the start; ValueError unless all of it is finite."""
    if 0 in x.shape:
        raise ValueError(f"a start of shape {tuple(x.shape)} holds no point: give at least one")
    with np.errstate(all="ignore"):
        value, grad = value_and_grad(loss, x)
        fine = _finite(x, value, grad, loss.dimension)
    if not array_namespace(x).all(fine):
        raise ValueError("the start, the loss or its gradient is not finite there: start elsewhere")
    return value, grad


def _iterates(loss_at, x, value, grad, optimizer, lr, state, step):
    """The one loop; `loss_at(step)` is the loss whose gradient makes the update after `step`."""
    xp, dimension = array_namespace(x), loss_at(step).dimension
    diverged_at = xp.full(value.shape, -1, dtype=xp.int64, device=x.device)

    def per_point(array):  # one number per trajectory, shaped to meet the points
        return array if dimension is None else array[..., None]

    moving = None  # one number per trajectory once one has diverged: 0 where it stands still
    while True:
        yield Iterate(step, x, value, grad, diverged_at, state)
        rate = check_lr(lr(step), step) if callable(lr) else lr
        slope = grad if moving is None else moving * grad
        step += 1
        with np.errstate(all="ignore"):  # what overflows is found by `_finite`
            new, new_state = optimizer.update(x, slope, state, rate)
            new_value, new_grad = value_and_grad(loss_at(step), new)
            fine = _finite(new, new_value, new_grad, dimension)
        if not xp.all(fine):
            diverged_at = xp.where(fine, diverged_at, step)
            moving = per_point(xp.astype(diverged_at < 0, x.dtype))
            new = xp.where(per_point(fine), new, x)
            new_value = xp.where(fine, new_value, value)
            new_grad = xp.where(per_point(fine), new_grad, grad)
            new_state = {  # at rest
                name: xp.where(moving > 0, array, 0 * x) if array.ndim == x.ndim else array
                for name, array in new_state.items()
            }
        x, value, grad, state = new, new_value, new_grad, new_state


def _finite(x, value, grad, dimension):
    """Which trajectories are finite, one bool for each; a single True if all of them are."""
    xp = array_namespace(x)
    total = xp.sum(x) + xp.sum(value) + xp.sum(grad)  # three fast passes, nothing stored
    if xp.isfinite(total):
        return xp.asarray(True, device=x.device)
    fine = xp.isfinite(x) & xp.isfinite(grad)
    return xp.isfinite(value) & (fine if dimension is None else xp.all(fine, axis=-1))
