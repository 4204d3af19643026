"""Figure 3.2 (left and middle), preprint figure 3: what decides whether there are two scales.

Loss over decades of distance at the end of each ablation of
:mod:`mslbook.paper.subquadratic_growth.ablations`.
"""

from dataclasses import replace
from functools import partial

import numpy as np

from mslbook.paper.experiments import Experiment
from mslbook.paper.network_scales.experiment import distances_to, measure
from mslbook.paper.subquadratic_growth.ablations import ABLATIONS, loss_of, train


def record(run):
    """Train every variant, and compute the lines.

    The names of the arrays begin with that of the variant, as in ``tanh.distances``. For a variant
    with S steps they are ``lr`` (), ``losses`` (S + 1,) and ``distances`` (D,), and at the end
    of its training those that :mod:`~mslbook.paper.network_scales.experiment` records at every
    point.
    """
    arrays = {}
    for variant in run.settings.choices:
        loss = loss_of(run, variant)
        distances = distances_to(loss.theta)
        lines = partial(measure, run, loss, distances)
        training = train(run, variant, loss, (variant.steps,), lines)
        found = {"lr": np.asarray(variant.lr), "losses": training.losses, "distances": distances}
        found |= {name: np.asarray(rows[-1]) for name, rows in training.rows.items()}
        arrays |= {f"{variant.name}.{name}": array for name, array in found.items()}
    run.describe(precision="float32, lines in float64")
    return arrays


def _once(settings):
    """The same trainings, measured at their end alone."""
    variants = (replace(one, every=one.steps, probes=1) for one in settings.choices)
    return replace(settings, choices=tuple(variants))


ABLATIONS_WIDE = Experiment(
    "fig3_2_choices",
    {size: _once(settings) for size, settings in ABLATIONS.settings.items()},
    record,
)
