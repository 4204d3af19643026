"""What is measured along the way: probes of any loss with `value`, `grad` and `hvp`."""

from mslbook.probes.landscape import (
    Growth,
    filter_normalised,
    growth,
    line,
    plane,
    random_direction,
    rounding,
    second_difference,
)
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
from mslbook.probes.wells import Scales, scales

__all__ = [
    "Growth",
    "PrincipalDirections",
    "Scales",
    "Sharpness",
    "SpectralDensity",
    "filter_normalised",
    "growth",
    "line",
    "lyapunov",
    "orthogonalise",
    "plane",
    "principal_directions",
    "project",
    "random_direction",
    "random_walk_shares",
    "rounding",
    "scales",
    "second_difference",
    "segment_directions",
    "sharpness",
    "spectral_density",
]
