"""Losses: what is descended, and what is measured.

The analytic ones need no torch; :mod:`mslbook.losses.network` has the loss of a torch model.
"""

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
from mslbook.losses.one_variable import (
    F1,
    F2,
    Clip,
    PseudoHuber,
    Quadratic,
    Reciprocal,
    Saturation,
)
from mslbook.losses.paper import f1, f2, f3, two_valleys, valley
from mslbook.losses.three_neurons import (
    EmpiricalLoss,
    PopulationLoss,
    three_neurons,
    three_neurons_piecewise,
)

__all__ = [
    "F1",
    "F2",
    "Clip",
    "Composed",
    "EmpiricalLoss",
    "FunctionLoss",
    "Landing",
    "Linear",
    "Loss",
    "PopulationLoss",
    "PseudoHuber",
    "Quadratic",
    "QuadraticModel",
    "Radial",
    "Reciprocal",
    "Ridge",
    "Saturation",
    "Scaled",
    "Staircase",
    "Sum",
    "Valley",
    "crossed_valleys",
    "f1",
    "f2",
    "f3",
    "separable",
    "three_neurons",
    "three_neurons_piecewise",
    "two_valleys",
    "valley",
]
