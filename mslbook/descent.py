"""Gradient descent on any loss: one trajectory, or a sweep of a million at once."""

import operator
from bisect import bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from math import prod
from typing import Any, NamedTuple

import numpy as np
from array_api_compat import array_namespace, device

from mslbook.checks import a_loss, kept_steps, learning_rate, points_and_rates, whole
from mslbook.losses.protocol import Loss, as_point, value_and_grad


class decays:  # lower case, because it reads as a function
    """A learning rate that changes at given steps, such as ``decays({0: 2.5, 650: 0.25})``.

    Each rate holds from its step on: the update from iterate 650 to iterate 651 is the first with
    0.25. Called with the number of a step, the schedule returns the learning rate. Where the
    changes are counted in epochs, ``epoch`` is the number of updates that make one.

    Raises ValueError if the steps are not whole numbers that begin at 0, or if a learning rate is
    not positive and finite.

    >>> schedule = decays({0: 2.5, 650: 0.25})
    >>> schedule(649), schedule(650)
    (2.5, 0.25)
    >>> decays({0: 0.1, 250: 0.01}, epoch=40)
    decays({0: 0.1, 10000: 0.01})
    """

    def __init__(self, rates: Mapping[int, float], epoch: int = 1):
        epoch = whole("epoch", epoch, least=1)
        try:
            steps = sorted(operator.index(step) for step in rates)
        except TypeError:
            steps = []
        if not steps or steps[0] != 0:
            wrong = f"not {rates!r}"
            if steps and steps[0] < 0:
                wrong += (
                    f": no decay can come before step 0, where descent begins, as {steps[0]} would "
                    "(decays: journal section 5 and fig. 5.1, preprint section 5 and fig. 6)"
                )
            raise ValueError(
                "a schedule gives the learning rate by whole steps from 0 on, such as "
                f"decays({{0: 2.5, 650: 0.25}}), {wrong}"
            )
        self._steps = [epoch * step for step in steps]
        self._rates = [learning_rate(rates[step], epoch * step) for step in steps]

    def __call__(self, step: int) -> float:
        """The learning rate of the update that follows ``step`` updates."""
        return self._rates[bisect_right(self._steps, step) - 1]

    def __repr__(self):
        return f"decays({dict(zip(self._steps, self._rates, strict=True))})"


class Iterate(NamedTuple):
    """What :func:`iterate` yields at every step; it unpacks in this order."""

    step: int  #: the number of updates made
    point: Any  #: where they led, of the shape of the start
    value: Any  #: the loss there
    grad: Any  #: its gradient there
    diverged_at: Any  #: integers, one per trajectory: the step of its divergence, -1 for none


@dataclass(frozen=True, repr=False, eq=False)
class Path:
    """The iterates that :func:`descend` kept, the start first.

    The arrays are of the kind of the start (NumPy or torch, dtype, device), except for ``steps``,
    which is always NumPy's. A trajectory that diverged stays at its last finite iterate.
    """

    points: Any  #: ``(steps / every + 1, *shape of the points)``
    values: Any  #: ``(steps / every + 1, *batch)``: the loss at the points
    steps: np.ndarray  #: (steps / every + 1,): the number of updates that led to each row
    diverged_at: Any  #: integers, ``(*batch)``: the step of divergence, -1 for never

    def __repr__(self):
        first, last, fates = self.values[0], self.values[-1], self.diverged_at
        diverged = fates[fates >= 0]
        if fates.ndim:
            fate = f"{len(diverged)} of {prod(fates.shape)} trajectories diverged"
            fate += f", first at step {int(diverged.min())}" if len(diverged) else ""
        elif len(diverged):
            fate = f"diverged at step {int(fates)}"
        else:
            fate = f"loss {float(first):.4g} -> {float(last):.4g}"
        return f"<Path of {self.steps[-1]} steps: {fate}>"


def descend(loss: Loss, start, lr, steps: int, every: int = 1) -> Path:
    """Run ``steps`` updates x <- x - lr * grad(x) of gradient descent and return their path.

    This is the iteration of journal eq. 4.1 (preprint eq. 1), for a loss of any dimension.

    Parameters
    ----------
    loss : Loss
        Anything with ``value`` and ``grad``; :class:`~mslbook.losses.Loss` has the shapes.
    start : array
        A point, or an array of points, one for each trajectory.
    lr : number, array or function
        A positive number; or an array that broadcasts against the points (a sweep; for a loss of
        n variables its last axis has length 1); or a schedule, a function from the number of a
        step to its learning rate, such as :class:`decays`.
    steps : int
        The number of updates.
    every : int
        Keep the start and every ``every``-th iterate; it must divide ``steps``.

    A trajectory diverges at the first step at which its iterate, the loss or the gradient there is
    no longer finite. It then stays at its last finite iterate, and ``diverged_at`` has the step.

    Raises ValueError or TypeError, before any work, if a learning rate is not positive and finite,
    if ``start``, ``lr`` and the loss do not fit together, or if the loss is infinite at the start.

    >>> from mslbook.losses import f1
    >>> descend(f1, start=-5.0, lr=decays({0: 5, 100: 3, 150: 1}), steps=200)
    <Path of 200 steps: loss 5.751 -> ...>
    >>> descend(f1, start=-5.0, lr=[0.5, 1.0, 2.5], steps=200, every=100).points.shape
    (3, 3)
    """
    steps, every = kept_steps(steps, every)
    if callable(lr):
        for step in range(steps):
            learning_rate(lr(step), step)
    kept = islice(iterate(loss, start, lr), 0, steps + 1, every)
    state = next(kept)
    xp, rows = array_namespace(state.point), steps // every + 1
    points, values = (
        xp.empty((rows, *array.shape), dtype=array.dtype, device=device(array))
        for array in (state.point, state.value)
    )
    points[0, ...], values[0, ...] = state.point, state.value
    for row, state in enumerate(kept, start=1):
        points[row, ...], values[row, ...] = state.point, state.value
    return Path(points, values, np.arange(0, steps + 1, every), state.diverged_at)


