"""Section 6: how far the lengths of real images differ before and after standardisation."""

from dataclasses import dataclass

import numpy as np

from mslbook.data import standardise, standardise_channels
from mslbook.paper.experiments import Experiment

LEVELS = np.linspace(0, 1, 1001)  # of the quantiles recorded, the smallest and largest included


@dataclass(frozen=True)
class Settings:
    """How many training images to measure, from the first; None for all there are."""

    images: int | None


def magnitudes(images):
    """Lengths of images (N, ...) of D numbers, and how they spread along principal directions.

    The Euclidean norms (N,); the root mean square of the components along each principal direction,
    the largest first (D,); and the components along the first one, with an arbitrary sign (N,).

    >>> lengths, spread, along = magnitudes(np.array([[3.0, 4.0], [-3.0, -4.0]]))
    >>> lengths, spread.round(6), abs(along).round(6)
    (array([5., 5.]), array([5., 0.]), array([5., 5.]))
    """
    x = images.reshape(len(images), -1).astype(float)
    variances, directions = np.linalg.eigh(x.T @ x / len(x))
    spread = np.sqrt(np.maximum(variances[::-1], 0))
    return np.linalg.norm(x, axis=1), spread, x @ directions[:, -1]


def record(run):
    """Measure the images, on the CPU in seconds, so without a checkpoint.

    Arrays: quantiles at ``levels`` of the lengths, ``raw``, standardised per channel (``channels``)
    and per pixel and channel (``pixels``); for the latter two, what `magnitudes` says of the
    principal directions: ``_spread``, and ``_along``, quantiles of sizes.
    """
    images = run.images.train_images[: run.settings.images]
    raw = np.linalg.norm(images.reshape(len(images), -1).astype(float), axis=1)
    arrays = {"levels": LEVELS, "raw": _quantiles(raw)}
    both = {"channels": standardise_channels(images), "pixels": standardise(images)}
    for name, standardised in both.items():
        lengths, spread, along = magnitudes(standardised)
        arrays[name] = _quantiles(lengths)
        arrays[f"{name}_spread"] = spread.tolist()
        arrays[f"{name}_along"] = _quantiles(abs(along))
    run.describe(precision="float64")
    return arrays


def _quantiles(values):
    """Quantiles that are values themselves, none in between."""
    return np.quantile(values, LEVELS, method="nearest").tolist()


NORMS = Experiment(
    "sec6_norms",
    {"small": Settings(1000), "reduced": Settings(None), "paper": Settings(50_000)},
    record,
)
