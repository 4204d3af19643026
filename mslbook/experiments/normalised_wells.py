"""Figure 3.2 (left and middle) with BatchNorm, of which the paper does not speak."""

from mslbook.experiments import of_size, wide_range
from mslbook.experiments.wide_range import Normalised


def settings(data, size):
    """The settings for a data set by name and a size, "small", "reduced" or "paper"."""
    return of_size(
        size,
        small=Normalised(60, 1 / 16, lr=0.02, points=(0, 40)),
        reduced=Normalised(500, 1 / 8, lr=0.02, points=(0, 200)),
        paper=Normalised(None, 1.0, lr=0.02, points=(0, 200, 1000)),
    )


def run(pictures, size, device, folder, progress=True):
    """What `mslbook.experiments.wide_range.run` does, for VGG11 with BatchNorm."""
    chosen = settings(pictures.name, size)
    return wide_range.record("fig3_2_normalised", chosen, pictures, size, device, folder, progress)
