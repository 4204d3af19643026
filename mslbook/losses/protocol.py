"""What a loss is, and how a point is read."""

from typing import Protocol

from array_api_compat import array_namespace

from mslbook.checks import array_of


class Loss(Protocol):
    """Anything with ``value``, ``grad`` and ``hvp`` at a point: the one idea of this package.

    Whatever descends a loss or measures it uses these names and nothing else, so a function of one
    variable and a deep network are treated alike. Points are arrays:

    * ``dimension is None``: a function of one variable, applied to every entry of an array of
      shape (...,); ``value``, ``grad`` and ``hvp`` have that shape too.
    * ``dimension == n``: a function of n variables, coordinates on the last axis; a point has the
      shape (..., n), and so have ``grad`` and ``hvp``, while ``value`` has the shape (...,).

    A loss may also have ``value_and_grad(x)``, where both together cost less than one by one.
    """

    dimension: int | None

    def value(self, x):
        """The loss at ``x``."""

    def grad(self, x):
        """The gradient at ``x``, of the shape of ``x``."""

    def hvp(self, x, v):
        """The Hessian at ``x`` times the vector ``v``, of the shape of ``x``."""


def as_point(x, dimension: int | None):
    """Return ``x`` as a floating-point array that fits a loss of this ``dimension``.

    Arrays and tensors keep their dtype and device; integers become the library's default float;
    Python numbers and lists become NumPy arrays of float64.

    Raises TypeError if ``x`` does not hold real numbers, and ValueError if its last axis does not
    have the length ``dimension``.

    >>> as_point([1, 2], dimension=2)
    array([1., 2.])
    """
    x = array_of("a point", x)
    xp = array_namespace(x)
    if not xp.isdtype(x.dtype, "real floating"):
        if not xp.isdtype(x.dtype, ("bool", "integral")):
            raise TypeError(f"a point must hold real numbers, not an array of {x.dtype}")
        x = xp.astype(x, xp.__array_namespace_info__().default_dtypes()["real floating"])
    if dimension is not None and tuple(x.shape[-1:]) != (dimension,):
        raise ValueError(
            f"this loss has {dimension} variables: the last axis of a point or vector "
            f"must have length {dimension}, not the shape {tuple(x.shape)}"
        )
    return x


def value_and_grad(loss: Loss, x):
    """Return the pair of value and gradient, by the loss's own ``value_and_grad`` if it has one."""
    if hasattr(loss, "value_and_grad"):
        return loss.value_and_grad(x)
    return loss.value(x), loss.grad(x)
