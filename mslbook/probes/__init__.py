"""What is measured along the way: probes of any loss with `value`, `grad` and `hvp`."""

from mslbook.probes.landscape import line, second_difference
from mslbook.probes.lyapunov import lyapunov
from mslbook.probes.paths import (
    PrincipalDirections,
    orthogonalise,
    principal_directions,
    project,
    random_walk_shares,
    segment_directions,
)
from mslbook.probes.sharpness import Sharpness, sharpness
from mslbook.probes.spectrum import SpectralDensity, spectral_density

__all__ = [
    "PrincipalDirections",
    "Sharpness",
    "SpectralDensity",
    "line",
    "lyapunov",
    "orthogonalise",
    "principal_directions",
    "project",
    "random_walk_shares",
    "second_difference",
    "segment_directions",
    "sharpness",
    "spectral_density",
]
