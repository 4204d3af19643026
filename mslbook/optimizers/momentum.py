"""Gradient descent with momentum."""

from dataclasses import dataclass

from mslbook._arrays import array_namespace
from mslbook._checks import check_real
from mslbook.optimizers.base import Optimizer


@dataclass(frozen=True)
class Momentum(Optimizer):
    """Heavy ball: v <- beta * v + grad, theta <- theta - lr * v, with the edge 2 (1 + beta) / lr.

    In the form of ``torch.optim.SGD`` (B. T. Polyak, 1964).

    Examples
    --------
    >>> from mslbook import Momentum
    >>> Momentum(lr=0.25, beta=0.5).edge()
    12.0
    """

    beta: float = 0.9

    def __post_init__(self):
        super().__post_init__()
        check_real("momentum", self.beta, least=0, below=1)

    def init(self, theta):
        """A velocity of 0."""
        return {"velocity": array_namespace(theta).zeros_like(theta)}

    def update(self, theta, grad, state, lr):
        """One step along the new velocity."""
        velocity = self.beta * state["velocity"] + grad
        return theta - lr * velocity, {"velocity": velocity}

    @property
    def lr_times_edge(self):
        """2 (1 + beta)."""
        return 2 * (1 + self.beta)
