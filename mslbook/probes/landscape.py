"""The loss along a line or over a plane through a point, and how it grows there.

Second differences of a loss are small differences of large numbers: they drown in rounding long
before the losses themselves look wrong. In single precision a loss L is known to about 1e-7 L, its
second differences at spacing h to about 2e-7 L / h², and half precision is refused outright. So
measure a network in double precision, ``line(loss.to(dtype=torch.float64), theta.double(), ...)``,
or ask `rounding` whether single precision will do.
"""

import numpy as np
from array_api_compat import array_namespace, device, is_array_api_obj

from mslbook.probes.sharpness import _one_point

PARALLEL = 1e-3  # the sine of the angle below which two directions span no plane


def line(loss, theta, direction, distances):
    """The losses at theta + distance * direction / ||direction||, one for each distance.

    Parameters
    ----------
    loss : anything with ``value``; a network is evaluated in chunks, without graphs
    theta : a number, for a function of one variable, or a vector of n coordinates
    direction : of the shape of `theta`; only where it points matters, not its length
    distances : (D,), in the units of `theta`

    Returns a NumPy array (D,) in the precision of the point, inf or nan where the loss is so.

    Raises ``ValueError`` or ``TypeError``, before any work, for a point in half precision, a
    direction that is not of the point's kind, or that points nowhere, and for distances that are
    not a row of finite numbers.

    Figure 3.1 and, over wider ranges, figure 3.2 are such lines (preprint figures 2 and 3).

    >>> from mslbook.losses import f1, two_valleys
    >>> line(f1, 0.0, 1.0, [-1, 0, 1]).round(4)
    array([0.3863, 0.    , 0.3863])
    >>> line(two_valleys, [0.0, 0.0], direction=[3.0, 4.0], distances=[-5, 0, 5]).shape
    (3,)
    """
    xp, theta = _point(loss, theta)
    unit = _unit(xp, theta, direction)
    return _values(loss, theta, unit, _row("distances", distances))


def second_difference(values, spacing):
    """Central second differences (v[i-1] - 2 v[i] + v[i+1]) / spacing² along the last axis.

    `values` has shape (..., D), losses at equal `spacing`; returns float64 of shape (..., D - 2).
    Each is the average of the curvature over one spacing to either side, so it includes the kinks
    of a ReLU network, of which the Hessian knows nothing. The paper leaves out the division by
    spacing² (journal fig. 3.1, preprint fig. 2).

    Raises ``ValueError`` for fewer than 3 values, a spacing that is not positive, and where none
    of the differences can be told from rounding.

    >>> second_difference([9.0, 4.0, 1.0, 0.0, 1.0], spacing=0.5)
    array([8., 8., 8.])
    """
    values, spacing = _lines(values, least=3), _spacing(spacing)
    return np.diff(values.astype(float), 2, axis=-1) / spacing**2


def _values(loss, theta, unit, distances):
    """One number per distance; points are made one by one, since networks are large."""
    precision = np.dtype(f"float{array_namespace(theta).finfo(theta.dtype).bits}")
    return np.array([float(loss.value(theta + float(d) * unit)) for d in distances], precision)


def _point(loss, theta):
    """The point as a floating array of its own kind, precise enough for second differences."""
    xp, theta = _one_point(loss, theta)
    if xp.finfo(theta.dtype).eps > 1e-6:
        raise ValueError(
            f"in {theta.dtype} second differences drown in rounding: measure in double precision, "
            "for a network loss.to(dtype=torch.float64) at theta.double()"
        )
    return xp, theta


def _unit(xp, theta, direction):
    """The direction as a unit vector of the kind of the point."""
    if not is_array_api_obj(direction):
        direction = xp.asarray(direction, dtype=theta.dtype, device=device(theta))
    elif array_namespace(direction) is not xp:
        raise TypeError(
            f"the point is a {type(theta).__name__}, the direction a {type(direction).__name__}: "
            "give both in the same kind"
        )
    if device(direction) != device(theta):
        raise ValueError(
            f"the point is on {device(theta)}, the direction on {device(direction)}: "
            "move one with .to(...)"
        )
    if direction.shape != theta.shape:
        raise ValueError(
            f"the direction has shape {tuple(direction.shape)}, the point {tuple(theta.shape)}: "
            "give one number for each coordinate"
        )
    direction = direction.detach() if hasattr(direction, "detach") else direction
    direction = xp.astype(direction, theta.dtype)
    if not bool(xp.all(xp.isfinite(direction))):
        raise ValueError("the direction holds nan or infinite numbers: it points nowhere")
    largest = xp.max(xp.abs(direction))
    if not float(largest) > 0:
        raise ValueError("the direction is 0 everywhere: it points nowhere")
    direction = direction / largest  # the square of a very short or long one leaves the range
    return direction / xp.linalg.vector_norm(direction)


def _row(name, numbers):
    """A row of finite numbers as NumPy floats."""
    numbers = numbers.tolist() if is_array_api_obj(numbers) else numbers
    row = np.asarray(numbers, dtype=float)
    if row.ndim != 1 or not row.size or not np.isfinite(row).all():
        raise ValueError(f"{name} must be a row of one or more finite numbers, not {numbers!r}")
    return row


def _lines(values, least):
    """Values along lines as a NumPy array of their own precision."""
    values = np.asarray(values.tolist() if hasattr(values, "detach") else values)
    values = values if values.dtype.kind == "f" else values.astype(float)
    if values.ndim < 1 or values.shape[-1] < least:
        raise ValueError(
            f"this takes at least {least} values along the last axis, not the shape {values.shape}"
        )
    if not np.isfinite(values).all():
        raise ValueError("some values are not finite: take a shorter range of distances")
    return values


def _spacing(spacing):
    if not 0 < spacing < float("inf"):
        raise ValueError(f"the spacing must be positive and finite, not {spacing!r}")
    return float(spacing)
