"""The recordings of figure 3.1 in the units of descent itself, read without torch.

Distances are counted in steps of descent and curvatures in units of 2/η. Then every line of
descent has the slope -1/2 at the iterate, which is at 0, and reaches the next iterate at 1.
"""

import re
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from mslbook.optimizers import GradientDescent
from mslbook.paper.experiments import recorded
from mslbook.paper.recording import Recording
from mslbook.probes import Growth, SpectralDensity, growth, second_difference

BATCHNORM, PLAIN = "VGG11 with BatchNorm", "VGG11 without BatchNorm"
EXPERIMENTS = {
    "VGG11": ("fig3_1_vgg11", "cifar10"),
    "ResNet18": ("fig3_1_resnet18", "cifar10"),
    "DenseNet121": ("fig3_1_densenet121", "cifar100-50x100"),
}
WIDER = "fig3_1_ladder", "fig3_1_ladder_half"  # the VGG11 with BatchNorm at other widths than 1/8
# Second differences over a quarter of a step: at the recorded sixteenth, kinks make them scatter.
COARSE = 4


def edge(run):
    """2/η, the curvature above which descent with the learning rate of a run is unstable."""
    return GradientDescent(run["lr"]).edge()


@dataclass(frozen=True)
class Lines:
    """Lines of descent through P iterates, in the units of descent; sides are uphill and downhill.

    An attribute of all growths is an item, as ``lines["minimum"]`` (P,) and ``lines["drops"]``
    (P, 2).
    """

    steps: np.ndarray  #: distances downhill from the iterates, (D,)
    losses: np.ndarray  #: (P, D), scaled so that second derivatives are in units of 2/η
    second_differences: np.ndarray  #: of the losses, (P, D - 2)
    growths: list[Growth]  #: P, without numbers for a line without a minimum, or lost in rounding

    def __getitem__(self, name):
        return np.array([getattr(growth, name) for growth in self.growths])

    @property
    def step_curvature(self):
        """Average curvature along one step, weighted by 2 (1 - t), in units of 2/η, (P,).

        It is more than 1 if and only if the step raised the loss.
        """
        here, there = (abs(self.steps - step).argmin() for step in (0, 1))
        return 1 + 2 * (self.losses[:, there] - self.losses[:, here])

    @property
    def offsets(self):
        """Distances of the `second_differences` from the minimum, downhill positive, (P, D - 2)."""
        return self.steps[1:-1] - self["minimum"][:, None]

    @property
    def is_subquadratic(self):
        """Whether the loss ends below the parabola of its minimum on a side, (P, 2)."""
        ends = self.steps[[0, -1]] - self["minimum"][:, None]
        parabola = self["value"][:, None] + self["curvature"][:, None] * ends**2 / 2
        return self.losses[:, [0, -1]] < parabola

    @property
    def quadratic_radius(self):
        """Steps from the minimum to where the curvature is off by a tenth, (P,); or infinity."""
        relative = self.second_differences / self["curvature"][:, None]
        return np.where(abs(relative - 1) > 0.1, abs(self.offsets), np.inf).min(axis=1)


def recordings(size="reduced"):
    """The recordings of figure 3.1 that ship with the package, by the name of the network."""
    return {network: recorded(*which, size) for network, which in EXPERIMENTS.items()}


def settings(size="reduced"):
    """All that was recorded of figure 3.1, by network and seed; the VGG11 with BatchNorm first.

    The paper names a VGG11, and the one of most libraries for CIFAR-10 has BatchNorm behind every
    convolution: that is our reading, and the one without stands beside it.
    """
    seeds = variants(recorded("fig3_1_vgg11_bn", "cifar10", size))
    found = {f"{BATCHNORM}, {name.replace('-', ' ')}": run for name, run in seeds.items()}
    for which in WIDER:
        runs = variants(recorded(which, "cifar10", size))
        found |= {f"{BATCHNORM}, {name}": run for name, run in runs.items()}
    runs = recordings(size)
    return found | {PLAIN if name == "VGG11" else name: run for name, run in runs.items()}


def variants(run):
    """The trainings of an ablation study by name, each a recording of its own.

    Of `fig3_1_choices` its ``lr`` is the learning rate of gradient descent with the same edge.
    """
    found = {}
    for name in [choice["name"] for choice in run.provenance["settings"]["choices"]]:
        first = f"{name}."
        its = {key.removeprefix(first): run[key] for key in run.arrays if key.startswith(first)}
        found[name] = Recording(its | {"lr": its.get("unit", its["lr"])}, run.provenance)
    return found


def ladder(size="reduced"):
    """The runs of the VGG11 with BatchNorm by width, of several seeds each, the narrowest first."""
    rungs = {"1/8": [*variants(recorded("fig3_1_vgg11_bn", "cifar10", size)).values()]}
    for wider in (recorded(which, "cifar10", size) for which in WIDER):
        runs = variants(wider)
        for choice in wider.provenance["settings"]["choices"]:
            rungs.setdefault(str(Fraction(choice["width"])), []).append(runs[choice["name"]])
    return rungs


def late(run, part=0.5):
    """Which probes are in the last part of a run, when it has long been at the edge, (P,)."""
    return run["probe_steps"] >= run["probe_steps"][-1] * (1 - part)


def oscillating(run):
    """Which probes have the minimum less than a step ahead: descent jumps across it, (P,)."""
    return lines(run)["minimum"] < 1


def lines(run, probes=slice(None)):
    """The `Lines` of descent that a recording holds, at all its probes or at those chosen."""
    steps, losses = run["slice_steps"][::COARSE], run["slices"][probes, ::COARSE]
    losses = losses / (2 * run["lr"] * run["gradient_norms"][probes, None] ** 2)
    curvature = second_difference(losses, steps[1] - steps[0])
    return Lines(steps, losses, curvature, [_growth(steps, line) for line in losses])


def spectrum(run):
    """The spectral density that a recording holds, a `SpectralDensity`."""
    dimension = re.search(r"(\d+) parameters", run.provenance["network"])
    nodes, weights = run["density_nodes"], run["density_weights"]
    return SpectralDensity(nodes, weights, int(dimension[1]), nodes.size)


def _growth(steps, losses):
    try:
        return growth(steps, losses)
    except ValueError:  # nothing of it stands out from the rounding
        return Growth()
