"""Every loss and optimizer, for the shared tests: whatever is exported, and what needs arguments.

What can be made without arguments, but for the learning rate, is here by being exported.
"""

import numpy as np
from scipy import stats

from mslbook import losses, optimizers
from mslbook.losses import (
    F1,
    F2,
    Clip,
    Composed,
    EmpiricalLoss,
    Linear,
    PopulationLoss,
    Quadratic,
    Radial,
    Ridge,
    Saturation,
    Scaled,
    Sum,
    Valley,
    f1,
    f2,
    f3,
    two_valleys,
)


def exported(package, base, *arguments):
    """What a package exports that does what `base` does; of a class, one made from `arguments`."""
    methods = [name for name in vars(base) if not name.startswith("_")]
    found = {}
    for name in package.__all__:
        one = getattr(package, name)
        if one is not base and all(hasattr(one, method) for method in methods):
            try:
                found[name] = one(*arguments) if isinstance(one, type) else one
            except TypeError:
                continue  # a class that needs more
    return found


OPTIMIZERS = exported(optimizers, optimizers.Optimizer, 0.05)

BASIS = np.linalg.qr(np.random.default_rng(0).normal(size=(3, 3)))[0]
BOWL = Sum((Radial(Quadratic(0.3, minimum=1.0), 2), Ridge(F1(), (1.0, -2.0))))  # positive

LOSSES = exported(losses, losses.Loss) | {
    "Quadratic": Quadratic(2.5, minimum=-1.0),
    "Saturation, height 0.3": Saturation(0.3),
    "Clip": Clip(0.25),
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
