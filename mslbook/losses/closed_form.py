"""The base of the losses in closed form."""

from itertools import chain

from mslbook._arrays import array_namespace, as_theta, like
from mslbook.loss import Loss


class ClosedForm(Loss):
    """A loss given by a formula; its answers have the kind, dtype and device of the parameters.

    A subclass is a frozen dataclass that gives ``_value_and_grad(xp, x)`` and ``_hvp(xp, x, v)``,
    where ``xp`` is the namespace of the arrays, and ``_grad(xp, x)`` where that costs less.
    """

    dimension = None

    @property
    def reentrant(self):
        """Whether several threads may evaluate it at once, as they may if it is made of such."""
        parts = chain(vars(self).values(), getattr(self, "terms", ()))
        return all(getattr(part, "reentrant", False) for part in parts if hasattr(part, "hvp"))

    def value_and_grad(self, x):
        """Value and gradient, which share most of their work."""
        x = as_theta(x, self.dimension)
        value, grad = self._value_and_grad(array_namespace(x), x)
        return value[()], grad[()]  # a scalar rather than NumPy's array of no axes

    def grad(self, x):
        """The gradient, of the shape of `x`."""
        x = as_theta(x, self.dimension)
        return self._grad(array_namespace(x), x)[()]

    def _grad(self, xp, x):
        return self._value_and_grad(xp, x)[1]

    def hvp(self, x, v):
        """The Hessian at `x` times `v`; the two broadcast against each other."""
        x, v = as_theta(x, self.dimension), as_theta(v, self.dimension)
        xp = array_namespace(x)
        return self._hvp(xp, *xp.broadcast_arrays(x, like(x, v)))[()]
