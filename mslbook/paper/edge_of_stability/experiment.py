"""Figure 2.1 (left), preprint figure 1 (left): sharpness rises to 2/η and stays there."""

import time
from dataclasses import dataclass
from functools import partial
from itertools import islice
from math import prod

import numpy as np
import torch

from mslbook.data import standardise
from mslbook.descent import iterate
from mslbook.loss import QuadraticModel
from mslbook.losses.network import NetworkLoss, half_squared_error
from mslbook.models import fully_connected
from mslbook.paper.experiments import Recipe, of_size
from mslbook.paper.images import identify
from mslbook.paper.training import accuracy, environments, progress_bar, resume, train
from mslbook.probes import sharpness

VERSION = 1  # of the recipe: a checkpoint or recording of another one is another run
HIDDEN = (200, 200)
SEED = 0
TOP = 3  # eigenvalues recorded
TOL = 1e-2  # of their residuals: the eigenvalues themselves are off by the square of it
OVER_THE_EDGE = 1.02  # sharpness, in units of 2/η, at which the quadratic continuation sets off
QUADRATIC_STEPS = 600


@dataclass(frozen=True)
class Settings:
    """How much of the experiment to run.

    Every learning rate η runs for the same time η · steps, so that the curves can be laid over
    each other; `probes` times along it, the sharpness and the accuracy are measured.
    """

    pictures: int
    lrs: tuple[float, ...]
    time: float
    probes: int

    def steps(self, lr):
        """Updates that make up the time, a multiple of the probes."""
        return self.probes * round(self.time / lr / self.probes)


def settings(data, size):
    """The settings for a data set by name and a size, "small" or "paper"."""
    if data == "digits":
        paper = Settings(1000, (0.4, 0.2, 0.1), time=300, probes=150)
        small = Settings(1000, (0.4, 0.3), time=108, probes=30)
    else:
        paper = Settings(5000, (0.02, 0.0125, 0.01), time=100, probes=200)
        small = Settings(1000, (0.04, 0.03), time=60, probes=60)
    return of_size(size, small=small, paper=paper)


def network_loss(pictures, count, device="cpu"):
    """The loss of the experiment on the first `count` training pictures, standardised per pixel."""
    images = standardise(pictures.train_images[:count])
    inputs = torch.tensor(images, device=device)
    targets = torch.tensor(pictures.train_labels[:count].astype(np.int64), device=device)
    widths = [prod(images.shape[1:]), *HIDDEN, len(pictures.class_names)]
    model = fully_connected(widths, "tanh", seed=SEED).to(device)
    return NetworkLoss(model, inputs, targets, half_squared_error)


def record(name, chosen, pictures, size, device, folder, progress):
    """Train at every learning rate; returns the arrays to record and their provenance.

    Arrays, with L learning rates, P + 1 probes and S the most steps (shorter runs end in NaN):
    ``lrs`` (L,), ``losses`` (L, S + 1), ``probe_steps`` and ``accuracy`` (L, P + 1),
    ``eigenvalues`` and ``residuals`` (L, P + 1, 3), ``hvps`` (L, P + 1); and where sharpness
    first passed 2/η by 2 %, ``branch_steps`` (L,; -1 where it never did) with the losses of
    descent on the quadratic approximation made there, ``quadratic_losses`` (L, 601).
    """
    count = chosen.pictures
    identity = identify(name, VERSION, pictures, count, size, chosen, device)
    identity |= {"seed": SEED}
    loss = network_loss(pictures, count, device)
    for lr in chosen.lrs:  # a checkpoint that cannot be used is refused before any work
        resume(loss, _checkpoint(folder, lr), identity | {"lr": lr})
    runs = [_descend(loss, lr, chosen, folder, identity, progress) for lr in chosen.lrs]
    begun = time.monotonic()
    quadratic = [
        _quadratic(loss, lr, part, progress) for lr, part in zip(chosen.lrs, runs, strict=True)
    ]
    seconds = sum(part.seconds for part in runs) + time.monotonic() - begun
    arrays = {
        "lrs": np.array(chosen.lrs),
        "losses": _padded([part.losses for part in runs]),
        **{name: np.array([part.rows[name] for part in runs]) for name in runs[0].rows},
        "branch_steps": np.array([int(part.carry["branch_step"]) for part in runs]),
        "quadratic_losses": np.array(quadratic, dtype=np.float32),
    }
    provenance = (
        identity
        | environments(device, *runs)
        | {
            "network": "fully connected "
            + "-".join(str(w) for w in (prod(pictures.train_images.shape[1:]), *HIDDEN))
            + f"-{len(pictures.class_names)} tanh, PyTorch's default initialisation",
            "loss": "half squared error to the one-hot target, pixels standardised",
            "optimiser": "full-batch gradient descent",
            "steps": [chosen.steps(lr) for lr in chosen.lrs],
            "wall_seconds": round(seconds),
        }
    )
    return arrays, provenance


def _descend(loss, lr, chosen, folder, identity, progress):
    steps = chosen.steps(lr)

    def measure(step, theta, carry):
        found = sharpness(loss, theta, k=TOP, tol=TOL, start=carry.get("start"))
        row = {
            "probe_steps": step,
            "accuracy": accuracy(loss.outputs(theta), loss.targets),
            "eigenvalues": found.values.astype(np.float32),
            "residuals": found.residuals.astype(np.float32),
            "hvps": found.hvps,
        }
        branch = carry.get("branch", theta)
        branch_step = carry.get("branch_step", torch.tensor(-1))
        if branch_step < 0 and found.values[0] > OVER_THE_EDGE * 2 / lr:
            branch, branch_step = theta, torch.tensor(step)
        start = torch.cat([found.vectors, found.guard])
        return row, {"start": start, "branch": branch, "branch_step": branch_step}

    return train(
        loss,
        partial(iterate, lr=lr),
        steps,
        probes=range(0, steps + 1, steps // chosen.probes),
        measure=measure,
        checkpoint=_checkpoint(folder, lr),
        identity=identity | {"lr": lr},
        label=f"η = {lr:g}",
        progress=progress,
    )


def _checkpoint(folder, lr):
    return folder / f"lr-{lr:g}.npz"


def _quadratic(loss, lr, part, progress):
    """Losses of descent on the quadratic approximation at the branch point; NaN if there is none.

    What leaves the range of float32 stays at its last finite value.
    """
    if part.carry["branch_step"] < 0:
        return [np.nan] * (QUADRATIC_STEPS + 1)
    branch = part.carry["branch"]
    steps = iterate(QuadraticModel(loss, branch), branch, lr)
    losses = []
    with progress_bar(f"η = {lr:g}, quadratic", QUADRATIC_STEPS + 1, show=progress) as bar:
        for state in islice(steps, QUADRATIC_STEPS + 1):
            losses.append(float(state.value))
            bar.update()
    return losses


def _padded(columns):
    table = np.full((len(columns), max(map(len, columns))), np.nan, dtype=np.float32)
    for row, column in zip(table, columns, strict=True):
        row[: len(column)] = column
    return table


EDGE = Recipe("fig2_1_left", settings, record)
