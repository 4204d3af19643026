"""Losses in closed form, without torch; that of a torch model is in `mslbook.losses.network`."""

from mslbook import _public
from mslbook.loss import FunctionLoss, Loss, QuadraticModel
from mslbook.losses.combine import (
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
from mslbook.losses.counterexamples import Landing, Staircase
from mslbook.losses.one_variable import F1, F2, Clip, PseudoHuber, Quadratic, Reciprocal, Saturation
from mslbook.losses.paper import f1, f2, f3, two_valleys, valley
from mslbook.losses.three_neurons import EmpiricalLoss, PopulationLoss, three_neurons

__all__ = _public.names(globals())
