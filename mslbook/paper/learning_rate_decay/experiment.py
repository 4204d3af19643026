"""Figure 2.1 (right), preprint figure 1 (right): when to decay the learning rate."""

from dataclasses import dataclass, replace

import numpy as np

from mslbook.networks import vgg11
from mslbook.optimizers import GradientDescent
from mslbook.paper.experiments import Experiment
from mslbook.paper.images import accuracy, convolutional_loss, held_out

CHUNK = 1000  # images at a time, where all are measured


@dataclass(frozen=True)
class Settings:
    """Training of VGG11 by SGD, or with `batch` None by gradient descent: an epoch is one step.

    For each seed (of the initial parameters and of the minibatches), a training for each epoch in
    `decays`, which share a trunk until then; a decay at the last epoch is none at all. It is
    measured every `every` epochs, which divide all others.
    """

    images: int
    width: float
    batch: int | None = None
    decays: tuple[int, ...] = (250, 500, 700)  # the paper's two, and none
    epochs: int = 700
    every: int = 5
    seeds: int = 1
    loss: str = "half squared error"
    lrs: tuple[float, float] = (0.1, 0.01)

    @property
    def updates(self):
        """How many updates make an epoch."""
        return 1 if self.batch is None else -(-self.images // self.batch)


def record(run):
    """Train with every seed; the arrays of `measured`, seeds first, ``decays``, ``epochs`` (P,)."""
    settings = run.settings
    seeds = [measured(settings, branches(run, seed)) for seed in range(settings.seeds)]
    return {name: [rows[name] for rows in seeds] for name in seeds[0]} | {
        "decays": settings.decays,
        "epochs": range(0, settings.epochs + 1, settings.every),
    }


def measured(settings, trainings):
    """What was measured of one seed's trainings, with D decays at P of E epochs.

    ``train_losses``, ``train_accuracy``, ``test_losses`` and ``test_accuracy`` (D, P), each over
    all images of its set; ``batch_losses`` (D, E), means over the updates of each epoch, every loss
    as its update saw it; and how far ``apart`` the trainings end (D, D).
    """
    losses = np.array([one.losses[:-1] for one in trainings], dtype=np.float32)
    ends = [one.theta for one in trainings]
    return {name: [one.rows[name] for one in trainings] for name in trainings[0].rows} | {
        "batch_losses": losses.reshape(len(ends), -1, settings.updates).mean(axis=2),
        "apart": [[float((end - other).norm()) for other in ends] for end in ends],
    }


def branches(run, seed, snapshots=False):
    """Train with one seed; each decay's `Training`. `Run.snapshots` are of every epoch, or none."""
    settings, updates, images = run.settings, run.settings.updates, run.images
    model = vgg11(len(images.class_names), settings.width, seed=seed)
    loss = convolutional_loss(model, images, settings.images, run.device, settings.loss, CHUNK)
    test = held_out(images, settings.images, run.device)

    def measure(step, theta, state):
        row = {}
        for part, inputs, targets in (("train", loss.inputs, loss.targets), ("test", *test)):
            outputs = loss.outputs(theta, inputs)
            row[f"{part}_losses"] = float(loss.criterion(outputs, targets))
            row[f"{part}_accuracy"] = accuracy(outputs, targets)
        return row, state

    def train(name, first, last, lr, start):
        return run.train(
            loss,
            GradientDescent(lr),
            last * updates,
            probes=range(0, last * updates + 1, settings.every * updates),
            measure=measure,
            name=f"seed-{seed}-{name}",
            start=start,
            batch=settings.batch,
            seed=seed,
            snapshots=range(first * updates, last * updates + 1, updates) if snapshots else (),
        )

    (high, low), trunk, begin, ends = settings.lrs, None, 0, []
    for epoch in settings.decays:
        trunk = train(f"trunk-{epoch}", begin, epoch, high, trunk)
        ends.append(train(f"decayed-{epoch}", epoch, settings.epochs, low, trunk))
        begin = epoch
    method = "full-batch gradient descent (an epoch is a step)"
    if settings.batch:
        method = f"SGD without momentum, batches of {settings.batch}"
    when = [str(epoch) if epoch < settings.epochs else "never" for epoch in settings.decays]
    run.describe(
        network=f"VGG11 of width {settings.width:g}, {loss.dimension} parameters, He's normal "
        "initialisation, no BatchNorm",
        loss=f"{settings.loss}, channels standardised",
        optimiser=f"{method}, η from {high:g} to {low:g} after epoch {' or '.join(when)}",
        seeds=list(range(settings.seeds)),
        steps=settings.updates * settings.epochs,
    )
    return ends


def variant(experiment, name, **changes):
    """An experiment of another name with some of its settings changed, at every size."""
    settings = {size: replace(its, **changes) for size, its in experiment.settings.items()}
    return replace(experiment, name=name, settings=settings)


DESCENT = Experiment(
    "fig2_1_right",
    {
        "small": Settings(200, 1 / 16),
        "reduced": Settings(2000, 1 / 8, seeds=3),
        "paper": Settings(10_000, 1.0, seeds=3),
    },
    record,
    uses_test_images=True,
)
# The early decay, with as much time Σ η as the late one has after 700 epochs.
EQUAL_TIME = variant(DESCENT, "fig2_1_right_equal_time", decays=(250,), epochs=2950, every=50)
SGD = variant(DESCENT, "fig2_1_right_sgd", batch=128, loss="cross-entropy")
# SGD differs from DESCENT in two things, these in one of them each.
CROSS_ENTROPY = variant(DESCENT, "fig2_1_right_cross_entropy", loss="cross-entropy", seeds=1)
MINIBATCHES = variant(DESCENT, "fig2_1_right_minibatches", batch=128, seeds=1)
