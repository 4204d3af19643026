"""The recordings of figure 3.1 in the units of descent itself, read without torch.

Distances are counted in steps of descent and curvatures in units of 2/η. Then every line of
descent has the slope -1/2 at the iterate, which is at 0, and reaches the next iterate at 1.
"""

import re
from contextlib import suppress
from dataclasses import dataclass

import numpy as np

from mslbook.paper.experiments import recorded
from mslbook.paper.recording import Recording
from mslbook.probes import Growth, SpectralDensity, growth, second_difference

RECIPES = {
    "VGG11": ("fig3_1_vgg11", "cifar10"),
    "ResNet18": ("fig3_1_resnet18", "cifar10"),
    "DenseNet121": ("fig3_1_densenet121", "cifar100-50x100"),
}
# Second differences over a quarter of a step: at the recorded sixteenth, kinks make them scatter.
COARSE = 4


@dataclass(frozen=True)
class Lines:
    """Lines of descent through P iterates, in the units of descent.

    Attributes
    ----------
    steps : (D,), distances downhill from the iterates
    losses : (P, D), scaled so that their second derivatives are curvatures in units of 2/η
    bends : (P, D - 2), their second differences
    growths : P answers of :func:`mslbook.probes.growth`, without numbers for a line that has no
        minimum within its range or drowns in rounding
    """

    steps: np.ndarray
    losses: np.ndarray
    bends: np.ndarray
    growths: list[Growth]

    def __getitem__(self, name):
        """An attribute of all `growths`: the distances of the "minimum", (P,), the "drops"..."""
        return np.array([getattr(found, name) for found in self.growths])

    @property
    def felt(self):
        """The curvature that the step from 0 to 1 felt, in units of 2/η, (P,).

        It is the average along the step with the weights 2 (1 - t), and more than 1 if the step
        raised the loss.
        """
        here, there = (abs(self.steps - step).argmin() for step in (0, 1))
        return 1 + 2 * (self.losses[:, there] - self.losses[:, here])

    @property
    def away(self):
        """How far from the minimum the `bends` are, downhill positive, (P, D - 2)."""
        return self.steps[1:-1] - self["minimum"][:, None]

    @property
    def slower(self):
        """Whether the loss grows more slowly than a parabola uphill and downhill, (P, 2).

        That is with an exponent below 2, and a curvature that somewhere falls by a tenth.
        """
        fallen = self.bends < 0.9 * self["curvature"][:, None]
        return (self["exponents"] < 2) & self._anywhere(fallen)

    @property
    def at_most_the_bottom(self):
        """Whether the curvature exceeds that at the minimum nowhere, uphill and downhill, (P, 2).

        To a tenth, for the scatter of kinks.
        """
        below = self.bends < 1.1 * self["curvature"][:, None]
        return ~self._anywhere(~below)

    @property
    def cores(self):
        """Steps from the minimum to the first place where the curvature is off by a tenth, (P,).

        To a quarter of a step, kinks and all; inf where there is no such place, or no minimum.
        """
        off = abs(self.bends / self["curvature"][:, None] - 1) > 0.1
        return np.where(off, abs(self.away), np.inf).min(axis=1)

    def _anywhere(self, seen):
        """Whether something is seen at any of the `bends` uphill, and downhill, (P, 2)."""
        sides = (self.away < 0, self.away > 0)
        return np.stack([(seen & side).any(axis=1) for side in sides], axis=1)


def recordings(size="reduced"):
    """The recordings of figure 3.1 that ship with the package, by the name of the network."""
    found = {}
    for network, (recipe, data) in RECIPES.items():
        with suppress(FileNotFoundError):
            found[network] = recorded(recipe, data, size)
    return found


def choices(run):
    """The trainings that a recipe recorded one thing changed at a time, by name of the choice.

    Each is a recording like the others. Of `fig3_1_choices` its ``lr`` is the learning rate of
    gradient descent with the same edge, η / (1 + β) with momentum β, so that an iterate that jumps
    to and fro has the bottom half a step ahead.
    """
    found = {}
    for choice in run.provenance["settings"]["choices"]:
        first = choice["name"] + "."
        its = {key.removeprefix(first): run[key] for key in run.arrays if key.startswith(first)}
        its["lr"] = its.get("unit", its["lr"])
        found[choice["name"]] = Recording(its, run.provenance)
    return found


def late(run):
    """Which probes are in the second half of the run, when it has long been at the edge, (P,)."""
    return run["probe_steps"] >= run["probe_steps"][-1] / 2


def oscillating(run):
    """Which probes have the bottom of their line less than a step ahead, (P,).

    There descent jumps across it, and the shape of both walls is what it feels.
    """
    return lines(run)["minimum"] < 1


def lines(run, probes=slice(None)):
    """The lines of descent that a recording holds, at all its probes or at those chosen: `Lines`.

    >>> for run in recordings().values():
    ...     assert lines(run, late(run)).bends.shape == (late(run).sum(), 19)
    """
    steps, losses = run["slice_steps"][::COARSE], run["slices"][probes, ::COARSE]
    losses = losses / (2 * run["lr"] * run["gradient_norms"][probes, None] ** 2)
    bends = second_difference(losses, steps[1] - steps[0])
    return Lines(steps, losses, bends, [_growth(steps, line) for line in losses])


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
