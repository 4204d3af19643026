"""The quadratic approximation of any loss at a point."""

from math import inf

from array_api_compat import array_namespace

from mslbook.checks import a_loss
from mslbook.losses.protocol import Loss, as_point


class QuadraticApproximation:
    """The second-order Taylor polynomial of `loss` at `point`, itself a loss.

    q(x) = L(p) + g·(x - p) + (x - p)·H(x - p) / 2, with g and H the gradient and Hessian of
    `loss` at p: what gradient descent would see if the loss were quadratic (journal and preprint
    section 2.1). `point` is one point; the methods take what `loss` itself takes.

    Raises ValueError unless `point` is one finite point, TypeError unless `loss` is a loss.

    >>> from mslbook.losses import f1
    >>> q = QuadraticApproximation(f1, 0.0)
    >>> q.value([0.1, 3.0]), f1.value([0.1, 3.0]).round(4)
    (array([0.005, 4.5  ]), array([0.0048, 2.5452]))
    """

    def __init__(self, loss: Loss, point):
        self.dimension = a_loss(loss).dimension
        self.point = as_point(point, self.dimension)
        one = self.point.ndim == (0 if self.dimension is None else 1)
        if not (one and array_namespace(self.point).all(abs(self.point) < inf)):
            raise ValueError(
                f"the approximation is made at one finite point, not at {repr(point)[:60]}: make "
                "one for each point"
            )
        self._height, self._slope = loss.value(self.point), loss.grad(self.point)
        keep = getattr(loss, "hessian", None)  # one graph for all products, where there is one
        self._product = keep(self.point) if keep else lambda v: loss.hvp(self.point, v)

    def value(self, x):
        """The polynomial at `x`, of the shape of ``loss.value(x)``."""
        return self.value_and_grad(x)[0]

    def grad(self, x):
        """Its gradient g + H(x - p), of the shape of `x`."""
        return self.value_and_grad(x)[1]

    def value_and_grad(self, x):
        """Both, from one Hessian-vector product."""
        step = as_point(x, self.dimension) - self.point
        bend = self._product(step)
        rise = (self._slope + bend / 2) * step
        return self._height + (rise if self.dimension is None else rise.sum(-1)), self._slope + bend

    def hvp(self, x, v):
        """The Hessian-vector product H v, the same at every `x`."""
        return self._product(v)
