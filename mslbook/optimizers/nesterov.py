"""Nesterov's accelerated gradient."""

from dataclasses import dataclass

from mslbook.optimizers.momentum import Momentum


@dataclass(frozen=True)
class Nesterov(Momentum):
    """Nesterov: v <- beta * v + grad, theta <- theta - lr * (grad + beta * v).

    As ``torch.optim.SGD(nesterov=True)`` does. Stable up to the sharpness
    2 (1 + beta) / ((1 + 2 beta) lr).

    Parameters
    ----------
    lr : float, array_like or callable
        The learning rate, or a schedule ``lr(step)``.
    beta : float
        The momentum, at least 0 and below 1.

    Raises
    ------
    ValueError
        If a learning rate or `beta` is out of range.

    References
    ----------
    I. Sutskever, J. Martens, G. Dahl and G. Hinton, "On the importance of initialization and
    momentum in deep learning" (2013), section 2.

    Examples
    --------
    >>> from mslbook.optimizers import Nesterov
    >>> Nesterov(lr=0.1, beta=0.5).edge()
    15.0
    """

    def update(self, theta, grad, state, lr):
        """One step along the gradient and the velocity that it leads to."""
        velocity = self.beta * state["velocity"] + grad
        return theta - lr * (grad + self.beta * velocity), {"velocity": velocity}

    @property
    def lr_times_edge(self):
        """2 (1 + beta) / (1 + 2 beta)."""
        return 2 * (1 + self.beta) / (1 + 2 * self.beta)
