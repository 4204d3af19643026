"""Losses: the protocol, the loss of any function, and a quadratic model of any loss."""

from math import inf
from typing import Protocol

from array_api_compat import array_namespace

from mslbook._arrays import as_theta
from mslbook._checks import check_int, check_loss


class Loss(Protocol):
    """A function of the parameters with its gradient and Hessian-vector products.

    Everything that descends or measures a loss calls these methods alone, so a function of one
    variable and a deep network are treated alike.

    Attributes
    ----------
    dimension : int or None
        None for a function of one variable, applied to every entry of an array of shape (...,). An
        int n for a function of n variables, coordinates on the last axis: theta has shape (..., n).

    Notes
    -----
    A loss may also have ``value_and_grad(theta)``, where both together cost less than one by one,
    and ``hessian(theta)``, a function ``v -> H v`` for many products at one point.
    """

    dimension: int | None

    def value(self, theta):
        """The loss, of shape (...,)."""

    def grad(self, theta):
        """The gradient, of the shape of `theta`."""

    def hvp(self, theta, v):
        """The Hessian at `theta` times the vector `v`, of the shape of `theta`."""


def value_and_grad(loss: Loss, theta):
    """Value and gradient, by the loss's own ``value_and_grad`` if it has one."""
    if hasattr(loss, "value_and_grad"):
        return loss.value_and_grad(theta)
    return loss.value(theta), loss.grad(theta)


class FunctionLoss:
    """Any differentiable torch function of the parameters as a loss.

    Parameters
    ----------
    f : callable
        Takes a tensor and returns one number. With a `dimension` n it is called with theta of
        shape (n,), for batches of points through ``torch.vmap``; without one, with a tensor of any
        shape, entry by entry.
    dimension : int, optional
        The number n of variables; None for a function of one variable.

    Raises
    ------
    ValueError
        If `f` returns anything but one number for each point.

    Notes
    -----
    Derivatives of a tensor are tensors; NumPy arrays pass through torch in their own precision.

    Examples
    --------
    >>> from mslbook.loss import FunctionLoss
    >>> rosenbrock = FunctionLoss(lambda x: (1 - x[0])**2 + 100 * (x[1] - x[0]**2)**2, dimension=2)
    >>> rosenbrock.grad([0.0, 0.0]), rosenbrock.hvp([1.0, 1.0], [1.0, 0.0])
    (array([-2.,  0.]), array([ 802., -400.]))
    """

    def __init__(self, f, dimension=None):
        self.f = f
        self.dimension = None if dimension is None else check_int("dimension", dimension, least=1)

    def value(self, theta):
        """The function at `theta`, one number for each point, without a backward pass."""
        theta = as_theta(theta, self.dimension)
        return _like(theta, self._leaf_and_value(theta)[1])

    def grad(self, theta):
        """Its gradient, of the shape of `theta`."""
        return self.value_and_grad(theta)[1]

    def value_and_grad(self, theta):
        """Both, from one forward and one backward pass."""
        theta = as_theta(theta, self.dimension)
        value, slope, _ = self._graph(theta, create_graph=False)
        return _like(theta, value), _like(theta, slope)

    def hvp(self, theta, v):
        """The Hessian at `theta` times `v`; the two broadcast against each other."""
        return self.hessian(theta)(v)

    def hessian(self, theta):
        """The Hessian at `theta` as a function ``v -> H v`` that keeps the gradient's graph."""
        import torch

        theta = as_theta(theta, self.dimension)
        _, slope, leaf = self._graph(theta, create_graph=True)

        def product(v):
            v = torch.as_tensor(as_theta(v, self.dimension)).to(leaf)
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
            if self.dimension is None or leaf.ndim == 1:
                value = self.f(leaf)
            else:
                rows = torch.vmap(self.f)(leaf.reshape(-1, self.dimension))
                value = rows.reshape(*leaf.shape[:-1], *rows.shape[1:])
        shape = leaf.shape if self.dimension is None else leaf.shape[:-1]
        if getattr(value, "shape", None) != shape or not value.requires_grad:
            what = getattr(value, "shape", type(value).__name__)
            raise ValueError(
                "f must be a differentiable torch function that returns one number for each point, "
                f"shape {tuple(shape)} for theta of shape {tuple(leaf.shape)}, not {what}"
            )
        return leaf, value


def _like(theta, tensor):
    """The tensor, without its graph, as an array of the kind of `theta`."""
    return tensor.detach() if hasattr(theta, "detach") else tensor.detach().numpy()[()]


class QuadraticModel:
    """The second-order Taylor polynomial of a loss at theta, itself a loss.

    Parameters
    ----------
    loss : Loss
        The loss L.
    theta : array_like, shape () or (n,)
        Where the model is made.

    Raises
    ------
    ValueError
        Unless `theta` is one finite point.
    TypeError
        Unless `loss` is a loss.

    Notes
    -----
    q(x) = L + g·(x - theta) + (x - theta)·H(x - theta) / 2, with the value L, the gradient g and
    the Hessian H at theta.

    Examples
    --------
    >>> from mslbook.loss import QuadraticModel
    >>> from mslbook.losses import f1
    >>> q = QuadraticModel(f1, 0.0)
    >>> q.value([0.1, 3.0]), f1.value([0.1, 3.0]).round(4)
    (array([0.005, 4.5  ]), array([0.0048, 2.5452]))
    """

    def __init__(self, loss: Loss, theta):
        self.dimension = check_loss(loss).dimension
        self.theta = as_theta(theta, self.dimension)
        one = self.theta.ndim == (0 if self.dimension is None else 1)
        if not (one and array_namespace(self.theta).all(abs(self.theta) < inf)):
            raise ValueError(
                f"a quadratic model is made at one finite point, not at {theta!r:.60}: make one "
                "for each point"
            )
        self._value, self._grad = value_and_grad(loss, self.theta)
        keep = getattr(loss, "hessian", None)  # one graph for all products, where there is one
        self._product = keep(self.theta) if keep else lambda v: loss.hvp(self.theta, v)

    def value(self, x):
        """The polynomial at `x`, of the shape of ``loss.value(x)``."""
        return self.value_and_grad(x)[0]

    def grad(self, x):
        """The gradient g + H (x - theta), of the shape of `x`."""
        return self.value_and_grad(x)[1]

    def value_and_grad(self, x):
        """Both, from one Hessian-vector product."""
        step = as_theta(x, self.dimension) - self.theta
        change = self._product(step)
        rise = (self._grad + change / 2) * step
        rise = rise if self.dimension is None else rise.sum(-1)
        return self._value + rise, self._grad + change

    def hvp(self, x, v):
        """The Hessian-vector product H v, the same at every `x`."""
        return self._product(v)
