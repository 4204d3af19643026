"""Arrays of any kind: NumPy arrays, torch tensors, lists and numbers."""

import numpy as np
from array_api_compat import array_namespace, is_array_api_obj


def as_theta(theta, dimension=None):
    """Parameters as a floating-point array whose last axis has length `dimension`, if one is given.

    Arrays and tensors keep their kind, device and floating dtype; numbers, lists and integers
    become the default float of their kind.
    """
    theta = theta if is_array_api_obj(theta) else np.asarray(theta)
    xp = array_namespace(theta)
    if not xp.isdtype(theta.dtype, "real floating"):
        if not xp.isdtype(theta.dtype, ("bool", "integral")):
            raise TypeError(f"a point must hold real numbers, not an array of {theta.dtype}")
        theta = xp.astype(theta, xp.__array_namespace_info__().default_dtypes()["real floating"])
    if dimension is not None and tuple(theta.shape[-1:]) != (dimension,):
        raise ValueError(
            f"this loss has {dimension} variables: the last axis of a point or vector "
            f"must have length {dimension}, not the shape {tuple(theta.shape)}"
        )
    return theta


def as_real(name, numbers):
    """An array as it is, anything else as NumPy floats; TypeError unless the numbers are real."""
    array = numbers if is_array_api_obj(numbers) else np.asarray(numbers)
    if not array_namespace(array).isdtype(array.dtype, ("real floating", "integral")):
        raise TypeError(f"{name} must be real numbers, not {array.dtype}")
    return array if array is numbers else array.astype(float)


def to_numpy(array):
    """An array, a list or a tensor from any device as a NumPy array of float64."""
    tensor = hasattr(array, "detach")
    return np.asarray(array.detach().cpu().double() if tensor else array, dtype=float)
