"""Adam."""

from dataclasses import dataclass

from mslbook._arrays import array_namespace
from mslbook._checks import check_real
from mslbook.optimizers.base import Optimizer


@dataclass(frozen=True)
class Adam(Optimizer):
    """Adam, in the form of ``torch.optim.Adam``, with the edge 2 (1 + beta1) / ((1 - beta1) lr).

    After t updates P = (1 - beta1^t) (√(s / (1 - beta2^t)) + eps), s the mean of squares
    (D. Kingma and J. Ba, 2015; for its edge J. Cohen et al., 2022).

    Examples
    --------
    >>> from mslbook import Adam
    >>> round(Adam(lr=0.001).edge())
    38000
    """

    beta1: float = 0.9
    beta2: float = 0.999
    eps: float = 1e-8

    def __post_init__(self):
        super().__post_init__()
        check_real("beta1", self.beta1, least=0, below=1)
        check_real("beta2", self.beta2, least=0, below=1)
        check_real("eps", self.eps, above=0)

    def init(self, theta):
        """Means of 0, after 0 updates."""
        xp = array_namespace(theta)
        zero = xp.zeros_like(theta)
        return {"mean": zero, "square": zero, "count": xp.asarray(0, device=theta.device)}

    def update(self, theta, grad, state, lr):
        """One step along the mean gradient over its root mean square."""
        state = {
            "mean": self.beta1 * state["mean"] + (1 - self.beta1) * grad,
            "square": self.beta2 * state["square"] + (1 - self.beta2) * grad * grad,
            "count": state["count"] + 1,
        }
        return theta - lr * state["mean"] / self.precondition(state), state

    def precondition(self, state):
        """P after the updates counted in the state, at least one."""
        count = int(state["count"])
        if count == 0:
            raise ValueError("Adam has no preconditioner before its first update")
        root = (state["square"] / (1 - self.beta2**count)) ** 0.5
        return (1 - self.beta1**count) * (root + self.eps)

    @property
    def lr_times_edge(self):
        """2 (1 + beta1) / (1 - beta1)."""
        return 2 * (1 + self.beta1) / (1 - self.beta1)
