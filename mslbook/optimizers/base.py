"""The interface of an optimizer."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

from mslbook._arrays import as_real, check_lrs


@dataclass(frozen=True)
class Optimizer(ABC):
    """A rule that turns a gradient into an update of theta.

    A subclass is a frozen dataclass with `update`, `lr_times_edge` and, if it keeps arrays between
    updates, `init`. Its learning rate `lr` is a number, an array for a sweep, or a schedule
    ``lr(step)`` such as `decays`.
    """

    lr: Any

    def __post_init__(self):
        if not callable(self.lr):
            check_lrs(as_real("the learning rates", self.lr))

    def init(self, theta):
        """The state before the first update: a dict of str to array, to be saved as it is."""
        return {}

    @abstractmethod
    def update(self, theta, grad, state, lr):
        """Return the next theta and state, as new arrays; `lr` is that of this update."""

    def precondition(self, state):  # noqa: B027
        """The diagonal P that rescales the gradient, of the shape of theta; None for P = 1."""

    @property
    @abstractmethod
    def lr_times_edge(self):
        """The edge of stability at learning rate 1, a float."""

    def edge(self, lr=None):
        """The largest curvature at which the optimizer is stable on a quadratic loss.

        Of the Hessian H or, where `precondition` returns a P that changes slowly, of
        P^(-1/2) H P^(-1/2). An optimizer with a schedule needs `lr`, a float or array.
        """
        lr = self.lr if lr is None else lr
        if callable(lr):
            raise TypeError("a schedule has an edge at each step: pass edge(lr), such as lr(step)")
        return self.lr_times_edge / lr
