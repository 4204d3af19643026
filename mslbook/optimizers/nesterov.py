"""Nesterov's accelerated gradient."""

from dataclasses import dataclass

from mslbook.optimizers.momentum import Momentum


@dataclass(frozen=True)
class Nesterov(Momentum):
    """Nesterov's method: v <- beta * v + grad, theta <- theta - lr * (grad + beta * v).

    Its edge is 2 (1 + beta) / ((1 + 2 beta) lr) (I. Sutskever et al., 2013, section 2).

    Examples
    --------
    >>> from mslbook import Nesterov
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
