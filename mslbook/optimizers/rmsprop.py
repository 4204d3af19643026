"""RMSProp."""

from dataclasses import dataclass

from mslbook._arrays import array_namespace
from mslbook._checks import check_real
from mslbook.optimizers.base import Optimizer


@dataclass(frozen=True)
class RMSProp(Optimizer):
    """RMSProp: s <- decay * s + (1 - decay) * grad², theta <- theta - lr * grad / (√s + eps).

    With the diagonal P = √s + eps, its edge is 2 / lr (J. Cohen et al., 2022).

    Examples
    --------
    >>> from mslbook import RMSProp
    >>> RMSProp(lr=0.001).edge()
    2000.0
    """

    decay: float = 0.99
    eps: float = 1e-8
    lr_times_edge = 2.0

    def __post_init__(self):
        super().__post_init__()
        check_real("decay", self.decay, least=0, below=1)
        check_real("eps", self.eps, above=0)

    def init(self, theta):
        """A mean square of 0."""
        return {"square": array_namespace(theta).zeros_like(theta)}

    def update(self, theta, grad, state, lr):
        """One step against the gradient over its root mean square."""
        state = {"square": self.decay * state["square"] + (1 - self.decay) * grad * grad}
        return theta - lr * grad / self.precondition(state), state

    def precondition(self, state):
        """The root mean square of the gradients, plus eps."""
        return state["square"] ** 0.5 + self.eps
