"""Figure 3.1, preprint figure 2: an ablation study, one factor changed at a time.

The paper leaves open how its networks were initialised, normalised and trained. Here one VGG11 is
trained as for :mod:`mslbook.paper.subquadratic_growth.experiment`, and again for each variant.
"""

from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import nn

from mslbook.networks import vgg11
from mslbook.optimizers import GradientDescent, Momentum
from mslbook.paper.experiments import Experiment
from mslbook.paper.images import convolutional_loss
from mslbook.paper.subquadratic_growth.experiment import SLICE, measure


@dataclass(frozen=True)
class Variant:
    """One training: full-batch descent, measured at its start and `probes` times `every` steps.

    `loss` is one of `mslbook.paper.images.LOSSES`, `initialisation` "He" or
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
    def optimizer(self):
        """Gradient descent, or with momentum."""
        return Momentum(self.lr, self.momentum) if self.momentum else GradientDescent(self.lr)

    @property
    def unit(self):
        """The learning rate of gradient descent that has the same edge, η / (1 + β).

        In a step of this unit the minimum of a line across which descent jumps is half a step
        ahead.
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
    """What all trainings share. A BatchNorm sees one `chunk` of images at a time, None for all."""

    images: int
    width: float
    choices: tuple[Variant, ...]  # the variants, under the name that recordings give them
    chunk: int | None = None
    seed: int = 0

    def of_training(self, name):
        """What the numbers of one training depend on: not the other variants."""
        found = tuple(variant for variant in self.choices if variant.name == name)
        return replace(self, choices=found) if found else None


def record(run):
    """Train every variant, and measure.

    The names of the arrays begin with that of the variant, as in ``tanh.losses``. For a variant
    with S steps and P probes, its start included, they are ``lr`` and ``unit`` (), of which see
    `Variant`; ``losses`` (S + 1,); at the probes ``probe_steps``, ``sharpness``, ``residuals``,
    ``hvps``, ``accuracy``, ``gradient_norms``, ``alignment`` and ``curvature`` (P,), and
    ``slices`` (P, 81), the losses at ``slice_steps`` (81,) on the line of descent: all as
    :mod:`~mslbook.paper.subquadratic_growth.experiment` records them, but with distances in steps
    of the unit.
    """
    arrays = {}
    for variant in run.settings.choices:
        loss, probes = loss_of(run, variant), range(0, variant.steps + 1, variant.every)
        training = train(run, variant, loss, probes, partial(measure, loss, variant.unit))
        found = {"lr": variant.lr, "unit": variant.unit, "losses": training.losses}
        found |= training.rows | {"slice_steps": SLICE.tolist()}
        arrays |= {f"{variant.name}.{name}": array for name, array in found.items()}
    return arrays


def loss_of(run, variant):
    """The loss of a variant's network, at its initial parameters: a `NetworkLoss`."""
    settings = run.settings
    model = variant.network(len(run.images.class_names), settings.width, settings.seed)
    return convolutional_loss(
        model, run.images, settings.images, run.device, variant.loss, settings.chunk
    )


def train(run, variant, loss, probes, measure):
    """Train a variant on its loss, measure, and describe the run; returns the `Training`."""
    settings = run.settings
    run.describe(
        network=f"VGG11 of width {settings.width:g}, with ReLU, torchvision's initialisation and "
        "no BatchNorm but where chosen otherwise",
        loss="half squared error but where chosen otherwise, channels standardised",
        optimiser="full-batch descent",
        seed=settings.seed,
        steps=[one.steps for one in settings.choices],
    )
    return run.train(loss, variant.optimizer, variant.steps, probes=probes, measure=measure,
                     name=variant.name)  # fmt: skip


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


def _settings(images, width, probes, chunk=None):
    """One factor changed at a time, at learning rates that reach the edge and stay in range.

    With momentum a larger one, since that network otherwise learns its images before it comes to
    the edge, with BatchNorm a smaller one, since that one begins sharper. Between two probes lie an
    odd number of steps, so that an iterate that jumps to and fro is found on either wall of its
    valley in turn.
    """
    longer = 9 * probes // 5  # for those that learn slowly
    variants = (
        Variant("baseline", 0.05, 25, longer),
        Variant("cross-entropy", 0.05, 19, probes, loss="cross-entropy"),
        Variant("momentum", 0.12, 11, probes, momentum=0.9),
        Variant("BatchNorm", 0.02, 9, probes, batchnorm=True),
        Variant("Glorot", 0.05, 25, longer, initialisation="Glorot"),
        Variant("tanh", 0.05, 19, probes, activation="tanh"),
    )
    return Settings(images, width, variants, chunk)


ABLATIONS = Experiment(
    "fig3_1_choices",
    {
        "small": _settings(60, 1 / 16, probes=10),
        "reduced": _settings(400, 1 / 8, probes=25),
        "paper": _settings(50_000, 1.0, probes=100, chunk=1000),
    },
    record,
)