def iterate(loss: Loss, start, lr, first_step: int = 0) -> Iterator[Iterate]:
    """Yield (step, point, value, grad, diverged_at) of gradient descent without end, start first.

    The loop beneath :func:`descend`, for runs that keep their own records. It holds on to the
    current iterate alone, never writes to an array it has yielded, and evaluates the loss once per
    step: by ``value_and_grad(x)`` where the loss has it, else by ``value(x)`` and ``grad(x)``.
    To resume a run, pass its last point as ``start`` and that point's step as ``first_step``.

    Arguments and errors are those of :func:`descend`, raised by the call itself; a schedule,
    however, is checked as it is followed.

    >>> from itertools import islice
    >>> from mslbook.losses import f1
    >>> for step, point, value, grad, diverged_at in islice(iterate(f1, 1.0, lr=1.0), 3):
    ...     print(step, f"{point:.4f}")
    0 1.0000
    1 0.3069
    2 0.0392
    """
    first_step = whole("first_step", first_step)
    x = as_point(start, a_loss(loss).dimension)
    x = x.detach() if hasattr(x, "detach") else x  # a torch descent builds no autograd graph
    if not callable(lr):
        x, lr = points_and_rates(x, lr, loss.dimension)
    return _updates(loss, x, *value_and_grad_at_start(loss, x), lr, first_step)


def value_and_grad_at_start(loss: Loss, x):
    """The loss and its gradient at ``x``; ValueError unless all of it is finite."""
    xp = array_namespace(x)
    if 0 in x.shape:
        raise ValueError(f"a start of shape {tuple(x.shape)} holds no point: give at least one")
    if not xp.all(xp.isfinite(x)):
        raise ValueError("the start must be finite, without inf or nan")
    value, grad = quiet_value_and_grad(loss, x)
    if not xp.all(finite(x, value, grad, loss.dimension)):
        raise ValueError("the loss or its gradient is not finite at the start: start elsewhere")
    return value, grad


def _updates(loss, x, value, grad, lr, step):
    xp = array_namespace(x)
    diverged_at = xp.full(value.shape, -1, dtype=xp.int64, device=device(x))

    def per_point(array):  # one number per trajectory, shaped to meet the points
        return array if loss.dimension is None else array[..., None]

    moving = 1.0  # one number per trajectory once one has diverged: 0 where it stands still
    while True:
        yield Iterate(step, x, value, grad, diverged_at)
        rate = learning_rate(lr(step), step) if callable(lr) else lr
        step += 1
        with np.errstate(all="ignore"):
            new = x - moving * rate * grad
        new_value, new_grad = quiet_value_and_grad(loss, new)
        fine = finite(new, new_value, new_grad, loss.dimension)
        if not xp.all(fine):
            diverged_at = xp.where(fine, diverged_at, step)
            moving = moving * per_point(xp.astype(fine, x.dtype))
            new = xp.where(per_point(fine), new, x)
            new_value = xp.where(fine, new_value, value)
            new_grad = xp.where(per_point(fine), new_grad, grad)
        x, value, grad = new, new_value, new_grad


def quiet_value_and_grad(loss: Loss, x):
    """The loss and its gradient at ``x``, where both may overflow without a warning."""
    with np.errstate(all="ignore"):  # what overflows is found by `finite` and told in words
        return value_and_grad(loss, x)


def finite(x, value, grad, dimension):
    """Which trajectories are finite, one bool for each; a single True if all of them are."""
    xp = array_namespace(x)
    with np.errstate(all="ignore"):
        total = xp.sum(x) + xp.sum(value) + xp.sum(grad)  # three fast passes, nothing stored
    if xp.isfinite(total):
        return xp.asarray(True, device=device(x))
    fine = xp.isfinite(x) & xp.isfinite(grad)
    return xp.isfinite(value) & (fine if dimension is None else xp.all(fine, axis=-1))
