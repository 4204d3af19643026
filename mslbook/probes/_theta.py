"""The point that a probe looks at."""

from functools import wraps

import numpy as np

from mslbook._arrays import array_namespace, as_theta
from mslbook._checks import check_loss


def check_theta(loss, theta, needed="value"):
    """The namespace and theta as one floating-point point of the loss, without a graph."""
    check_loss(loss, needed)
    theta = as_theta(theta, getattr(loss, "dimension", None))
    if hasattr(theta, "detach"):
        theta = theta.detach()
    elif hasattr(loss, "device"):  # of a network, which takes tensors
        import torch

        theta = torch.tensor(theta, device=loss.device)
    xp, most_axes = array_namespace(theta), 0 if getattr(loss, "dimension", 1) is None else 1
    if theta.ndim > most_axes:
        raise ValueError(f"probe one point at a time, not theta of shape {tuple(theta.shape)}")
    precision(theta)
    if not bool(xp.all(xp.isfinite(theta))):
        raise ValueError("theta must be finite, without inf or nan")
    return xp, theta


def as_preconditioner(preconditioner, theta):
    """A positive diagonal as an array like theta; 1 for None."""
    if preconditioner is None:
        return 1
    xp = array_namespace(theta)
    P = xp.asarray(preconditioner, dtype=theta.dtype, device=theta.device)
    if P.shape != theta.shape or not bool(xp.all((P > 0) & xp.isfinite(P))):
        raise ValueError(
            f"the preconditioner must hold a positive, finite number for each of the "
            f"{tuple(theta.shape)} coordinates of theta: pass optimizer.precondition(state)"
        )
    return P


def precision(array):
    """NumPy's dtype of the precision of an array; ValueError for half precision."""
    facts = array_namespace(array).finfo(array.dtype)
    if facts.eps > 1e-6:
        raise ValueError(
            f"{array.dtype} is too coarse for derivatives: use double precision, for a network "
            "loss.to(dtype=torch.float64) at theta.double()"
        )
    return np.dtype(f"float{facts.bits}")


def in_full_precision(probe):
    """Run ``probe(loss, theta, ...)`` without autocast and TF32 where theta is a tensor."""

    @wraps(probe)
    def exact(loss, theta, *arguments, **options):
        if not hasattr(theta, "detach"):
            return probe(loss, theta, *arguments, **options)
        from mslbook.losses._model import full_precision  # torch is there already

        with full_precision(theta.device):
            return probe(loss, theta, *arguments, **options)

    return exact
