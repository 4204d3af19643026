"""What several modules ask of their arguments, so that all of them say it in the same words."""

import operator
from math import isfinite

import numpy as np
from array_api_compat import array_namespace, device


def whole(name, number, least=0):
    """Return ``number`` as an int; ValueError unless it is whole and at least ``least``."""
    try:
        answer = least - 1 if isinstance(number, bool) else operator.index(number)
    except TypeError:
        answer = least - 1
    if answer < least:
        raise ValueError(f"{name} must be a whole number of at least {least}, not {number!r}")
    return answer


def kept_steps(steps, every):
    """The number of updates, and of those from one kept point to the next, which divides it."""
    steps, every = whole("steps", steps), whole("every", every, least=1)
    if steps % every:
        raise ValueError(f"every must divide steps, but {every} does not divide {steps}")
    return steps, every


def learning_rate(rate, step=None):
    """The learning rate as a float, or one sentence on what is wrong with it."""
    try:
        number = float(rate)
    except (TypeError, ValueError):
        number = None
    if number is None or not (number > 0 and isfinite(number)):
        what = repr(rate) if number is None else f"{number:g}"
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
        learning_rate(wrong[0])
    return lr


def points_and_rates(x, lr, dimension):
    """The points and their learning rates, checked, the points brought to the shape of both."""
    if np.ndim(fixed(lr)) == 0:
        return x, learning_rate(lr)
    xp = array_namespace(x)
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
