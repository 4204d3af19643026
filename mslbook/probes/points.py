"""The point that a probe looks at, and the Hessian there."""

from contextlib import nullcontext
from functools import wraps

import numpy as np
from array_api_compat import array_namespace, device, is_array_api_obj

from mslbook.checks import a_loss, array_of, real_numbers

TINY = 1e-150  # a distance whose square is hardly a number any more


def in_full_precision(probe):
    """Make ``probe(loss, point, ...)`` compute at a torch tensor as if there were no autocast."""

    @wraps(probe)
    def exact(loss, point, *arguments, **options):
        with _full_precision(point):
            return probe(loss, point, *arguments, **options)

    return exact


def _full_precision(point):
    if not hasattr(point, "detach"):
        return nullcontext()
    from mslbook.losses.network import full_precision  # torch is there already

    return full_precision(point.device)


def one_point(loss, point, needed="value"):
    """The point as a floating array of its own kind; clear errors for anything else.

    `needed` is what the probe asks of the loss.
    """
    a_loss(loss, needed)
    point = point if is_array_api_obj(point) else real_numbers("the point", point)
    xp = array_namespace(point)
    point = point.detach() if hasattr(point, "detach") else point  # no graph of the measuring
    if not xp.isdtype(point.dtype, "real floating"):
        raise ValueError(f"the point must hold floating-point numbers, not {point.dtype}")
    precision(point)
    dimension = getattr(loss, "dimension", None)
    shape = () if dimension is None else (dimension,)
    if tuple(point.shape) != shape and (hasattr(loss, "dimension") or point.ndim > 1):
        raise ValueError(
            f"the point has shape {tuple(point.shape)}, but this loss is measured at one point "
            f"of shape {shape}: probe the points of a batch one by one"
        )
    here, there = str(device(point)), str(getattr(loss, "device", device(point)))
    if here != there:
        raise ValueError(f"the point is on {here}, the loss on {there}: move one with .to(...)")
    if not bool(xp.all(xp.isfinite(array_of("the point", point)))):
        raise ValueError("the point holds nan or infinite numbers: nothing can be measured there")
    return xp, point


def precision(array):
    """NumPy's name for the precision of an array of any kind; ValueError for half precision."""
    facts = array_namespace(array).finfo(array.dtype)
    if facts.eps > 1e-6:
        raise ValueError(
            f"in {array.dtype} second differences and derivatives drown in rounding: measure in "
            "double precision, a network by loss.to(dtype=torch.float64) at theta.double()"
        )
    return np.dtype(f"float{facts.bits}")


def values_along(values, least):
    """Values along lines as a NumPy array of their own precision."""
    values = real_numbers("the values", values)
    xp = array_namespace(values)
    floating = xp.isdtype(values.dtype, "real floating")
    dtype = precision(values) if floating else float
    values = np.asarray(values.tolist() if hasattr(values, "detach") else values, dtype=dtype)
    if values.ndim < 1 or values.shape[-1] < least:
        raise ValueError(
            f"give at least {least} values along the last axis, not the shape {values.shape}"
        )
    if not (values.size and np.isfinite(values).all()):
        raise ValueError("some values are not finite: take a shorter range of distances")
    return values


def hessian_at(loss, point, preconditioner=None):
    """The Hessian at `point` as a function of a flat vector, its graph reused if it has one.

    With a diagonal P it is P^(-1/2) H P^(-1/2). A product that is not finite raises
    ``FloatingPointError``.
    """
    xp = array_namespace(point)
    keep = getattr(loss, "hessian", None)
    product = keep(point) if keep else lambda v: loss.hvp(point, v)
    scale = None if preconditioner is None else _inverse_root(xp, point, preconditioner)

    def flat(row):
        row = row.reshape(point.shape)
        image = product(row) if scale is None else scale * product(scale * row)
        image = image.reshape((-1,))
        if not bool(xp.all(xp.isfinite(image))):
            raise FloatingPointError(
                "a Hessian-vector product is not finite here: check that the loss is finite and "
                "twice differentiable at this point"
            )
        return image

    return flat


def _inverse_root(xp, point, preconditioner):
    P = xp.asarray(preconditioner, dtype=point.dtype, device=device(point))
    if P.shape != point.shape or not bool(xp.all((P > 0) & xp.isfinite(P))):
        raise ValueError(
            f"the preconditioner must hold a positive, finite number for each of the "
            f"{tuple(point.shape)} coordinates of theta: pass optimizer.precondition(state)"
        )
    return P**-0.5
