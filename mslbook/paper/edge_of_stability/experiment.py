"""Figure 2.1 (left), preprint figure 1 (left): sharpness rises to 2/η and stays there."""

from dataclasses import dataclass
from itertools import islice
from math import prod

import numpy as np
import torch

from mslbook.data import standardise
from mslbook.descent import iterate
from mslbook.loss import QuadraticModel
from mslbook.losses.network import NetworkLoss, half_squared_error
from mslbook.networks import fully_connected
from mslbook.optimizers import GradientDescent
from mslbook.paper.experiments import Experiment
from mslbook.paper.images import accuracy, labels_of
from mslbook.paper.run import padded
from mslbook.probes import sharpness

HIDDEN = (200, 200)
TOP = 3  # eigenvalues recorded
TOL = 1e-2  # of their residuals: the eigenvalues themselves are off by the square of it
PAST_EDGE = 1.02  # sharpness, in units of 2/η, at which the quadratic approximation is made
QUADRATIC_STEPS = 600


@dataclass(frozen=True)
class Settings:
    """What to run: every learning rate η for the same time η · steps, measured `probes` times."""

    images: int
    lrs: tuple[float, ...]
    time: float
    probes: int
    seed: int = 0

    def steps(self, lr):
        """Updates that make up the time, a multiple of the probes."""
        return self.probes * round(self.time / lr / self.probes)


def network_loss(images, count, device="cpu", seed=0, activation="tanh"):
    """The loss on the first `count` training images, standardised per pixel: a `NetworkLoss`."""
    inputs = standardise(images.train_images[:count])
    widths = [prod(inputs.shape[1:]), *HIDDEN, len(images.class_names)]
    model = fully_connected(widths, activation, seed=seed).to(device)
    targets = labels_of(images.train_labels[:count], device)
    return NetworkLoss(model, (torch.tensor(inputs, device=device), targets), half_squared_error)


def record(run):
    """Train at every learning rate.

    Arrays, with L learning rates, P + 1 probes and S the most steps (shorter runs end in NaN):
    ``lrs`` (L,), ``losses`` (L, S + 1), ``probe_steps``, ``accuracy`` and ``hvps`` (L, P + 1),
    ``eigenvalues`` and ``residuals`` (L, P + 1, 3); where sharpness first passed 2/η by 2 %,
    ``branch_steps`` (L,; -1 for never), and the losses of descent on the quadratic approximation
    made there, ``quadratic_losses`` (L, 601).
    """
    settings = run.settings
    loss = network_loss(run.images, settings.images, run.device, settings.seed)
    trainings = [_train(run, loss, lr) for lr in settings.lrs]
    widths = "-".join(map(str, (loss.inputs[0].numel(), *HIDDEN, len(run.images.class_names))))
    run.describe(
        network=f"fully connected {widths} tanh, PyTorch's default initialisation",
        loss="half squared error to the one-hot target, pixels standardised",
        optimiser="full-batch gradient descent",
        steps=[settings.steps(lr) for lr in settings.lrs],
    )
    rows = {name: [one.rows[name] for one in trainings] for name in trainings[0].rows}
    return rows | {
        "lrs": np.array(settings.lrs),
        "losses": padded([one.losses for one in trainings]),
        "branch_steps": [int(one.probe_state["branch_step"]) for one in trainings],
        "quadratic_losses": [
            _quadratic_losses(loss, lr, one.probe_state)
            for lr, one in zip(settings.lrs, trainings, strict=True)
        ],
    }


def _train(run, loss, lr):
    steps, optimizer = run.settings.steps(lr), GradientDescent(lr)

    def measure(step, theta, state):
        top = sharpness(loss, theta, k=TOP, tol=TOL, start=state.get("start"))
        row = {
            "probe_steps": step,
            "accuracy": accuracy(loss.outputs(theta), loss.targets),
            "eigenvalues": top.values,
            "residuals": top.residuals,
            "hvps": top.hvps,
        }
        state = {"branch": theta, "branch_step": torch.tensor(-1)} | state
        if state["branch_step"] < 0 and top.values[0] > PAST_EDGE * optimizer.edge():
            state |= {"branch": theta, "branch_step": torch.tensor(step)}
        return row, state | {"start": torch.cat([top.vectors, top.guard])}

    probes = range(0, steps + 1, steps // run.settings.probes)
    return run.train(loss, optimizer, steps, probes=probes, measure=measure, name=f"lr-{lr:g}")


def _quadratic_losses(loss, lr, state):
    """Losses of descent on the quadratic approximation at the branch point; NaN if there is none.

    What leaves the range of float32 stays at its last finite value.
    """
    count, branch = QUADRATIC_STEPS + 1, state["branch"]
    if state["branch_step"] < 0:
        return [np.nan] * count
    iterates = iterate(QuadraticModel(loss, branch), branch, lr)
    return [float(found.value) for found in islice(iterates, count)]


EDGE = Experiment(
    "fig2_1_left",
    {
        "small": Settings(1000, (0.04, 0.03), time=60, probes=60),
        "paper": Settings(5000, (0.02, 0.0125, 0.01), time=100, probes=200),
    },
    record,
    digits={
        "small": Settings(400, (0.4, 0.3), time=108, probes=30),
        "paper": Settings(1000, (0.4, 0.2, 0.1), time=300, probes=150),
    },
)
