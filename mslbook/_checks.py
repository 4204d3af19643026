"""Argument validation."""

import operator
from inspect import isfunction
from math import inf, nan
from numbers import Real


def check_int(name, number, least=0, most=inf):
    """Return `number` as an int; ValueError unless it is a whole number within the range."""
    index = operator.index(number) if hasattr(number, "__index__") else None
    if index is None or isinstance(number, bool) or not least <= index <= most:
        wanted = f"of at least {least}" if most == inf else f"from {least} to {most}"
        raise ValueError(f"{name} must be a whole number {wanted}, not {number!r:.60}")
    return index


def check_real(name, number, above=-inf, least=-inf, below=inf):
    """Return `number`; ValueError unless it is a finite number within the range."""
    if not (isinstance(number, Real) and above < number < below and number >= least):
        lower = "positive" if above == 0 else f"above {above:g}"
        lower = lower if least == -inf else f"at least {least:g}"
        upper = "finite" if below == inf else f"below {below:g}"
        wanted = "a finite number" if above == least == -inf else f"{lower} and {upper}"
        raise ValueError(f"{name} must be {wanted}, not {number!r:.60}")
    return number


def check_lr(lr, step=None):
    """Return a learning rate as a float; ValueError unless it is positive and finite."""
    try:
        number = nan if isinstance(lr, str) else float(lr)
    except (OverflowError, TypeError, ValueError):
        number = nan
    if not 0 < number < inf:
        where = "" if step is None else f" at step {step}"
        raise ValueError(f"a learning rate must be positive and finite, not {lr!r:.60}{where}")
    return number


def require_constant(lr):
    """TypeError if the learning rate is a schedule."""
    if callable(lr):
        raise TypeError("this belongs to one learning rate: give it, or several, not a schedule")


def check_save_every(steps, every):
    """Return both as ints; ValueError unless `every` divides `steps`."""
    steps, every = check_int("steps", steps), check_int("every", every, least=1)
    if steps % every:
        raise ValueError(f"every must divide steps, but {every} does not divide {steps}")
    return steps, every


def check_loss(loss, needed="dimension"):
    """Return the loss; TypeError unless it is an instance with the attribute `needed`."""
    if isinstance(loss, type) or not hasattr(loss, needed):
        why = "it is a class" if isinstance(loss, type) else f"it has no {needed}"
        what = "a plain function" if isfunction(loss) else f"{loss!r:.60}"
        raise TypeError(
            f"{what} is not a loss, {why}: compose one from mslbook.losses, or make a FunctionLoss"
        )
    return loss
