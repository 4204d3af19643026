"""Figure 3.2 (left and middle), preprint figure 3: what decides whether there are two wells.

The trainings of :mod:`mslbook.paper.subquadratic_growth.ablations`, one thing changed at a time,
looked at from afar at their end.
"""

from dataclasses import replace
from functools import partial

import numpy as np

from mslbook.paper.experiments import Recipe
from mslbook.paper.network_scales.experiment import kept, measure, wide
from mslbook.paper.recording import environment
from mslbook.paper.subquadratic_growth.ablations import CHOICES, Trainings

VERSION = 1


def record(name, chosen, pictures, size, device, folder, progress):
    """Train with every choice, and draw the lines; returns what to record and its provenance.

    The names of the arrays begin with that of the choice, as in ``tanh.distances``. For a choice
    with S steps they are ``lr`` (), ``losses`` (S + 1,) and ``distances`` (D,), and at the end
    of its training those that :mod:`~mslbook.paper.network_scales.experiment` records at every
    point.
    """
    trainings = Trainings(name, VERSION, chosen, pictures, size, device, folder)
    trainings.check()
    here = environment(device)
    arrays, runs = {}, []
    for choice in chosen.choices:
        loss = trainings.loss(choice)
        distances, end = wide(float(loss.point.norm())), (choice.steps,)
        keep = partial(kept, folder, trainings.identity | here | {"choice": choice.name})
        lines = partial(measure, loss, distances, keep, progress)
        training = trainings.run(choice, loss, end, lines, progress)
        found = {"lr": choice.lr, "losses": np.array(training.losses, dtype=np.float32)}
        found |= {"distances": distances} | {row: at[-1] for row, at in training.rows.items()}
        arrays |= {f"{choice.name}.{row}": np.asarray(its) for row, its in found.items()}
        runs.append(training)
    return arrays, trainings.provenance(runs) | {"precision": "float32, lines in float64"}


def _settings(data, size):
    """Those of figure 3.1, looked at once."""
    chosen = CHOICES.settings(data, size)
    once = (replace(choice, every=choice.steps, probes=1) for choice in chosen.choices)
    return replace(chosen, choices=tuple(once))


CHOICES_FROM_AFAR = Recipe("fig3_2_choices", _settings, record)
