"""Figure 3.1, preprint figure 2: what decides the shape of the loss along the gradient.

The paper leaves open how its networks were initialised, normalised and trained. Here one VGG11 is
trained as for :mod:`mslbook.paper.subquadratic_growth.experiment`, and again for each choice
with one thing changed.
"""

from dataclasses import asdict, dataclass, replace
from functools import partial

import numpy as np
import torch
from torch import nn

from mslbook.models import vgg11
from mslbook.paper.experiments import Recipe, by_size
from mslbook.paper.images import convolutional_loss, identify
from mslbook.paper.subquadratic_growth.experiment import SLICE, measure
from mslbook.paper.training import environments, resume, train
from mslbook.stochastic import minibatch_sgd

VERSION = 1


@dataclass(frozen=True)
class Choice:
    """One training: full-batch descent, measured at its start and `probes` times `every` steps.

    `loss` is one of :data:`~mslbook.paper.images.LOSSES`, `initialisation` "He" or
    "Glorot", `activation` "ReLU" or "tanh".
    """

    name: str
    lr: float
    every: int
    probes: int
    loss: str = "half squared error"
    momentum: float = 0.0
    batchnorm: bool = False
    initialisation: str = "He"
    activation: str = "ReLU"

    @property
    def steps(self):
        """How many steps there are in all."""
        return self.every * self.probes

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
    """What all trainings share.

    A BatchNorm sees one `chunk` of pictures at a time, None for all.
    """

    pictures: int
    width: float
    choices: tuple[Choice, ...]
    chunk: int | None = None
    seed: int = 0


def record(name, chosen, pictures, size, device, folder, progress):
    """Train with every choice, and measure; returns the arrays to record and their provenance.

    The names of the arrays begin with that of the choice, as in ``tanh.losses``. For a choice with
    S steps and P probes, its start included, they are ``lr`` and ``unit`` (), of which see
    `Choice`; ``losses`` (S + 1,); at the probes ``probe_steps``, ``sharpness``, ``residuals``,
    ``hvps``, ``accuracy``, ``gradient_norms``, ``alignment`` and ``curvature`` (P,), and
    ``slices`` (P, 81), the losses at ``slice_steps`` (81,) on the line of descent: all as
    :mod:`~mslbook.paper.subquadratic_growth.experiment` records them, but with distances in steps
    of the unit.
    """
    trainings = Trainings(name, VERSION, chosen, pictures, size, device, folder)
    trainings.check()
    arrays, runs = {}, []
    for choice in chosen.choices:
        loss, probes = trainings.loss(choice), range(0, choice.steps + 1, choice.every)
        training = trainings.run(
            choice, loss, probes, partial(measure, loss, choice.unit), progress
        )
        found = {"lr": choice.lr, "unit": choice.unit, "losses": training.losses}
        for row, column in (found | training.rows | {"slice_steps": SLICE}).items():
            kind = int if row in ("probe_steps", "hvps") else np.float32
            arrays[f"{choice.name}.{row}"] = np.asarray(column, dtype=kind)
        runs.append(training)
    return arrays, trainings.provenance(runs)


class Trainings:
    """A training of the VGG11 for each choice, with its own checkpoint in `folder`.

    Raises ``ValueError`` if there are too few pictures.
    """

    def __init__(self, recipe, version, chosen, pictures, size, device, folder):
        self.identity = identify(recipe, version, pictures, chosen.pictures, size, chosen, device)
        self.chosen, self.pictures, self.device = chosen, pictures, device
        self.folder = folder

    def check(self):
        """``ValueError`` if a checkpoint cannot be used, before any work."""
        for choice in self.chosen.choices:
            if self._file(choice).is_file():
                resume(self.loss(choice), self._file(choice), self._identity(choice))

    def loss(self, choice):
        """The loss of a choice's network, at its initial parameters."""
        chosen, classes = self.chosen, len(self.pictures.class_names)
        model = choice.network(classes, chosen.width, chosen.seed)
        return convolutional_loss(
            model, self.pictures, chosen.pictures, self.device, choice.loss, chosen.chunk
        )

    def run(self, choice, loss, probes, measure, progress=True):
        """Train with one choice on its loss, and measure; returns the `Training`."""
        return train(
            loss,
            partial(minibatch_sgd, lr=choice.lr, momentum=choice.momentum),
            choice.steps,
            probes=probes,
            measure=measure,
            checkpoint=self._file(choice),
            identity=self._identity(choice),
            label=f"{choice.name}, η = {choice.lr:g}",
            progress=progress,
        )

    def provenance(self, runs):
        """The provenance of all trainings, `runs` as they ended."""
        chosen = self.chosen
        return (
            self.identity
            | environments(self.device, *runs)
            | {
                "network": f"VGG11 of width {chosen.width:g}, with ReLU, torchvision's "
                "initialisation and no BatchNorm but where chosen otherwise",
                "loss": "half squared error but where chosen otherwise, channels standardised",
                "optimiser": "full-batch descent",
                "seed": chosen.seed,
                "steps": [choice.steps for choice in chosen.choices],
                "wall_seconds": round(sum(run.seconds for run in runs)),
            }
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


def _settings(pictures, width, probes, chunk=None):
    """One thing changed at a time, at learning rates that reach the edge and stay in range.

    With momentum a larger one, since that network otherwise learns its pictures before it comes to
    the edge, with BatchNorm a smaller one, since that one begins sharper. Between two probes lie an
    odd number of steps, so that an iterate that jumps to and fro is found on either wall of its
    valley in turn.
    """
    longer = 9 * probes // 5  # for those that learn slowly
    choices = (
        Choice("baseline", 0.05, 25, longer),
        Choice("cross-entropy", 0.05, 19, probes, loss="cross-entropy"),
        Choice("momentum", 0.12, 11, probes, momentum=0.9),
        Choice("BatchNorm", 0.02, 9, probes, batchnorm=True),
        Choice("Glorot", 0.05, 25, longer, initialisation="Glorot"),
        Choice("tanh", 0.05, 19, probes, activation="tanh"),
    )
    return Settings(pictures, width, choices, chunk)


CHOICES = Recipe(
    "fig3_1_choices",
    by_size(
        small=_settings(60, 1 / 16, probes=10),
        reduced=_settings(400, 1 / 8, probes=25),
        paper=_settings(50_000, 1.0, probes=100, chunk=1000),
    ),
    record,
)
