"""What became of the sharpness in every recipe, as it was recorded."""

import re
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from mslbook.paper.experiments import recorded

LAST = 5  # the plateau is the mean over this part of a course, the last fifth
TITLES = {
    "fully connected": "MLP tanh, CIFAR-10",
    "mlp-cifar10": "MLP GELU, CIFAR-10",
    "cnn": "CNN, digits",
    "transformer": "transformer, strings",
    "cnn-cross-entropy": "CNN, cross-entropy",
    "mlp": "MLP GELU, digits",
}


@dataclass(frozen=True)
class Course:
    """The sharpness of one recipe by steps: from S seeds, measured P times each."""

    lr: float
    steps: np.ndarray  #: (P,)
    sharpness: np.ndarray  #: (S, P)
    losses: np.ndarray = None  #: (S, P)
    accuracy: np.ndarray = None  #: (S, P)
    parameters: int = 0
    what: str = ""  #: network and data
    seconds: tuple = ()  #: that each seed took

    @property
    def edge(self):
        """2/η."""
        return 2 / self.lr

    @property
    def crossings(self):
        """The first measured step beyond the edge, (S,); NaN for a seed that never is."""
        past = self.sharpness > self.edge
        return np.where(past.any(axis=1), self.steps[past.argmax(axis=1)], np.nan)

    @property
    def peaks(self):
        """The largest sharpness, (S,)."""
        return self.sharpness.max(axis=1)

    @property
    def peak_steps(self):
        """Where the sharpness is largest, (S,)."""
        return self.steps[self.sharpness.argmax(axis=1)]

    @property
    def plateaus(self):
        """The mean sharpness of the last fifth, (S,)."""
        return self.sharpness[:, -len(self.steps) // LAST :].mean(axis=1)


def courses():
    """The course of every recorded recipe, in the order of `TITLES`; the first is of figure 2.1."""
    found = {"fully connected": _fully_connected()}
    for data in ("cifar10", "digits"):
        run = recorded("what_to_expect", data, "reduced")
        for name, recipe in run.provenance["settings"]["recipes"].items():
            columns = ("sharpness", "losses", "accuracy", "parameters")
            found[name] = Course(
                recipe["lr"],
                run[f"{name}.probe_steps"],
                *(run[f"{name}.{column}"] for column in columns),
                f"{recipe['network']}, {recipe['data']}, {recipe['loss']}",
                run.provenance["seconds"][name],
            )
    return {name: found[name] for name in TITLES}


def _fully_connected():
    run = recorded("fig2_1_left", "cifar10")
    slow = run["lrs"].argmin()
    steps, sharpness = run["probe_steps"][slow], run["eigenvalues"][slow, :, 0]
    columns = sharpness, run["losses"][slow, steps], run["accuracy"][slow]
    widths = re.search(r"\d+(-\d+)+", run.provenance["network"])[0]
    layers = pairwise(map(int, widths.split("-")))
    return Course(
        float(run["lrs"][slow]),
        steps,
        *(column[None] for column in columns),  # of a single seed
        sum((before + 1) * after for before, after in layers),
        f"MLP {widths.replace('-', '–')} tanh, 5,000 images of CIFAR-10, half squared error",
    )
