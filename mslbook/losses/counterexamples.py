"""Counterexamples: what definition 4.1 of Ma et al. (2022) does not exclude."""

from dataclasses import dataclass

from mslbook.losses.closed_form import ClosedForm
from mslbook.losses.paper import f1


@dataclass(frozen=True)
class Staircase(ClosedForm):
    """ln(1 + s²) / 2 with s = x + sin x, stationary at every odd multiple of π.

    It satisfies definition 4.1 of Ma et al. (2022) with c = 1 (preprint, definition 1).
    """

    def _value_and_grad(self, xp, x):
        s, slope = x + xp.sin(x), 2 * xp.cos(x / 2) ** 2
        return xp.log1p(s * s) / 2, s / (1 + s * s) * slope

    def _hvp(self, xp, x, v):
        s, slope = x + xp.sin(x), 2 * xp.cos(x / 2) ** 2
        u = 1 / (1 + s**2)
        return ((1 - s * s) * u * u * slope * slope - s * u * xp.sin(x)) * v


@dataclass(frozen=True)
class Landing(ClosedForm):
    """A minimum of curvature 6 that descent of learning rate 1 reaches exactly from [1, 2].

    It satisfies definition 4.1 of Ma et al. (2022) (preprint, definition 1).

    Examples
    --------
    >>> from mslbook.losses import Landing
    >>> Landing().grad([1.0, 1.5, 2.0])
    array([1. , 1.5, 2. ])
    """

    def _parts(self, xp, x):
        a = xp.abs(x)
        return xp.clip(a, 0.0, 2.0), xp.clip(a - 2, 0.0, None), xp.clip(1 - x * x, 0.0, None)

    def _value_and_grad(self, xp, x):
        near, far, hollow = self._parts(xp, x)
        value = near * near / 2 + 2 * far + f1.value(far) + 5 / 6 * (1 - hollow**3)
        return value, xp.sign(x) * (near + xp.log1p(far)) + 5 * x * hollow**2

    def _hvp(self, xp, x, v):
        _, far, hollow = self._parts(xp, x)
        return (1 / (1 + far) + 5 * hollow * (hollow - 4 * x * x)) * v
