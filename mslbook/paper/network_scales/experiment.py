"""Figure 3.2 (left and middle), preprint figure 3: a sharp well within a flat one.

With BatchNorm and without, of which the paper does not speak.
"""

from dataclasses import dataclass
from functools import partial
from typing import ClassVar

import numpy as np
import torch

from mslbook.descent import iterate
from mslbook.losses import distributed
from mslbook.models import vgg11
from mslbook.paper.experiments import Recipe, by_size
from mslbook.paper.images import convolutional_loss, identify
from mslbook.paper.recording import environment, fingerprint, load, save
from mslbook.paper.training import accuracy, environments, plain, progress_bar, train
from mslbook.probes import filter_normalised, line, random_direction, sharpness

VERSION = 2  # lines reach ten times as far as in the first
SEED = 0
TOL = 1e-2  # of the residual of the sharpness
RANDOM = 2  # random directions, each plain and filter-normalised
DECADES, PER_DECADE = 5, 16  # of distances on either side, up to REACH
REACH = 10  # times the length of the parameters


@dataclass(frozen=True)
class Settings:
    """Full-batch descent of VGG11 with learning rate `lr`, looked at from afar at some `points`.

    `points` are steps in their order, the last of them the end of the run; `chunk` pictures are
    evaluated at a time.
    """

    pictures: int
    width: float
    lr: float
    points: tuple[int, ...]
    loss: str = "half squared error"
    chunk: int = 1000
    batchnorm: ClassVar[bool] = False  # of the recipe, no setting


@dataclass(frozen=True)
class Normalised(Settings):
    """The same for VGG11 with BatchNorm behind each convolution."""

    batchnorm: ClassVar[bool] = True


def record(name, chosen, pictures, size, device, folder, progress):
    """Train, and draw the lines; returns the arrays to record and their provenance.

    Arrays, with P points, D distances, R random directions and S steps: ``points`` (P,), the steps;
    ``distances`` (D,), in units of the parameters, 0 in their middle and five decades on either
    side, up to ten times the length of the initial parameters; the losses along them, of the
    double precision in which they are computed:
    ``descent`` (P, D), positive distances downhill, ``random`` and ``filtered`` (P, R, D), the
    latter filter-normalised; at each point ``values``, ``sharpness``, ``accuracy``,
    ``gradient_norms``, ``theta_norms`` (P,) and ``filtered_norms`` (P, R), the lengths that the
    filter-normalised directions had; ``lr`` () and ``losses`` (S + 1,) of descent.
    """
    count = chosen.pictures
    identity = identify(name, VERSION, pictures, count, size, chosen, device)
    model = vgg11(len(pictures.class_names), chosen.width, chosen.batchnorm, seed=SEED)
    loss = convolutional_loss(model, pictures, count, device, chosen.loss, chosen.chunk)
    distances = wide(float(loss.point.norm()))
    keep = partial(kept, folder, identity | environment(device))
    training = train(
        loss,
        partial(iterate, lr=chosen.lr),
        chosen.points[-1],
        probes=chosen.points,
        measure=partial(measure, loss, distances, keep, progress),
        checkpoint=folder / "checkpoint.npz",
        identity=identity | {"seed": SEED},
        label=f"VGG11, η = {chosen.lr:g}",
        progress=progress,
    )
    arrays = {
        "lr": np.array(chosen.lr),
        "points": np.array(chosen.points),
        "distances": distances,
        "losses": np.array(training.losses, dtype=np.float32),
        **{name: np.array(rows) for name, rows in training.rows.items()},
    }
    provenance = (
        identity
        | environments(device, training)
        | {
            "network": f"VGG11 of width {chosen.width:g}, {loss.dimension} parameters, He's "
            f"normal initialisation, {'BatchNorm' if chosen.batchnorm else 'no BatchNorm'}",
            "loss": f"{chosen.loss}, channels standardised",
            "optimiser": f"full-batch gradient descent, η = {chosen.lr:g}",
            "precision": "float32, lines in float64",
            "seed": SEED,
            "steps": chosen.points[-1],
            "wall_seconds": round(training.seconds),
        }
    )
    return arrays, provenance


def kept(folder, identity, losses, theta, direction):
    """``losses(theta, direction)``, an array, from the file of a run that was killed behind it.

    The lines through one point take long, so that a run that goes on draws none of them twice. The
    identity names the environment too, since the lines are no part of a checkpoint.
    """
    points = (tensor.cpu().numpy() for tensor in (theta, direction))
    path, identity = folder / f"line-{fingerprint(*points)}.npz", plain(identity)
    found = load(path) if path.is_file() else None
    usable = torch.tensor(float(found is not None and found.provenance == identity))
    if distributed.total(usable.to(theta.device)) == distributed.ranks():  # by all, or by none
        return found["losses"]
    found = losses(theta, direction)
    if distributed.rank() == 0:
        save(path, {"losses": found}, identity)
    distributed.wait_for_all()
    return found


def wide(length):
    """Distances on either side of 0, (D,), in decades up to `REACH` times a length."""
    away = REACH * length * np.geomspace(10.0**-DECADES, 1, DECADES * PER_DECADE + 1)
    return np.concatenate([-away[::-1], [0.0], away])


def measure(loss, distances, keep, progress, step, theta, carry):
    """All lines through one point, each of them kept by ``keep(losses, theta, direction)``."""
    grad, double = loss.grad(theta), loss.to(dtype=torch.float64)
    random = [random_direction(theta, seed) for seed in range(RANDOM)]
    filtered = [filter_normalised(loss, theta, direction) for direction in random]
    with progress_bar(f"lines at step {step}", 1 + 2 * RANDOM, show=progress) as bar:

        def losses(direction):
            bar.update()
            return keep(
                lambda *of: line(double, *of, distances), theta.double(), direction.double()
            )

        row = {
            "descent": losses(-grad),
            "random": np.array([losses(direction) for direction in random]),
            "filtered": np.array([losses(direction) for direction in filtered]),
        }
    return row | {
        "values": row["descent"][len(distances) // 2],
        "sharpness": sharpness(loss, theta, tol=TOL).values[0],
        "accuracy": accuracy(loss.outputs(theta), loss.targets),
        "gradient_norms": float(grad.norm()),
        "theta_norms": float(theta.norm()),
        "filtered_norms": np.array([float(direction.norm()) for direction in filtered]),
    }, carry


PLAIN = Recipe(
    "fig3_2_landscape",
    by_size(
        small=Settings(60, 1 / 16, lr=0.1, points=(0, 150)),
        reduced=Settings(1000, 1 / 8, lr=0.05, points=(0, 200, 700, 1500)),
        paper=Settings(50_000, 1.0, lr=0.05, points=(0, 500, 2000, 5000)),
    ),
    record,
)
NORMALISED = Recipe(
    "fig3_2_normalised",
    by_size(
        small=Normalised(60, 1 / 16, lr=0.02, points=(0, 40)),
        reduced=Normalised(500, 1 / 8, lr=0.02, points=(0, 100, 200)),
        paper=Normalised(50_000, 1.0, lr=0.02, points=(0, 200, 1000)),
    ),
    record,
)
