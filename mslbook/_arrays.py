"""Arrays of any kind: NumPy arrays, torch tensors, lists and numbers."""

import numpy as np

from mslbook._checks import check_lr, require_constant


def array_namespace(array):
    """The functions of the array API for an array: NumPy's own, or those of its library."""
    if isinstance(array, np.ndarray | np.generic):
        return np
    import array_api_compat  # only now, since it imports much of NumPy that is needed nowhere else

    return array_api_compat.array_namespace(array)


def is_array(thing):
    """Whether this is an array of NumPy, torch or another library that has the array API."""
    return hasattr(thing, "__array_namespace__") or hasattr(thing, "detach")


def as_theta(theta, dimension=None):
    """Parameters as floats in their own kind of array, of shape (..., dimension) if it is given."""
    theta = theta if is_array(theta) else np.asarray(theta)
    dtype = theta.dtype  # of floats in NumPy or in torch: a question for each formula in a loss
    if not (getattr(dtype, "kind", "") == "f" or getattr(dtype, "is_floating_point", False)):
        xp = array_namespace(theta)
        if not xp.isdtype(theta.dtype, ("bool", "integral")):
            raise TypeError(f"a point must hold real numbers, not an array of {theta.dtype}")
        theta = xp.astype(theta, xp.__array_namespace_info__().default_dtypes()["real floating"])
    if dimension is not None and tuple(theta.shape[-1:]) != (dimension,):
        raise ValueError(
            f"this loss has {dimension} variables: the last axis of a point or vector "
            f"must have length {dimension}, not the shape {tuple(theta.shape)}"
        )
    return theta


def like(array, numbers):
    """Numbers as an array of the kind, dtype and device of `array`."""
    xp = array_namespace(array)
    return xp.asarray(numbers, dtype=array.dtype, device=array.device)


def as_real(name, numbers):
    """An array as it is, anything else as NumPy floats; TypeError unless the numbers are real."""
    array = numbers if is_array(numbers) else np.asarray(numbers)
    if not array_namespace(array).isdtype(array.dtype, ("real floating", "integral")):
        what = array.dtype if array is numbers else f"{numbers!r:.60}"
        raise TypeError(f"{name} must be real numbers in an array or a list, not {what}")
    return array if array is numbers else array.astype(float)


def to_numpy(array):
    """An array, a list or a tensor from any device as a NumPy array of float64."""
    tensor = hasattr(array, "detach")
    return np.asarray(array.detach().cpu().double() if tensor else array, dtype=float)


def as_row(name, numbers):
    """A row of finite numbers as a NumPy array of float64."""
    row = to_numpy(as_real(name, numbers))
    if row.ndim != 1 or not (row.size and np.isfinite(row).all()):
        raise ValueError(f"{name} must be a row of finite numbers, not {numbers!r:.60}")
    return row


def as_lrs(lr):
    """Constant learning rates as a NumPy array of float64."""
    require_constant(lr)
    return check_lrs(to_numpy(as_real("the learning rates", lr)))


def check_lrs(lr):
    """Return an array of learning rates; ValueError unless all are positive and finite."""
    if 0 in lr.shape:
        raise ValueError("there is no learning rate in an empty array: give at least one")
    wrong = lr[~(array_namespace(lr).isfinite(lr) & (lr > 0))]
    if len(wrong):
        check_lr(float(wrong[0]))
    return lr


def broadcast_lr(theta, lr, dimension):
    """The parameters and their constant learning rates, brought to the shape of both."""
    require_constant(lr)
    if np.ndim(lr) == 0:
        return theta, check_lr(lr)
    lr = as_real("the learning rates", lr)
    if hasattr(lr, "detach"):
        lr = lr.detach() if hasattr(theta, "detach") else to_numpy(lr)
    lr = check_lrs(like(theta, lr))
    if dimension is not None and lr.shape[-1] != 1:
        raise ValueError(
            f"learning rates of shape {tuple(lr.shape)} do not go with points of {dimension} "
            "coordinates: write lr[:, None], so that each rate meets a whole point"
        )
    shape = np.broadcast_shapes(tuple(theta.shape), tuple(lr.shape))
    return array_namespace(theta).broadcast_to(theta, shape), lr
