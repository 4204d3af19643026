"""Figure 3.1, preprint figure 2: what decides the shape of the loss along the gradient.

The paper leaves open how its networks were initialised, normalised and trained. Here one VGG11 is
trained as for :mod:`mslbook.experiments.gradient_direction`, and again for each choice with one
thing changed.
"""

from dataclasses import asdict, dataclass, replace
from functools import partial

import numpy as np
import torch
from torch import nn

from mslbook.experiments.gradient_direction import SLICE, measure
from mslbook.experiments.pictures import convolutional_loss, count_of, identify
from mslbook.experiments.recipes import Recipe, by_size
from mslbook.experiments.recording import environment
from mslbook.experiments.training import resume, train
from mslbook.models import vgg11
from mslbook.stochastic import minibatch_sgd

VERSION = 1


@dataclass(frozen=True)
class Choice:
    """One training: full-batch descent of `steps` steps.

    `loss` is one of :data:`~mslbook.experiments.pictures.LOSSES`, `initialisation` "He" or
    "Glorot", `activation` "ReLU" or "tanh".
    """

    name: str
    lr: float
    steps: int
    loss: str = "half squared error"
    momentum: float = 0.0
    batchnorm: bool = False
    initialisation: str = "He"
    activation: str = "ReLU"

    @property
    def unit(self):
        """The learning rate of gradient descent that has the same edge, η / (1 + β).

        With momentum β descent is stable up to the curvature 2 (1 + β) / η (Cohen et al. 2021).
        In a step of this unit the bottom of a valley across which it jumps is half a step ahead.
        """
        return self.lr / (1 + self.momentum)

    def network(self, classes, width, seed):
        """The VGG11 as it begins."""
        model = vgg11(classes, width, self.batchnorm, seed)
        if self.initialisation == "Glorot":
            _glorot(model)
        if self.activation == "tanh":
            _tanh(model)
        return model


@dataclass(frozen=True)
class Settings:
    """What all trainings share; `pictures` is None for all there are.

    Each training is measured at its start and, at equal distances, `probes` times more. A BatchNorm
    sees one `chunk` of pictures at a time, None for all.
    """

    pictures: int | None
    width: float
    choices: tuple[Choice, ...]
    probes: int
    chunk: int | None = None
    seed: int = 0


def record(name, chosen, pictures, size, device, folder, progress):
    """Train with every choice, and measure; returns the arrays to record and their provenance.

    Arrays, with C choices, S steps of the longest training and P probes, the start included:
    ``lrs`` and ``units`` (C,), of which see `Choice`; ``losses`` (C, S + 1), nan beyond the end of
    a training; at the probes ``probe_steps``, ``sharpness``, ``residuals``, ``hvps``,
    ``accuracy``, ``gradient_norms``, ``alignment`` and ``curvature``, each (C, P), and ``slices``
    (C, P, 81) at ``slice_steps`` (81,), as :mod:`~mslbook.experiments.gradient_direction` records
    them, but with distances in steps of the unit.
    """
    trainings = Trainings(name, chosen, pictures, size, device, folder)
    trainings.check()
    found = [trainings.run(choice, progress) for choice in chosen.choices]
    arrays = {
        "lrs": [choice.lr for choice in chosen.choices],
        "units": [choice.unit for choice in chosen.choices],
        "losses": _padded([run.losses for run in found]),
        "slice_steps": SLICE,
        **{row: [run.rows[row] for run in found] for row in found[0].rows},
    }
    whole = ("probe_steps", "hvps")
    arrays = {
        name: np.asarray(array, dtype=int if name in whole else np.float32)
        for name, array in arrays.items()
    }
    provenance = (
        trainings.identity
        | environment(device)
        | {
            "network": f"VGG11 of width {chosen.width:g}, with ReLU, torchvision's initialisation "
            "and no BatchNorm but where chosen otherwise",
            "loss": "half squared error but where chosen otherwise, channels standardised",
            "optimiser": "full-batch descent",
            "seed": chosen.seed,
            "steps": [choice.steps for choice in chosen.choices],
            "wall_seconds": round(sum(run.seconds for run in found)),
        }
    )
    return arrays, provenance


