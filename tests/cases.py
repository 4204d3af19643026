"""Every loss, named once: the shared tests of test_losses.py take them from here."""

import numpy as np
from scipy import stats

from mslbook.losses import (
    F1,
    F2,
    Clip,
    Composed,
    EmpiricalLoss,
    Landing,
    Linear,
    PopulationLoss,
    PseudoHuber,
    Quadratic,
    Radial,
    Reciprocal,
    Ridge,
    Saturation,
    Scaled,
    Staircase,
    Sum,
    Valley,
    f1,
    f2,
    f3,
    two_valleys,
    valley,
)

BASIS = np.linalg.qr(np.random.default_rng(0).normal(size=(3, 3)))[0]
BOWL = Sum((Radial(Quadratic(0.3, minimum=1.0), 2), Ridge(F1(), (1.0, -2.0))))  # positive

LOSSES = {
    "f1": f1,
    "f2": f2,
    "f3": f3,
    "valley": valley,
    "two_valleys": two_valleys,
    "PseudoHuber": PseudoHuber(),
    "Quadratic": Quadratic(2.5, minimum=-1.0),
    "Saturation": Saturation(),
    "Saturation, height 0.3": Saturation(0.3),
    "Clip": Clip(0.25),
    "Reciprocal": Reciprocal(),
    "Landing": Landing(),
    "Staircase": Staircase(),
    "EmpiricalLoss": EmpiricalLoss([0.3, 0.7, 4.0]),
    "PopulationLoss": PopulationLoss(stats.lognorm(1.0)),
    "Scaled": Scaled(-0.7, F2(0.8)),
    "Ridge": Ridge(F2(0.8), (0.5, -1.0, 2.0)),
    "Radial": Radial(f1, dimension=3),
    "Valley": Valley(f1, h=BOWL),
    "Linear": Linear(two_valleys, ((1.0, 2.0, 3.0), (0.5, -1.0, 0.0))),
    "Composed": Composed(Saturation(), f3),
    "Composed, one variable": Composed(Saturation(), f1),
    "Sum": Sum(tuple(Ridge(f, p) for f, p in zip((f1, f2, Quadratic()), BASIS.T, strict=True))),
    "Sum, one variable": Sum((f1, Quadratic(0.1))),
}
