"""Losses: the protocol, the loss of any function, and a quadratic model of any loss."""

from functools import partial
from typing import Protocol

from mslbook._arrays import array_namespace, as_theta
from mslbook._checks import check_int, check_loss


class Loss(Protocol):
    """A function of the parameters with its gradient and Hessian-vector products.

    Attributes
    ----------
    dimension : int or None
        The number n of variables, with theta of shape (..., n), or None for a function of one
        variable, applied to every entry of theta.

    Notes
    -----
    A loss may also have ``value_and_grad(theta)``, which replaces the two in a subclass, for many
    products at one point ``hessian(theta)``, a function ``v -> H v``, and for all three at once
    ``value_grad_and_hessian(theta)``.
    """

    dimension: int | None

    def value(self, theta):
        """The loss, of shape (...,)."""
        return self.value_and_grad(theta)[0]

    def grad(self, theta):
        """The gradient, of the shape of `theta`."""
        return self.value_and_grad(theta)[1]

    def hvp(self, theta, v):
        """The Hessian at `theta` times the vector `v`, of the shape of `theta`."""


def value_and_grad(loss: Loss, theta):
    """Value and gradient, by the loss's own ``value_and_grad`` if it has one."""
    if hasattr(loss, "value_and_grad"):
        return loss.value_and_grad(theta)
    return loss.value(theta), loss.grad(theta)


def value_grad_and_hessian(loss: Loss, theta):
    """Value, gradient, and the Hessian as ``v -> H v``, from one graph if the loss can do that."""
    if hasattr(loss, "value_grad_and_hessian"):
        return loss.value_grad_and_hessian(theta)
    kept = loss.hessian(theta) if hasattr(loss, "hessian") else partial(loss.hvp, theta)
    return *value_and_grad(loss, theta), kept


class FunctionLoss(Loss):
    """Any differentiable torch function of the parameters as a loss.

    Parameters
    ----------
    f : callable
        Of a tensor of shape (n,), returning one number (batches pass through ``torch.vmap``);
        without a `dimension`, of a tensor of any shape, entry by entry.
    dimension : int, optional
        The number n of variables.

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
        """The function at `theta`, one number for each point."""
        theta = as_theta(theta, self.dimension)
        return _in_kind(theta, self._leaf_and_value(theta)[1])

    def value_and_grad(self, theta):
        """Value and gradient from one forward pass."""
        theta = as_theta(theta, self.dimension)
        leaf, value = self._leaf_and_value(theta)
        return _in_kind(theta, value), _in_kind(theta, _derivative(value, leaf))

    def hvp(self, theta, v):
        """The Hessian at `theta` times `v`; the two broadcast against each other."""
        return self.hessian(theta)(v)

    def hessian(self, theta):
        """The Hessian at `theta` as a function ``v -> H v`` that keeps the gradient's graph."""
        return self.value_grad_and_hessian(theta)[2]

    def value_grad_and_hessian(self, theta):
        """The loss, its gradient and `hessian` at `theta`, from one graph."""
        import torch

        theta = as_theta(theta, self.dimension)
        leaf, value = self._leaf_and_value(theta)
        slope = _derivative(value, leaf, create_graph=True)

        def product(v):
            v = torch.as_tensor(as_theta(v, self.dimension)).to(leaf)
            shape = torch.broadcast_shapes(leaf.shape, v.shape)
            if shape != leaf.shape:
                return self.hvp(array_namespace(theta).broadcast_to(theta, shape), v)
            if not slope.requires_grad:  # of a linear function
                return _in_kind(theta, torch.zeros_like(leaf))
            return _in_kind(theta, _derivative(slope, leaf, v.expand(shape), retain_graph=True))

        return _in_kind(theta, value), _in_kind(theta, slope), product

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
            raise ValueError("f must be differentiable by torch and give one number for each point")
        return leaf, value


def _derivative(outputs, leaf, weights=None, **options):
    import torch

    weights = torch.ones_like(outputs) if weights is None else weights
    return torch.autograd.grad(outputs, leaf, weights, materialize_grads=True, **options)[0]


def _in_kind(theta, tensor):
    """The tensor, without its graph, as an array of the kind of `theta`."""
    return tensor.detach() if hasattr(theta, "detach") else tensor.detach().numpy()[()]


class QuadraticModel(Loss):
    """The second-order Taylor polynomial of a loss at theta, itself a loss.

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
        self._value, self._grad, self._product = value_grad_and_hessian(loss, self.theta)

    def value_and_grad(self, x):
        """Value and gradient from one Hessian-vector product."""
        step = as_theta(x, self.dimension) - self.theta
        change = self._product(step)
        rise = (self._grad + change / 2) * step
        rise = rise if self.dimension is None else rise.sum(-1)
        return self._value + rise, self._grad + change

    def hvp(self, x, v):
        """The Hessian-vector product H v, the same at every `x`."""
        return self._product(v)
