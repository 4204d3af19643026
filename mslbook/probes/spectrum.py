"""The density of the Hessian's eigenvalues, from Hessian-vector products alone."""

from dataclasses import dataclass
from math import prod

import numpy as np

from mslbook.checks import float64, generator, real, real_numbers, whole
from mslbook.probes.lanczos import KrylovSpace
from mslbook.probes.points import hessian_at, in_full_precision, one_point


@dataclass(frozen=True)
class SpectralDensity:
    """The answer of `spectral_density`: each sample is a set of eigenvalues and their weights.

    Attributes
    ----------
    nodes : (samples, steps), in ascending order
    weights : (samples, steps), positive or 0; those of each sample add up to 1
    dimension : n, the number of eigenvalues
    hvps : how many Hessian-vector products it took

    What is computed from it is a mean over the samples; a sample of its own,
    ``SpectralDensity(nodes[:1], ...)``, tells how much they differ.
    """

    nodes: np.ndarray
    weights: np.ndarray
    dimension: int
    hvps: int

    def density(self, grid, width):
        """The density of eigenvalues, smeared by a Gaussian of standard deviation `width`.

        `grid` is an array of eigenvalues (G,); the answer, of its shape, has the integral 1.
        Raises ``ValueError`` for a width that is not positive and finite.
        """
        real("width", width, above=0)
        away = (float64(real_numbers("grid", grid))[..., None] - self.nodes.ravel()) / width
        bells = np.exp(-(away**2) / 2) / (width * np.sqrt(2 * np.pi))
        return bells @ self.weights.ravel() / len(self.nodes)

    def moment(self, power):
        """The mean of the eigenvalues' `power`-th powers, trace(H^power) / n."""
        whole("power", power)
        return float((self.weights * self.nodes**power).sum() / len(self.nodes))

    @property
    def trace(self):
        """The trace of the Hessian, n times the mean eigenvalue."""
        return self.dimension * self.moment(1)

    def share(self, above):
        """The share of the eigenvalues that are larger than `above`, from 0 to 1."""
        larger = self.nodes > real_numbers("above", above)
        return float(self.weights[larger].sum() / len(self.nodes))

    def __repr__(self):
        return (
            f"SpectralDensity({self.dimension} eigenvalues from {self.nodes.min():.3g} to "
            f"{self.nodes.max():.3g}, mean {self.moment(1):.3g}, {self.hvps} products)"
        )


@in_full_precision
def spectral_density(loss, theta, steps=64, samples=8, seed=0):
    """The density of the eigenvalues of the Hessian of a loss, by stochastic Lanczos quadrature.

    Parameters
    ----------
    loss : Loss
        Anything with ``hvp(theta, v)``.
    theta : array_like, shape () or (n,)
        A number, for a function of one variable, or a vector of n coordinates.
    steps : int
        Products for each sample, which resolve the spectrum, its ends before its middle; a sample
        whose Krylov space is exhausted earlier needs no more.
    samples : int
        Random vectors; the error of a mean falls with the root of samples · n.
    seed : int
        Of these; the same everywhere, whatever the library or device.

    Returns
    -------
    SpectralDensity

    Raises
    ------
    ValueError
        For arguments out of range.
    FloatingPointError
        If a product is not finite.

    Notes
    -----
    For a random unit vector v, the mean of (v·u)² over its draws is 1/n for every eigenvector u. So
    the weights (v·u)², set at the eigenvalues, are on average their density; and m steps of Lanczos
    from v turn these n weights into m, at the eigenvalues of the Hessian within the Krylov space,
    with the same moments up to the (2m - 1)-th (Gauss's quadrature).

    Memory: `steps` + 7 vectors of n numbers, since each new one is made orthogonal to all the
    others (or Lanczos would find the same eigenvalues over and again).

    `sharpness` finds the upper end of this density to any accuracy; the density shows the rest: in
    how many directions the loss is flat, steep or bent downwards.

    Examples
    --------
    >>> from mslbook.losses import two_valleys
    >>> from mslbook.probes import spectral_density
    >>> found = spectral_density(two_valleys, [0.0, 0.0], samples=1)
    >>> found.nodes.round(6)
    array([[ 1., 25.]])
    """
    whole("steps", steps, least=1)
    whole("samples", samples, least=1)
    xp, theta = one_point(loss, theta, "hvp")
    n = prod(theta.shape)
    product, like, random = hessian_at(loss, theta), theta.reshape((-1,)), generator(seed)
    rounding = 10 * float(xp.finfo(theta.dtype).eps)
    steps = min(steps, n)
    nodes, weights = np.empty((samples, steps)), np.zeros((samples, steps))
    space = KrylovSpace(product, xp, like, steps, rounding)
    for node, weight in zip(nodes, weights, strict=True):
        space.clear()
        row = random.standard_normal(n)  # by NumPy, so the same on every library and device
        while len(space) < steps and (image := space.add(row)) is not None:
            row = image
        values, vectors = np.linalg.eigh(space.projected)
        taken = len(space)
        node[:taken], weight[:taken] = values, vectors[0] ** 2
        node[taken:] = values[-1]  # of an exhausted Krylov space; their weight is 0
        weight /= weight.sum()
    return SpectralDensity(nodes, weights, n, space.hvps)
