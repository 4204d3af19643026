"""What a recipe is: a name, its settings by size, and the function that records it."""

from collections.abc import Callable
from dataclasses import dataclass, replace

# Seconds to minutes on one core; what was recorded on a CPU, for want of a GPU; as in the paper.
SIZES = ("small", "reduced", "paper")


@dataclass(frozen=True)
class Recipe:
    """One experiment, from which a recording is made.

    Attributes
    ----------
    name : the name under which it is recorded
    settings : ``settings(data, size)`` returns them for a data set by name and one of `SIZES`;
        ``ValueError`` for a size that the recipe does not have
    record : ``record(name, settings, pictures, size, device, folder, progress)`` does all the work
        and returns the arrays to record, which its docstring describes, and their provenance
    """

    name: str
    settings: Callable
    record: Callable

    def run(self, pictures, size, device, folder, progress=True):
        """Do the work on pictures; returns the arrays to record and their provenance.

        Checkpoints go to `folder`, from which an interrupted run goes on.
        """
        chosen = self.settings(pictures.name, size)
        return self.record(self.name, chosen, pictures, size, device, folder, progress)


def by_size(**sizes):
    """The ``settings(data, size)`` of a recipe whose sizes are the same for all data.

    >>> by_size(small=100, paper=5000)("digits", "small")
    100
    """
    return lambda data, size: of_size(size, **sizes)


def changed(recipe, **changes):
    """The ``settings(data, size)`` of a recipe with some of them changed.

    >>> from mslbook.experiments.learning_rate_decay import DESCENT
    >>> changed(DESCENT, batch=128)("digits", "paper").batch
    128
    """
    return lambda data, size: replace(recipe.settings(data, size), **changes)


def of_size(size, **sizes):
    """The settings of a size among those that a recipe has, some or all of `SIZES`.

    Raises ``ValueError`` for any other.

    >>> of_size("small", small=100, paper=5000)
    100
    """
    if size not in sizes:
        raise ValueError(f"there is no size {size!r}: choose {' or '.join(sizes)}")
    return sizes[size]
