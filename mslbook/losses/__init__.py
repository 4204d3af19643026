"""Losses in closed form, without torch; that of a torch model is in `mslbook.losses.network`."""

from .. import _public
from ..loss import FunctionLoss, Loss, QuadraticModel
from .combine import (
    Composed,
    Linear,
    Radial,
    Ridge,
    Scaled,
    Sum,
    Valley,
    crossed_valleys,
    separable,
)
from .counterexamples import Landing, Staircase
from .one_variable import F1, F2, Clip, PseudoHuber, Quadratic, Reciprocal, Saturation
from .paper import f1, f2, f3, two_valleys, valley
from .three_neurons import EmpiricalLoss, PopulationLoss, three_neurons, three_neurons_piecewise

__all__ = _public.names(globals())
