"""Figure 2.1 (right), preprint figure 1 (right): when to decay the learning rate."""

from dataclasses import dataclass, replace

import numpy as np
import torch

from mslbook.networks import vgg11
from mslbook.optimizers import GradientDescent
from mslbook.paper.experiments import Experiment
from mslbook.paper.images import accuracy, convolutional_loss, held_out
from mslbook.paper.run import Training

CHUNK = 1000  # images at a time, where all are measured


@dataclass(frozen=True)
class Settings:
    """Training of VGG11, the learning rate decayed at one of several epochs.

    By SGD, or with `batch` None by gradient descent, where an epoch is one step.

    A training for each epoch in `decays`, which share a trunk until then, and each seed (of the
    initial parameters and of the minibatches); every `every` epochs, which divide all others, it is
    measured.
    """

    images: int
    width: float
    batch: int | None
    decays: tuple[int, ...]
    epochs: int
    every: int
    seeds: int
    loss: str = "half squared error"
    lrs: tuple[float, float] = (0.1, 0.01)

    @property
    def updates(self):
        """How many updates make an epoch."""
        return 1 if self.batch is None else -(-self.images // self.batch)

    def parts(self):
        """The parts of a training in order: name, first and last epoch, learning rate, trunk.

        >>> for part in Settings(100, 1, 10, (2, 4), epochs=7, every=1, seeds=1).parts():
        ...     print(*part)
        trunk-2 0 2 0.1 None
        decayed-2 2 7 0.01 trunk-2
        trunk-4 2 4 0.1 trunk-2
        decayed-4 4 7 0.01 trunk-4
        """
        (high, low), trunk, begin = self.lrs, None, 0
        for epoch in self.decays:
            yield f"trunk-{epoch}", begin, epoch, high, trunk
            trunk, begin = f"trunk-{epoch}", epoch
            yield f"decayed-{epoch}", epoch, self.epochs, low, trunk


def record(run):
    """Train with every seed and decay.

    Arrays, with S seeds, D epochs of decay, P measurements and E epochs: ``decays`` (D,),
    ``epochs`` (P,), ``train_losses``, ``train_accuracy``, ``test_losses`` and
    ``test_accuracy`` (S, D, P), each over all images of its set; ``batch_losses``
    (S, D, E), the mean over the updates of each epoch, every loss as its update saw it; and how
    far ``apart`` the trainings of a seed end, (S, D, D), in units of the parameters. A decay at the
    last epoch is none at all.
    """
    settings, trained = run.settings, DecayedTraining(run)
    seeds = [trained.branches(seed) for seed in range(settings.seeds)]
    return {
        "decays": settings.decays,
        "epochs": range(0, settings.epochs + 1, settings.every),
        "batch_losses": [batch_losses(settings, branches) for branches in seeds],
        "apart": [_distances([one.theta for one in branches]) for branches in seeds],
    } | {
        name: [[one.rows[name] for one in branches] for branches in seeds]
        for name in seeds[0][0].rows
    }


class DecayedTraining:
    """VGG11 trained on images: for each seed a trunk, and a branch for each decay.

    Parameters
    ----------
    run : Run
        The run that trains; its settings are `Settings`.
    """

    def __init__(self, run):
        settings = run.settings
        self._run = run
        self._loss = convolutional_loss(
            self._model(0), run.images, settings.images, run.device, settings.loss, CHUNK
        )
        self._test = held_out(run.images, settings.images, run.device)
        (high, low), last = settings.lrs, settings.decays[-1] == settings.epochs
        method = "full-batch gradient descent (an epoch is a step)"
        if settings.batch:
            method = f"SGD without momentum, batches of {settings.batch}"
        run.describe(
            network=f"VGG11 of width {settings.width:g}, {self._loss.dimension} parameters, He's "
            "normal initialisation, no BatchNorm",
            loss=f"{settings.loss}, channels standardised",
            optimiser=f"{method}, η from {high:g} to {low:g} after epoch "
            + " or ".join(str(e) for e in settings.decays if e < settings.epochs)
            + " or never" * last,
            seeds=list(range(settings.seeds)),
            epochs=settings.epochs,
            steps=settings.updates * settings.epochs,
        )

    def branches(self, seed, snapshots=False):
        """Train with one seed; returns the `Training` of each decay to the last epoch.

        With `snapshots`, the parameters after every epoch are kept in files, see `Run.snapshots`.
        """
        settings, updates = self._run.settings, self._run.settings.updates
        theta = torch.nn.utils.parameters_to_vector(self._model(seed).parameters())
        parts = {None: Training(step=0, theta=theta.detach())}
        for part, first, last, lr, trunk in settings.parts():
            parts[part] = self._run.train(
                self._loss,
                GradientDescent(lr),
                last * updates,
                probes=range(0, last * updates + 1, settings.every * updates),
                measure=self._measure,
                name=f"seed-{seed}-{part}",
                start=parts[trunk],
                batch=settings.batch,
                seed=seed,
                snapshots=range(first * updates, last * updates + 1, updates) if snapshots else (),
            )
        return [parts[f"decayed-{epoch}"] for epoch in settings.decays]

    def _model(self, seed):
        run = self._run
        return vgg11(len(run.images.class_names), run.settings.width, seed=seed).to(run.device)

    def _measure(self, step, theta, state):
        row = {}
        for half, inputs, targets in (
            ("train", self._loss.inputs, self._loss.targets),
            ("test", *self._test),
        ):
            outputs = self._loss.outputs(theta, inputs)
            row[f"{half}_losses"] = float(self._loss.criterion(outputs, targets))
            row[f"{half}_accuracy"] = accuracy(outputs, targets)
        return row, state


def batch_losses(settings, branches):
    """The mean loss of the minibatches of every epoch, (D, E), as their updates saw them."""
    losses = np.array([one.losses[:-1] for one in branches], dtype=np.float32)
    return losses.reshape(len(branches), settings.epochs, settings.updates).mean(axis=2)


def _distances(points):
    return [[float((one - other).norm()) for other in points] for one in points]


EPOCHS = (250, 500, 700)  # the paper's two decays, and none before the end
DESCENT = Experiment(
    "fig2_1_right",
    {
        "small": Settings(200, 1 / 16, None, (60, 120, 180), epochs=180, every=5, seeds=1),
        "reduced": Settings(2000, 1 / 8, None, EPOCHS, epochs=700, every=5, seeds=3),
        "paper": Settings(50_000, 1.0, None, EPOCHS, epochs=700, every=5, seeds=3),
    },
    record,
    uses_test_images=True,
)


def variant(experiment, suffix, **changes):
    """An experiment with some of its settings changed, at every size."""
    settings = {size: replace(its, **changes) for size, its in experiment.settings.items()}
    return replace(experiment, name=f"{experiment.name}_{suffix}", settings=settings)


# The early decay of DESCENT, with as much time Σ η as its late decay has after 700 epochs.
EQUAL_TIME = replace(
    DESCENT,
    name="fig2_1_right_equal_time",
    settings={
        "small": Settings(200, 1 / 16, None, (60,), epochs=720, every=20, seeds=1),
        "reduced": Settings(2000, 1 / 8, None, (250,), epochs=2950, every=50, seeds=3),
        "paper": Settings(50_000, 1.0, None, (250,), epochs=2950, every=50, seeds=3),
    },
)
ENTROPY = "cross-entropy"
SGD = replace(
    DESCENT,
    name="fig2_1_right_sgd",
    settings={
        "small": Settings(400, 1 / 16, 20, (6, 12), epochs=18, every=1, seeds=1, loss=ENTROPY),
        "reduced": Settings(2000, 1 / 8, 128, EPOCHS, epochs=700, every=10, seeds=1, loss=ENTROPY),
        "paper": Settings(50_000, 1.0, 128, EPOCHS, epochs=700, every=5, seeds=3, loss=ENTROPY),
    },
)
# SGD differs from DESCENT in two things, these in one of them each.
CROSS_ENTROPY = variant(DESCENT, "cross_entropy", seeds=1, loss=ENTROPY)
MINIBATCHES = variant(DESCENT, "minibatches", seeds=1, batch=128)
