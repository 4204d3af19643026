"""The Hessian at a point as an operator."""

from functools import partial

from mslbook.probes._theta import as_preconditioner, check_theta


def hessian_operator(loss, theta, preconditioner=None, hessian=None):
    """The Hessian of a loss at theta as a function ``v -> H v`` of flat vectors.

    Parameters
    ----------
    loss : Loss
    theta : array_like, shape () or (n,)
    preconditioner : array, shape of theta, optional
        A positive diagonal P, for P^(-1/2) H P^(-1/2) in place of H.
    hessian : callable, optional
        The function ``v -> H v`` at theta, where it has been made.

    Examples
    --------
    >>> import numpy as np
    >>> from mslbook import hessian_operator, two_valleys
    >>> hessian_operator(two_valleys, [0.0, 0.0])(np.array([1.0, 0.0]))
    array([25.,  0.])
    """
    theta = check_theta(loss, theta, "hvp")[1]
    make = getattr(loss, "hessian", lambda theta: partial(loss.hvp, theta))
    product, scale = hessian or make(theta), None
    if preconditioner is not None:
        scale = as_preconditioner(preconditioner, theta) ** -0.5

    def operator(v):
        v = v.reshape(theta.shape)
        image = product(v) if scale is None else scale * product(scale * v)
        return image.reshape((-1,))

    return operator
