"""What is measured along the way: probes of any loss with `value`, `grad` and `hvp`."""

from mslbook import _public
from mslbook.probes.conformance import Conformance, conformance
from mslbook.probes.critical import SharpnessEstimate, batch_sharpness, critical_sharpness
from mslbook.probes.eigenvalues import Sharpness, sharpness
from mslbook.probes.hessian import hessian_operator
from mslbook.probes.layers import LayerSharpness, layer_sharpness
from mslbook.probes.line_growth import (
    CurvatureProfile,
    Growth,
    curvature_profile,
    growth,
    rounding,
    second_difference,
)
from mslbook.probes.lyapunov_exponent import lyapunov
from mslbook.probes.slices import (
    AdaptivePlane,
    adaptive_plane,
    filter_normalised,
    line,
    plane,
    random_direction,
)
from mslbook.probes.spectrum import SpectralDensity, spectral_density
from mslbook.probes.trajectory_pca import (
    PrincipalDirections,
    orthogonalise,
    principal_directions,
    project,
    random_walk_shares,
)

__all__ = _public.names(globals())
