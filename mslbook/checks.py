"""What several modules ask of their arguments, so that all of them say it in the same words."""

import operator
from math import inf, isnan, nan
from numbers import Real

import numpy as np
from array_api_compat import array_namespace, device, is_array_api_obj

LARGEST = 2**63 - 1  # whole number that fits an array


def whole(name, number, least=0, most=LARGEST):
    """Return ``number`` as an int; ValueError unless it is whole and within the range."""
    try:
        answer = least - 1 if isinstance(number, bool) else operator.index(number)
    except TypeError:
        answer = least - 1
    if not least <= answer <= most:
        of = f"of at least {least}" if most >= LARGEST > answer else f"from {least} to {most}"
        raise ValueError(f"{name} must be a whole number {of}, not {repr(number)[:60]}")
    return answer


def real(name, number, above=-inf, least=-inf, below=inf, why=""):
    """Return ``number`` as it is; ValueError unless it is one finite number within the range."""
    value = _as_float(number)
    if not (above < value < below and value >= least):
        lower = "positive" if above == 0 else f"above {above:g}"
        lower = lower if least == -inf else f"at least {least:g}"
        upper = "finite" if below == inf else f"below {below:g}"
        asked = "a finite number" if above == least == -inf else f"{lower} and {upper}"
        raise ValueError(f"{name} must be {asked}, not {repr(number)[:60]}{why}")
    return number


def _as_float(number):
    """A real number, or an array of no axes that holds one, as a float; nan for anything else."""
    try:
        number = number.item() if getattr(number, "ndim", None) == 0 else number
        return float(number) if isinstance(number, Real) else nan
    except (OverflowError, RuntimeError):  # an enormous integer; a tensor without numbers
        return nan


def array_of(name, numbers):
    """An array as it is, else a NumPy array; TypeError for a ragged list or a sparse tensor."""
    if not is_array_api_obj(numbers):
        try:
            return np.asarray(numbers)
        except ValueError:  # a list of lists of several lengths
            raise TypeError(f"{name} must be real numbers in an array or a list, not "
                            f"{repr(numbers)[:60]}") from None  # fmt: skip
    if hasattr(numbers, "layout") and (numbers.is_meta or str(numbers.layout) != "torch.strided"):
        what = "without numbers (on the device meta)" if numbers.is_meta else "that is sparse"
        raise TypeError(f"{name} must be an ordinary tensor, not one {what}")
    return numbers


def real_numbers(name, numbers):
    """An array as it is, other numbers as NumPy floats; TypeError unless all of them are real."""
    array = array_of(name, numbers)
    if not array_namespace(array).isdtype(array.dtype, ("real floating", "integral")):
        what = getattr(numbers, "dtype", repr(numbers)[:60])
        raise TypeError(f"{name} must be real numbers in an array or a list, not {what}")
    return array if array is numbers else array.astype(float)


def float64(array):
    """An array or list, or a tensor from any device, as a NumPy array of float64."""
    tensor = hasattr(array, "detach")
    return np.asarray(array.detach().cpu().double() if tensor else array, dtype=float)


def finite_row(name, numbers):
    """A row of finite numbers as NumPy floats."""
    row = float64(real_numbers(name, numbers))
    if row.ndim != 1 or not row.size:
        raise ValueError(f"{name} must be a row of at least one number, not of shape {row.shape}")
    if not np.isfinite(row).all():
        raise ValueError(f"{name} must be finite, without inf or nan")
    return row


def function(name, given):
    """A function as it is; TypeError for anything that cannot be called."""
    if not callable(given):
        raise TypeError(f"{name} must be a function, not {repr(given)[:60]}")
    return given


def generator(seed):
    """The random numbers of NumPy that belong to this seed."""
    try:
        return np.random.default_rng(seed)
    except (TypeError, ValueError, RuntimeError):
        raise ValueError(
            "seed must be a whole number of at least 0, or a NumPy generator, not "
            f"{repr(seed)[:60]}"
        ) from None


def a_loss(loss, needed="dimension"):
    """A loss as it is; TypeError, with what to do instead, for what lacks the name needed."""
    if isinstance(loss, type):
        raise TypeError(f"the class {loss.__name__} is not a loss: make one, {loss.__name__}(...)")
    if not hasattr(loss, needed):
        what = "a plain function" if callable(loss) else repr(loss)[:60]
        raise TypeError(
            f"{what} is not a loss, it has no {needed}: compose one from mslbook.losses, such "
            "as f1 or Quadratic(2.0), write a class with dimension, value, grad and hvp (see "
            "mslbook.losses.Loss), or make a NetworkLoss of a torch model and its data"
        )
    return loss


def kept_steps(steps, every):
    """The number of updates, and of those from one kept point to the next, which divides it."""
    steps, every = whole("steps", steps), whole("every", every, least=1)
    if steps % every:
        raise ValueError(f"every must divide steps, but {every} does not divide {steps}")
    return steps, every


def learning_rate(rate, step=None):
    """The learning rate as a float, or one sentence on what is wrong with it."""
    number = _as_float(rate)
    if not 0 < number < inf:
        what = repr(rate)[:60] if isnan(number) else f"{number:g}"
        where = "" if step is None else f" at step {step}"
        raise ValueError(f"a learning rate must be positive and finite, not {what}{where}")
    return number


def fixed(lr):
    """The learning rates as they are; TypeError for a schedule, where only fixed ones will do."""
    if callable(lr):
        raise TypeError(
            "this belongs to one learning rate: give a number, or an array of them, not a schedule"
        )
    return lr


def numpy_rates(lr):
    """A fixed learning rate, or at least one of them, as a NumPy array."""
    return not_empty(float64(real_numbers("the learning rates", fixed(lr))))


def not_empty(lr):
    """An array of learning rates as it is, if it holds any."""
    if 0 in lr.shape:
        raise ValueError("there is no learning rate in an empty array: give at least one")
    return lr


def learning_rates(lr):
    """An array of learning rates as it is, if it holds any and all are positive and finite."""
    not_empty(lr)
    wrong = lr[~(array_namespace(lr).isfinite(lr) & (lr > 0))]
    if len(wrong):
        learning_rate(float(wrong[0]))
    return lr


def points_and_rates(x, lr, dimension):
    """The points and their learning rates, checked, the points brought to the shape of both."""
    if array_of("the learning rates", fixed(lr)).ndim == 0:
        return x, learning_rate(lr)
    xp, lr = array_namespace(x), real_numbers("the learning rates", lr)
    if hasattr(lr, "detach"):
        lr = lr.detach() if array_namespace(lr) is xp else float64(lr)
    lr = learning_rates(xp.asarray(lr, dtype=x.dtype, device=device(x)))
    if dimension is not None and lr.shape[-1] != 1:
        raise ValueError(
            f"learning rates of shape {tuple(lr.shape)} do not go with points of {dimension} "
            "coordinates: write lr[:, None], so that each rate meets a whole point"
        )
    try:
        shape = np.broadcast_shapes(tuple(x.shape), tuple(lr.shape))
    except ValueError:
        raise ValueError(
            f"learning rates of shape {tuple(lr.shape)} do not broadcast against a start of "
            f"shape {tuple(x.shape)}"
        ) from None
    return xp.broadcast_to(x, shape), lr
