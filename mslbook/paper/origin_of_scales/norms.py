"""Section 6: how far the lengths of real pictures differ before and after standardisation."""

import time
from dataclasses import dataclass

import numpy as np

from mslbook.data import standardise, standardise_channels
from mslbook.paper.experiments import Recipe, by_size
from mslbook.paper.recording import environment

VERSION = 1
LEVELS = np.linspace(0, 1, 1001)  # of the quantiles recorded, the smallest and largest included


@dataclass(frozen=True)
class Settings:
    """How many training pictures to measure, from the first; None for all there are."""

    pictures: int | None


def magnitudes(images):
    """Lengths (N,) of pictures, their spread (D,) by principal direction, and the first of these.

    `images` is an array (N, ...) of pictures with D numbers each. The spread is the root mean
    square of the pictures' components along each principal direction, largest first; what the
    pictures measure along the first direction, (N,), comes third, with an arbitrary sign.

    >>> lengths, spread, along = magnitudes(np.array([[3.0, 4.0], [-3.0, -4.0]]))
    >>> lengths, spread.round(6), abs(along).round(6)
    (array([5., 5.]), array([5., 0.]), array([5., 5.]))
    """
    x = images.reshape(len(images), -1).astype(float)
    variances, directions = np.linalg.eigh(x.T @ x / len(x))
    spread = np.sqrt(np.maximum(variances[::-1], 0))
    return np.sqrt(np.sum(x * x, axis=1)), spread, x @ directions[:, -1]


def record(name, chosen, pictures, size, device, folder, progress):
    """Measure the pictures; returns the arrays to record and their provenance.

    Arrays, for pictures of D numbers: ``levels`` (1001,); the quantiles of the pictures' lengths at
    these levels, ``raw`` (as stored, 0 to 255), ``channels`` (standardised per channel) and
    ``pixels`` (standardised per pixel and channel), each (1001,); for the latter two the spread
    along the principal directions, ``channels_spread`` and ``pixels_spread`` (D,), and quantiles of
    the size of the component along the first, ``channels_along`` and ``pixels_along`` (1001,).
    The work is done on the CPU in seconds, so it keeps no checkpoint.
    """
    from mslbook.paper.images import identify  # needs torch, which the rest does not

    begun = time.monotonic()
    count = chosen.pictures or len(pictures.train_images)
    identity = identify(name, VERSION, pictures, count, size, chosen, device)
    images = pictures.train_images[:count]
    raw = images.reshape(len(images), -1).astype(float)
    arrays = {"levels": LEVELS, "raw": _quantiles(np.sqrt(np.sum(raw * raw, axis=1)))}
    for name, standardised in (
        ("channels", standardise_channels(images)),
        ("pixels", standardise(images)),
    ):
        lengths, spread, along = magnitudes(standardised)
        arrays[name] = _quantiles(lengths)
        arrays[f"{name}_spread"] = spread.astype(np.float32)
        arrays[f"{name}_along"] = _quantiles(abs(along))
    measured = {"precision": "float64", "wall_seconds": round(time.monotonic() - begun)}
    return arrays, identity | environment(device) | measured


def _quantiles(values):
    """Quantiles that are values themselves, none in between."""
    return np.quantile(values, LEVELS, method="nearest").astype(np.float32)


NORMS = Recipe(
    "sec6_norms",
    by_size(small=Settings(1000), reduced=Settings(None), paper=Settings(50_000)),
    record,
)
