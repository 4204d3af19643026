"""The density of the Hessian's eigenvalues, from Hessian-vector products alone."""

from dataclasses import dataclass
from math import prod

import numpy as np

from mslbook._arrays import to_numpy
from mslbook._checks import check_int, check_real
from mslbook.probes._theta import check_theta, in_full_precision
from mslbook.probes.hessian import hessian_operator
from mslbook.probes.lanczos import KrylovSpace


@dataclass(frozen=True)
class SpectralDensity:
    """The answer of `spectral_density`; what is computed from it is a mean over the samples."""

    nodes: np.ndarray  #: eigenvalues, ascending, shape (samples, steps)
    weights: np.ndarray  #: their weights, which add up to 1 in each sample
    dimension: int  #: the number n of eigenvalues of the Hessian
    hvps: int  #: the number of Hessian-vector products made

    def density(self, grid, width):
        """The density at `grid`, smoothed by a Gaussian of standard deviation `width`."""
        check_real("width", width, above=0)
        offset = (to_numpy(grid)[..., None] - self.nodes.ravel()) / width
        gaussians = np.exp(-(offset**2) / 2) / (width * np.sqrt(2 * np.pi))
        return gaussians @ self.weights.ravel() / len(self.nodes)

    @property
    def trace(self):
        """The trace of the Hessian, n times the mean eigenvalue."""
        return self.dimension * float((self.weights * self.nodes).sum() / len(self.nodes))

    def share(self, above):
        """The share of the eigenvalues that are larger than `above`, from 0 to 1."""
        return float(self.weights[self.nodes > above].sum() / len(self.nodes))


@in_full_precision
def spectral_density(loss, theta, steps=64, samples=8, seed=0) -> SpectralDensity:
    """The density of the eigenvalues of a Hessian by stochastic Lanczos quadrature.

    Parameters
    ----------
    loss : Loss
    theta : array_like, shape () or (n,)
    steps : int
        Products for each sample; the ends of the spectrum are resolved before its middle.
    samples : int
        Random vectors; the error of a mean falls with the root of samples · n.
    seed : int

    Notes
    -----
    For a random unit vector v, the weights (v·u)² at the eigenvalues are on average their density.
    Lanczos from v turns them into as many as it makes steps, with the same moments up to the
    (2 steps - 1)-th, in `steps` + 5 vectors of n numbers. A product that is not finite raises
    FloatingPointError.

    Examples
    --------
    >>> from mslbook import spectral_density, two_valleys
    >>> spectral_density(two_valleys, [0.0, 0.0], samples=1).nodes.round(6)
    array([[ 1., 25.]])
    """
    check_int("samples", samples, least=1)
    theta = check_theta(loss, theta, "hvp")[1]
    n, random = prod(theta.shape), np.random.default_rng(seed)
    steps = min(check_int("steps", steps, least=1), n)
    nodes, weights = np.empty((samples, steps)), np.zeros((samples, steps))
    space = KrylovSpace(hessian_operator(loss, theta), theta.reshape((-1,)), steps)
    for node, weight in zip(nodes, weights, strict=True):
        space.clear()
        space.add(random.standard_normal(n))  # by NumPy, so the same on every library and device
        while space.pending:
            space.extend()
        values, vectors = space.ritz()
        taken = len(space)
        node[:taken], weight[:taken] = values[::-1], vectors[::-1, 0] ** 2
        node[taken:] = values[0]  # of an exhausted Krylov space; their weight is 0
        weight /= weight.sum()
    return SpectralDensity(nodes, weights, n, space.hvps)