class Trainings:
    """A training of the VGG11 for each choice, with its own checkpoint in `folder`.

    Raises ``ValueError`` if there are too few pictures.
    """

    def __init__(self, recipe, chosen, pictures, size, device, folder):
        self.count = count_of(pictures, chosen.pictures)
        self.identity = identify(recipe, VERSION, pictures, self.count, size, chosen, device)
        self.chosen, self.pictures, self.device = chosen, pictures, device
        self.folder = folder

    def check(self):
        """``ValueError`` if a checkpoint cannot be used, before any work."""
        for choice in self.chosen.choices:
            resume(self._loss(choice), self._file(choice), self._identity(choice))

    def run(self, choice, progress=True):
        """Train with one choice, and measure; returns the `Training`."""
        loss = self._loss(choice)
        return train(
            loss,
            partial(minibatch_sgd, lr=choice.lr, momentum=choice.momentum),
            choice.steps,
            probes=range(0, choice.steps + 1, choice.steps // self.chosen.probes),
            measure=partial(measure, loss, choice.unit),
            checkpoint=self._file(choice),
            identity=self._identity(choice),
            label=f"{choice.name}, η = {choice.lr:g}",
            progress=progress,
        )

    def _loss(self, choice):
        chosen, classes = self.chosen, len(self.pictures.class_names)
        model = choice.network(classes, chosen.width, chosen.seed)
        return convolutional_loss(
            model, self.pictures, self.count, self.device, choice.loss, chosen.chunk
        )

    def _file(self, choice):
        return self.folder / f"{choice.name}.npz"

    def _identity(self, choice):
        """What the numbers of one training depend on: not the other choices."""
        return self.identity | {"settings": asdict(replace(self.chosen, choices=(choice,)))}


@torch.no_grad()
def _glorot(model):
    """Shrink the convolutions from He et al.'s normal distribution to that of Glorot and Bengio.

    The standard deviations are the roots of 2 / fan-out and of 2 / (fan-in + fan-out), so the
    network keeps its random numbers, and only their size changes.
    """
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            after, before = module.weight.shape[:2]
            module.weight *= (after / (before + after)) ** 0.5


def _tanh(model):
    """Put tanh in the place of every ReLU."""
    for i, module in enumerate(model.features):
        if isinstance(module, nn.ReLU):
            model.features[i] = nn.Tanh()


def _padded(columns):
    table = np.full((len(columns), max(map(len, columns))), np.nan)
    for row, column in zip(table, columns, strict=True):
        row[: len(column)] = column
    return table


def _settings(pictures, width, probes, chunk=None):
    """One thing changed at a time, at learning rates that reach the edge and stay in range.

    With momentum a larger one, since that network otherwise learns its pictures before it comes to
    the edge, with BatchNorm a smaller one, since that one begins sharper. Between two probes lie an
    odd number of steps, so that an iterate that jumps to and fro is found on either wall of its
    valley in turn.
    """
    choices = (
        Choice("baseline", 0.05, 25 * probes),
        Choice("cross-entropy", 0.05, 19 * probes, loss="cross-entropy"),
        Choice("momentum", 0.12, 11 * probes, momentum=0.9),
        Choice("BatchNorm", 0.02, 9 * probes, batchnorm=True),
        Choice("Glorot", 0.05, 25 * probes, initialisation="Glorot"),
        Choice("tanh", 0.05, 19 * probes, activation="tanh"),
    )
    return Settings(pictures, width, choices, probes, chunk)


CHOICES = Recipe(
    "fig3_1_choices",
    by_size(
        small=_settings(60, 1 / 16, probes=8),
        reduced=_settings(400, 1 / 8, probes=25),
        paper=_settings(None, 1.0, probes=200, chunk=1000),
    ),
    record,
)
