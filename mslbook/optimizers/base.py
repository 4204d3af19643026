"""What an optimizer is."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

from mslbook.checks import array_of, learning_rate, learning_rates, real_numbers


@dataclass(frozen=True)
class Optimizer(ABC):
    """A rule that turns a gradient into an update of the parameters.

    One file each: a subclass is a frozen dataclass that defines `update`, `lr_times_edge` and, if
    it keeps any arrays between updates, `init`.

    Parameters
    ----------
    lr : float, array_like or callable
        The learning rate, positive and finite; an array for a sweep, or a schedule ``lr(step)``
        such as :class:`~mslbook.descent.decays`.

    Raises
    ------
    ValueError or TypeError
        If a learning rate is not a positive, finite number.
    """

    lr: Any

    def __post_init__(self):
        if callable(self.lr):
            return
        if array_of("the learning rates", self.lr).ndim:
            learning_rates(real_numbers("the learning rates", self.lr))
        else:
            learning_rate(self.lr)

    def init(self, theta):
        """The state before the first update: a dictionary of arrays, to be saved as they are."""
        return {}

    @abstractmethod
    def update(self, theta, grad, state, lr):
        """The parameters and the state after an update at this learning rate.

        Parameters
        ----------
        theta, grad : ndarray or Tensor
            The parameters and the gradient there, of one shape.
        state : dict of str to array
            What `init` or the last update returned.
        lr : float or array
            The learning rate of this update.

        Returns
        -------
        tuple of (theta, state)
            New arrays; the given ones are left as they are.
        """

    def precondition(self, state):  # noqa: B027
        """The diagonal P by which the optimizer rescales the coordinates; None for P = 1."""

    @property
    @abstractmethod
    def lr_times_edge(self):
        """The edge of stability at learning rate 1."""

    def edge(self, lr=None):
        """The largest curvature at which the optimizer is stable on a quadratic loss.

        It concerns the eigenvalues of the Hessian H or, where `precondition` returns a diagonal P,
        those of P^(-1/2) H P^(-1/2) while P changes slowly.

        Parameters
        ----------
        lr : float or array, optional
            The learning rate, by default the optimizer's own.

        Returns
        -------
        float or array

        Raises
        ------
        TypeError
            If the optimizer's learning rate is a schedule and none is given.
        """
        lr = self.lr if lr is None else lr
        if callable(lr):
            raise TypeError("a schedule has an edge at each step: pass edge(lr), such as lr(step)")
        return self.lr_times_edge / lr
