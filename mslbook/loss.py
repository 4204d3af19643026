"""What a loss is, and two ways to make one: of any function, and of a quadratic model."""

from math import inf
from typing import Protocol

from array_api_compat import array_namespace

from mslbook.checks import a_loss, array_of, function, whole


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


class FunctionLoss:
    """Any differentiable torch function of the parameters as a loss.

    Parameters
    ----------
    f : callable
        Takes a tensor and answers with one number. With a `dimension` n it is called with theta of
        shape (n,), for batches of points through ``torch.vmap``; without, with a tensor of any
        shape, to which it applies entry by entry.
    dimension : int, optional
        The number n of variables; None for a function of one variable.

    Raises
    ------
    TypeError or ValueError
        If `f` cannot be called, or answers with anything but one number for each point.

    Notes
    -----
    Tensors are answered in kind; other arrays pass through torch in their own precision.

    Examples
    --------
    >>> from mslbook.loss import FunctionLoss
    >>> rosenbrock = FunctionLoss(lambda x: (1 - x[0])**2 + 100 * (x[1] - x[0]**2)**2, dimension=2)
    >>> rosenbrock.grad([0.0, 0.0]), rosenbrock.hvp([1.0, 1.0], [1.0, 0.0])
    (array([-2.,  0.]), array([ 802., -400.]))
    """

    def __init__(self, f, dimension=None):
        self.f = function("f", f)
        self.dimension = None if dimension is None else whole("dimension", dimension, least=1)

    def value(self, theta):
        """The function at `theta`, one number for each point, without a backward pass."""
        theta = as_point(theta, self.dimension)
        return _like(theta, self._leaf_and_value(theta)[1])

    def grad(self, theta):
        """Its gradient, of the shape of `theta`."""
        return self.value_and_grad(theta)[1]

    def value_and_grad(self, theta):
        """Both, from one forward and one backward pass."""
        theta = as_point(theta, self.dimension)
        value, slope, _ = self._graph(theta, create_graph=False)
        return _like(theta, value), _like(theta, slope)

    def hvp(self, theta, v):
        """The Hessian at `theta` times `v`; the two broadcast against each other."""
        return self.hessian(theta)(v)

    def hessian(self, theta):
        """The Hessian at `theta` as a function ``v -> H v`` that keeps the gradient's graph."""
        import torch

        theta = as_point(theta, self.dimension)
        _, slope, leaf = self._graph(theta, create_graph=True)

        def product(v):
            v = torch.as_tensor(as_point(v, self.dimension)).to(leaf)
            shape = torch.broadcast_shapes(leaf.shape, v.shape)
            if shape != leaf.shape:
                return self.hvp(array_namespace(theta).broadcast_to(theta, shape), v)
            if not slope.requires_grad:  # of a linear function
                return _like(theta, torch.zeros_like(leaf))
            options = {"retain_graph": True, "materialize_grads": True}
            return _like(theta, torch.autograd.grad(slope, leaf, v.expand(shape), **options)[0])

        return product

    def _graph(self, theta, create_graph):
        """The values and the gradient at `theta`, and the leaf of their graph."""
        import torch

        leaf, value = self._leaf_and_value(theta)
        options = {"create_graph": create_graph, "materialize_grads": True}
        with torch.enable_grad():
            (slope,) = torch.autograd.grad(value.sum(), leaf, **options)
        return value, slope, leaf

    def _leaf_and_value(self, theta):
        """The point as the leaf of a graph of its own, and the values there."""
        import torch

        leaf = theta.detach().clone() if hasattr(theta, "detach") else torch.tensor(theta)
        leaf.requires_grad_()
        with torch.enable_grad():
            return leaf, self._values(leaf)

    def _values(self, leaf):
        import torch

        if self.dimension is None or leaf.ndim == 1:
            value = self.f(leaf)
        else:
            rows = torch.vmap(self.f)(leaf.reshape(-1, self.dimension))
            value = rows.reshape(*leaf.shape[:-1], *rows.shape[1:])
        expected = leaf.shape if self.dimension is None else leaf.shape[:-1]
        if getattr(value, "shape", None) != expected or not value.requires_grad:
            what = getattr(value, "shape", type(value).__name__)
            raise ValueError(
                "f must be a differentiable torch function that answers with one number for each "
                f"point, shape {tuple(expected)} for theta of shape {tuple(leaf.shape)}, not {what}"
            )
        return value


def _like(theta, tensor):
    """The tensor, without its graph, as an array of the kind of `theta`."""
    return tensor.detach() if hasattr(theta, "detach") else tensor.detach().numpy()[()]


class QuadraticModel:
    """The second-order Taylor polynomial of a loss at a point, itself a loss.

    q(x) = L(p) + g·(x - p) + (x - p)·H(x - p) / 2, with the gradient g and the Hessian H at p: what
    descent would see if the loss were quadratic.

    Parameters
    ----------
    loss : Loss
        Its methods say what those of the model take.
    theta : array_like, shape () or (n,)
        The point p.

    Raises
    ------
    ValueError
        Unless `theta` is one finite point.
    TypeError
        Unless `loss` is a loss.

    Examples
    --------
    >>> from mslbook.loss import QuadraticModel
    >>> from mslbook.losses import f1
    >>> q = QuadraticModel(f1, 0.0)
    >>> q.value([0.1, 3.0]), f1.value([0.1, 3.0]).round(4)
    (array([0.005, 4.5  ]), array([0.0048, 2.5452]))
    """

    def __init__(self, loss: Loss, theta):
        self.dimension = a_loss(loss).dimension
        self.theta = as_point(theta, self.dimension)
        one = self.theta.ndim == (0 if self.dimension is None else 1)
        if not (one and array_namespace(self.theta).all(abs(self.theta) < inf)):
            raise ValueError(
                f"a quadratic model is made at one finite point, not at {repr(theta)[:60]}: make "
                "one for each point"
            )
        self._height, self._slope = loss.value(self.theta), loss.grad(self.theta)
        keep = getattr(loss, "hessian", None)  # one graph for all products, where there is one
        self._product = keep(self.theta) if keep else lambda v: loss.hvp(self.theta, v)

    def value(self, x):
        """The polynomial at `x`, of the shape of ``loss.value(x)``."""
        return self.value_and_grad(x)[0]

    def grad(self, x):
        """Its gradient g + H(x - p), of the shape of `x`."""
        return self.value_and_grad(x)[1]

    def value_and_grad(self, x):
        """Both, from one Hessian-vector product."""
        step = as_point(x, self.dimension) - self.theta
        bend = self._product(step)
        rise = (self._slope + bend / 2) * step
        return self._height + (rise if self.dimension is None else rise.sum(-1)), self._slope + bend

    def hvp(self, x, v):
        """The Hessian-vector product H v, the same at every `x`."""
        return self._product(v)
