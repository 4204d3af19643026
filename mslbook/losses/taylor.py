"""The quadratic approximation of any loss at a point."""


class QuadraticApproximation:
    """The second-order Taylor polynomial of `loss` at `point`, itself a loss.

    q(x) = L(p) + g·(x - p) + (x - p)·H(x - p) / 2, with g and H the gradient and Hessian of
    `loss` at p. Descending it shows what the world would be like if the loss were quadratic
    (journal section 2.1, preprint section 2.1). Points have the shape of `point`, a flat vector.

    >>> from mslbook.losses import valley
    >>> import numpy as np
    >>> q = QuadraticApproximation(valley, np.array([1.0, 1.0]))
    >>> bool(np.isclose(q.value(np.array([1.0, 1.01])), valley.value([1.0, 1.01]), atol=1e-6))
    True
    """

    def __init__(self, loss, point):
        self.point, self.dimension = point, loss.dimension
        self._height, self._slope = loss.value(point), loss.grad(point)
        keep = getattr(loss, "hessian", None)
        self._product = keep(point) if keep else lambda v: loss.hvp(point, v)

    def value(self, x):
        """The polynomial at `x`, a scalar."""
        return self.value_and_grad(x)[0]

    def grad(self, x):
        """Its gradient g + H(x - p), of the shape of `x`."""
        return self._slope + self._product(x - self.point)

    def value_and_grad(self, x):
        """Both, from one Hessian-vector product."""
        step = x - self.point
        bend = self._product(step)
        return self._height + ((self._slope + bend / 2) * step).sum(), self._slope + bend

    def hvp(self, x, v):
        """The Hessian-vector product H v, the same at every `x`."""
        return self._product(v)
