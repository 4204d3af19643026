"""Figure 3.2 (left and middle), preprint figure 3: a sharp minimum within a flat one.

With BatchNorm and without, of which the paper does not speak, and at the end of each training of
the ablation study of figure 3.1: what decides whether there are two scales.
"""

from dataclasses import replace
from functools import partial

import numpy as np
import torch

from mslbook.paper.experiments import Experiment
from mslbook.paper.images import accuracy
from mslbook.paper.subquadratic_growth.experiment import (
    ABLATIONS,
    BATCHNORM,
    Ablations,
    Descent,
)
from mslbook.probes import filter_normalised, line, random_direction, sharpness

TOL = 1e-2  # of the residual of the sharpness
RANDOM = 2  # random directions, each plain and filter-normalised
DECADES, PER_DECADE = 5, 16  # of distances on either side, up to REACH
REACH = 10  # times the length of the parameters


def record(run):
    """Train, and compute the lines: the arrays of `measured`."""
    run.describe(precision="float32, lines in float64")
    return run.settings.record(run, partial(measure, run), measured)


def record_ablations(run):
    """Train every choice, and compute the lines at its end, which alone is a point of it."""
    run.describe(precision="float32, lines in float64")
    ends = tuple(replace(choice, points=choice.points[-1:]) for choice in run.settings.choices)
    settings = replace(run.settings, choices=ends)
    return settings.record(run, partial(measure, run), partial(measured, which=-1))


def measured(descent, loss, training, which=slice(None)):
    """What was measured at P ``points``, or at one.

    The losses at ``distances`` (D,) in double precision: ``descent`` (P, D), positive downhill,
    ``random`` and ``filtered`` (P, R, D), along R random directions, plain and filter-normalised,
    which had the lengths ``filtered_norms`` (P, R); ``values``, ``sharpness``, ``accuracy``,
    ``gradient_norms`` and ``theta_norms`` (P,).
    """
    arrays = {name: np.array(rows[which]) for name, rows in training.rows.items()}
    points = np.array(descent.points[which])
    return arrays | {"points": points, "distances": distances_to(loss.theta)}


def distances_to(theta):
    """Distances on either side of 0, (D,), in decades up to `REACH` times the length of theta."""
    length = float(theta.norm())
    away = REACH * length * np.geomspace(10.0**-DECADES, 1, DECADES * PER_DECADE + 1)
    return np.concatenate([-away[::-1], [0.0], away])


def measure(run, descent, loss, step, theta, state):
    """All lines through one iterate. They take long, so that none is computed twice."""
    grad, distances = loss.grad(theta), distances_to(loss.theta)
    random = [random_direction(theta, seed) for seed in range(RANDOM)]
    filtered = [filter_normalised(loss, theta, direction) for direction in random]
    double, lines = loss.to(dtype=torch.float64), []
    with run.bar(f"lines at step {step}", 1 + 2 * RANDOM) as bar:
        for i, direction in enumerate((-grad, *random, *filtered)):
            draw = partial(line, double, theta.double(), direction.double(), distances)
            lines.append(run.cached(f"{descent.name}-{step}-line-{i}", draw))
            bar.update()
    lines = np.array(lines)
    return {
        "descent": lines[0],
        "random": lines[1 : 1 + RANDOM],
        "filtered": lines[1 + RANDOM :],
        "values": lines[0, len(distances) // 2],
        "sharpness": sharpness(loss, theta, tol=TOL).values[0],
        "accuracy": accuracy(loss.outputs(theta), loss.targets),
        "gradient_norms": float(grad.norm()),
        "theta_norms": float(theta.norm()),
        "filtered_norms": np.array([float(direction.norm()) for direction in filtered]),
    }, state


PLAIN = Experiment(
    "fig3_2_landscape",
    {
        "small": Descent(60, 1 / 16, 0.1, (0, 150)),
        "reduced": Descent(1000, 1 / 8, 0.05, (0, 200, 700, 1500)),
        "paper": Descent(5000, 1.0, 0.01, (0, 500, 2000, 5000), chunk=1000),
    },
    record,
    version=2,  # lines reach ten times as far as in the first
)
NORMALISED = Experiment(
    "fig3_2_normalised",
    {
        "small": Descent(60, 1 / 16, 0.02, (0, 40), BATCHNORM),
        "reduced": Descent(500, 1 / 8, 0.02, (0, 100, 200), BATCHNORM),
        "paper": Descent(5000, 1.0, 0.0025, (0, 200, 1000), BATCHNORM, chunk=1000),
    },
    record,
    version=2,
)
ABLATIONS_WIDE = replace(ABLATIONS, name="fig3_2_choices", record=record_ablations)


def _pairs(images, width, lr, steps, seeds, chunk=None):
    """Trainings that differ in BatchNorm and in the seed alone."""
    one = Descent(images, width, lr, (0, steps), chunk=chunk)
    choices = (
        replace(one, network=network, seed=seed, name=f"{network}, seed {seed}")
        for seed in range(seeds)
        for network in (BATCHNORM, "VGG11")
    )
    return Ablations(images, tuple(choices))


PAIRS = Experiment(
    "fig3_2_pairs",
    {
        "small": _pairs(60, 1 / 16, 0.02, 40, seeds=1),
        "reduced": _pairs(400, 1 / 8, 0.02, 1200, seeds=3),
        "paper": _pairs(5000, 1.0, 0.0025, 20_000, seeds=3, chunk=1000),
    },
    record_ablations,
)
