"""Figure 2.1 (right), preprint figure 1 (right): when to decay the learning rate."""

from dataclasses import dataclass
from functools import partial

import numpy as np
import torch

from mslbook.models import vgg11
from mslbook.paper.experiments import Recipe, by_size, changed
from mslbook.paper.images import convolutional_loss, held_out, identify
from mslbook.paper.training import Training, accuracy, environments, resume, train
from mslbook.paper.trajectory import Trajectory
from mslbook.stochastic import minibatch_sgd

VERSION = 1
CHUNK = 1000  # pictures at a time, where all are measured


@dataclass(frozen=True)
class Settings:
    """Training of VGG11, the learning rate decayed at one of several epochs.

    By SGD, or with `batch` None by gradient descent, where an epoch is one step.

    A run for each epoch in `decays`, which share a trunk until then, and each seed (of the initial
    parameters and of the minibatches); every `every` epochs, which divide all others, it is
    measured.
    """

    pictures: int
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
        return 1 if self.batch is None else -(-self.pictures // self.batch)

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


def record(name, chosen, pictures, size, device, folder, progress):
    """Train with every seed and decay; returns the arrays to record and their provenance.

    Arrays, with S seeds, D epochs of decay, P measurements and E epochs: ``decays`` (D,),
    ``epochs`` (P,), ``train_losses``, ``train_accuracy``, ``test_losses`` and
    ``test_accuracy`` (S, D, P), each over all pictures of its set; ``batch_losses``
    (S, D, E), the mean over the updates of each epoch, every loss as its update saw it; and how
    far ``apart`` the runs of a seed end, (S, D, D), in units of the parameters. A decay at the
    last epoch is none at all.
    """
    training = DecayedTraining(name, VERSION, chosen, pictures, size, device, folder)
    training.check()
    found = [training.run(seed, progress) for seed in range(chosen.seeds)]
    runs = [training.branches(parts) for parts in found]
    arrays = {
        "decays": np.array(chosen.decays),
        "epochs": np.arange(0, chosen.epochs + 1, chosen.every),
        "batch_losses": np.array([training.batch_losses(branches) for branches in runs]),
        "apart": np.array([_apart([run.theta for run in branches]) for branches in runs]),
    }
    for measured in runs[0][0].rows:
        rows = [[run.rows[measured] for run in branches] for branches in runs]
        arrays[measured] = np.array(rows, dtype=np.float32)
    return arrays, training.provenance(found)


class DecayedTraining:
    """VGG11 trained on pictures: for each seed a trunk, and a branch for each decay.

    Raises ``ValueError`` if there are too few pictures.
    """

    def __init__(self, recipe, version, chosen, pictures, size, device, folder):
        count, tests = chosen.pictures, len(pictures.test_images)
        self.identity = identify(recipe, version, pictures, count, size, chosen, device, tests)
        self.chosen, self.folder, self.device = chosen, folder, device
        self.classes, self.updates = len(pictures.class_names), chosen.updates
        model, criterion = self._model(seed=0), chosen.loss
        self.loss = convolutional_loss(model, pictures, count, device, criterion, CHUNK)
        self.test_inputs, self.test_targets = held_out(pictures, count, device)

    def check(self):
        """``ValueError`` if a checkpoint cannot be used, before any work."""
        for seed in range(self.chosen.seeds):
            for name, *_ in self.chosen.parts():
                resume(self.loss, self._file(seed, name, "npz"), self._identity(seed, name))

    def run(self, seed, progress=True, snapshots=False):
        """Train with one seed; returns each part's `Training` by its name.

        With `snapshots`, the point after every epoch is kept in a file, see `snapshots`.
        """
        theta = torch.nn.utils.parameters_to_vector(self._model(seed).parameters())
        start, parts = Training(step=0, theta=theta.detach()), {}
        for name, first, last, lr, trunk in self.chosen.parts():
            steps = range(first * self.updates, last * self.updates + 1, self.updates)
            parts[name] = train(
                self.loss,
                partial(minibatch_sgd, lr=lr, batch=self.chosen.batch, seed=seed),
                last * self.updates,
                probes=range(0, last * self.updates + 1, self.chosen.every * self.updates),
                measure=self._measure,
                checkpoint=self._file(seed, name, "npz"),
                identity=self._identity(seed, name),
                label=f"seed {seed}, {name}",
                start=parts[trunk] if trunk else start,
                trajectory=Trajectory(self._file(seed, name, "npy"), steps) if snapshots else None,
                progress=progress,
            )
        return parts

    def branches(self, parts):
        """Of the parts of one seed those that end with the last epoch, one for each decay."""
        return [parts[f"decayed-{epoch}"] for epoch in self.chosen.decays]

    def snapshots(self, seed, name):
        """The points of a part after each of its epochs, the one it sets off from included.

        A memory map (epochs + 1, n), so that it may be larger than the memory.
        """
        return np.load(self._file(seed, name, "npy"), mmap_mode="r", allow_pickle=False)

    def batch_losses(self, branches):
        """The mean loss of the minibatches of every epoch, (D, E), as their updates saw them."""
        losses = np.array([run.losses[:-1] for run in branches], dtype=np.float32)
        return losses.reshape(len(branches), self.chosen.epochs, self.updates).mean(axis=2)

    def provenance(self, found):
        """The provenance of all that was trained, for a list of parts by their name."""
        chosen, (high, low) = self.chosen, self.chosen.lrs
        runs = [part for parts in found for part in parts.values()]
        return (
            self.identity
            | environments(self.device, *runs)
            | {
                "network": f"VGG11 of width {chosen.width:g}, {self.loss.dimension} parameters, "
                "He's normal initialisation, no BatchNorm",
                "loss": f"{chosen.loss}, channels standardised",
                "optimiser": f"{self._method()}, η from {high:g} to {low:g} after epoch "
                + " or ".join(str(e) for e in chosen.decays if e < chosen.epochs)
                + " or never" * (chosen.decays[-1] == chosen.epochs),
                "seeds": list(range(len(found))),
                "epochs": chosen.epochs,
                "steps": self.updates * chosen.epochs,
                "wall_seconds": round(sum(part.seconds for part in runs)),
            }
        )

    def _method(self):
        if self.chosen.batch is None:
            return "full-batch gradient descent (an epoch is a step)"
        return f"SGD without momentum, batches of {self.chosen.batch}"

    def _model(self, seed):
        return vgg11(self.classes, self.chosen.width, seed=seed).to(self.device)

    def _file(self, seed, name, kind):
        return self.folder / f"seed-{seed}-{name}.{kind}"

    def _identity(self, seed, name):
        return self.identity | {"seed": seed, "part": name}

    def _measure(self, step, theta, carry):
        row = {}
        for half, inputs, targets in (
            ("train", self.loss.inputs, self.loss.targets),
            ("test", self.test_inputs, self.test_targets),
        ):
            outputs = self.loss.outputs(theta, inputs)
            row[f"{half}_losses"] = float(self.loss.criterion(outputs, targets))
            row[f"{half}_accuracy"] = accuracy(outputs, targets)
        return row, carry


def _apart(points):
    return [[float((one - other).norm()) for other in points] for one in points]


EPOCHS = (250, 500, 700)  # the paper's two decays, and none before the end
DESCENT = Recipe(
    "fig2_1_right",
    by_size(
        small=Settings(200, 1 / 16, None, (60, 120, 180), epochs=180, every=5, seeds=1),
        reduced=Settings(2000, 1 / 8, None, EPOCHS, epochs=700, every=5, seeds=3),
        paper=Settings(50_000, 1.0, None, EPOCHS, epochs=700, every=5, seeds=3),
    ),
    record,
)
# The early decay of DESCENT, with as much time Σ η as its late decay has after 700 epochs.
EQUAL_TIME = Recipe(
    "fig2_1_right_equal_time",
    by_size(
        small=Settings(200, 1 / 16, None, (60,), epochs=720, every=20, seeds=1),
        reduced=Settings(2000, 1 / 8, None, (250,), epochs=2950, every=50, seeds=3),
        paper=Settings(50_000, 1.0, None, (250,), epochs=2950, every=50, seeds=3),
    ),
    record,
)
SGD = Recipe(
    "fig2_1_right_sgd",
    by_size(
        small=Settings(400, 1 / 16, 20, (6, 12), epochs=18, every=1, seeds=1, loss="cross-entropy"),
        reduced=Settings(
            2000, 1 / 8, 128, EPOCHS, epochs=700, every=10, seeds=1, loss="cross-entropy"
        ),
        paper=Settings(
            50_000, 1.0, 128, EPOCHS, epochs=700, every=5, seeds=3, loss="cross-entropy"
        ),
    ),
    record,
)
# SGD differs from DESCENT in two things, these in one of them each.
CROSS_ENTROPY = Recipe(
    "fig2_1_right_cross_entropy", changed(DESCENT, seeds=1, loss="cross-entropy"), record
)
MINIBATCHES = Recipe("fig2_1_right_minibatches", changed(DESCENT, seeds=1, batch=128), record)
