"""Figure 3.2 (left and middle), preprint figure 3: a sharp minimum within a flat one.

With BatchNorm and without, of which the paper does not speak.
"""

from dataclasses import dataclass
from functools import partial

import numpy as np
import torch

from mslbook.networks import vgg11
from mslbook.optimizers import GradientDescent
from mslbook.paper.experiments import Experiment
from mslbook.paper.images import accuracy, convolutional_loss
from mslbook.paper.recording import fingerprint
from mslbook.probes import filter_normalised, line, random_direction, sharpness

TOL = 1e-2  # of the residual of the sharpness
RANDOM = 2  # random directions, each plain and filter-normalised
DECADES, PER_DECADE = 5, 16  # of distances on either side, up to REACH
REACH = 10  # times the length of the parameters


@dataclass(frozen=True)
class Settings:
    """Full-batch descent of VGG11 with learning rate `lr`, and wide lines at some `points`.

    `points` are steps in their order, the last of them the end of the training; `chunk` images are
    evaluated at a time.
    """

    images: int
    width: float
    lr: float
    points: tuple[int, ...]
    loss: str = "half squared error"
    chunk: int = 1000
    seed: int = 0
    batchnorm: bool = False


def record(run):
    """Train, and compute the lines.

    Arrays, with P points, D distances, R random directions and S steps: ``points`` (P,), the steps;
    ``distances`` (D,), in units of the parameters, 0 in their middle and five decades on either
    side, up to ten times the length of the initial parameters; the losses along them, of the
    double precision in which they are computed:
    ``descent`` (P, D), positive distances downhill, ``random`` and ``filtered`` (P, R, D), the
    latter filter-normalised; at each point ``values``, ``sharpness``, ``accuracy``,
    ``gradient_norms``, ``theta_norms`` (P,) and ``filtered_norms`` (P, R), the lengths that the
    filter-normalised directions had; ``lr`` () and ``losses`` (S + 1,) of descent.
    """
    settings = run.settings
    classes = len(run.images.class_names)
    model = vgg11(classes, settings.width, settings.batchnorm, seed=settings.seed)
    loss = convolutional_loss(
        model, run.images, settings.images, run.device, settings.loss, settings.chunk
    )
    run.describe(
        network=f"VGG11 of width {settings.width:g}, {loss.dimension} parameters, He's normal "
        f"initialisation, {'BatchNorm' if settings.batchnorm else 'no BatchNorm'}",
        loss=f"{settings.loss}, channels standardised",
        optimiser=f"full-batch gradient descent, η = {settings.lr:g}",
        precision="float32, lines in float64",
        seed=settings.seed,
        steps=settings.points[-1],
    )
    distances = distances_to(loss.theta)
    training = run.train(
        loss,
        GradientDescent(settings.lr),
        settings.points[-1],
        probes=settings.points,
        measure=partial(measure, run, loss, distances),
        name="VGG11",
    )
    return {
        "lr": np.array(settings.lr),
        "points": settings.points,
        "distances": distances,
        "losses": training.losses,
    } | {name: np.array(rows) for name, rows in training.rows.items()}


def distances_to(theta):
    """Distances on either side of 0, (D,), in decades up to `REACH` times the length of theta."""
    length = float(theta.norm())
    away = REACH * length * np.geomspace(10.0**-DECADES, 1, DECADES * PER_DECADE + 1)
    return np.concatenate([-away[::-1], [0.0], away])


def measure(run, loss, distances, step, theta, state):
    """All lines through one iterate. They take long, so that none is computed twice."""
    grad, double = loss.grad(theta), loss.to(dtype=torch.float64)
    random = [random_direction(theta, seed) for seed in range(RANDOM)]
    filtered = [filter_normalised(loss, theta, direction) for direction in random]
    with run.bar(f"lines at step {step}", 1 + 2 * RANDOM) as bar:

        def cached_line(direction):
            bar.update()
            of = theta.double(), direction.double()
            hashed = fingerprint(*(tensor.cpu().numpy() for tensor in of))
            return run.cached(f"line-{hashed}", lambda: line(double, *of, distances))

        row = {
            "descent": cached_line(-grad),
            "random": np.array([cached_line(direction) for direction in random]),
            "filtered": np.array([cached_line(direction) for direction in filtered]),
        }
    return row | {
        "values": row["descent"][len(distances) // 2],
        "sharpness": sharpness(loss, theta, tol=TOL).values[0],
        "accuracy": accuracy(loss.outputs(theta), loss.targets),
        "gradient_norms": float(grad.norm()),
        "theta_norms": float(theta.norm()),
        "filtered_norms": np.array([float(direction.norm()) for direction in filtered]),
    }, state


PLAIN = Experiment(
    "fig3_2_landscape",
    {
        "small": Settings(60, 1 / 16, lr=0.1, points=(0, 150)),
        "reduced": Settings(1000, 1 / 8, lr=0.05, points=(0, 200, 700, 1500)),
        "paper": Settings(50_000, 1.0, lr=0.05, points=(0, 500, 2000, 5000)),
    },
    record,
    version=2,  # lines reach ten times as far as in the first
)
NORMALISED = Experiment(
    "fig3_2_normalised",
    {
        "small": Settings(60, 1 / 16, lr=0.02, points=(0, 40), batchnorm=True),
        "reduced": Settings(500, 1 / 8, lr=0.02, points=(0, 100, 200), batchnorm=True),
        "paper": Settings(50_000, 1.0, lr=0.02, points=(0, 200, 1000), batchnorm=True),
    },
    record,
    version=2,
)
