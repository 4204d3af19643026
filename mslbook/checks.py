"""Former names of `mslbook._checks` and `mslbook._arrays`, until their callers have moved."""

import numpy as np
from array_api_compat import is_array_api_obj

from mslbook._arrays import as_lrs as numpy_rates
from mslbook._arrays import as_real as real_numbers
from mslbook._arrays import as_row as finite_row
from mslbook._arrays import broadcast_lr as points_and_rates
from mslbook._arrays import check_lrs as learning_rates
from mslbook._arrays import to_numpy as float64
from mslbook._checks import check_int as whole
from mslbook._checks import check_loss as a_loss
from mslbook._checks import check_lr as learning_rate
from mslbook._checks import check_real
from mslbook._checks import check_save_every as kept_steps
from mslbook._checks import require_constant as fixed

__all__ = ["a_loss", "finite_row", "fixed", "float64", "kept_steps", "learning_rate"]
__all__ += ["learning_rates", "numpy_rates", "points_and_rates", "real_numbers", "whole"]

generator = np.random.default_rng


def real(name, number, why="", **limits):
    """`check_real`."""
    return check_real(name, number, **limits)


def array_of(name, numbers):
    """An array of any kind."""
    return numbers if is_array_api_obj(numbers) else np.asarray(numbers)


def function(name, given):
    """A function."""
    return given
