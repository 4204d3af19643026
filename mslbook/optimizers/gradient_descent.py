"""Gradient descent."""

from dataclasses import dataclass

from mslbook.optimizers.base import Optimizer


@dataclass(frozen=True)
class GradientDescent(Optimizer):
    """Gradient descent: theta <- theta - lr * grad, with the edge 2 / lr.

    Examples
    --------
    >>> from mslbook import GradientDescent
    >>> GradientDescent(lr=0.1).edge()
    20.0
    """

    lr_times_edge = 2.0

    def update(self, theta, grad, state, lr):
        """One step against the gradient."""
        return theta - lr * grad, state
