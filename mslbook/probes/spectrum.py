"""The density of the Hessian's eigenvalues, from Hessian-vector products alone."""

from dataclasses import dataclass
from math import prod

import numpy as np
from array_api_compat import device
from scipy.linalg import eigh_tridiagonal

from mslbook.checks import float64, generator, real, real_numbers, whole
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
def spectral_density(loss, point, steps=64, samples=8, seed=0):
    """The density of the eigenvalues of the Hessian of `loss` at `point`.

    Stochastic Lanczos quadrature: for a random unit vector v, the mean of (v·u)² over its draws is
    1/n for every eigenvector u. So the weights (v·u)², set at the eigenvalues, are on average
    their density; and m steps of Lanczos from v turn these n weights into m, at the eigenvalues of
    a tridiagonal matrix, with the same moments up to the (2m - 1)-th (Gauss's quadrature).

    Parameters
    ----------
    loss : anything with ``hvp(point, v)``
    point : a number, for a function of one variable, or a vector of n coordinates
    steps : products for each sample, which resolve the spectrum, its ends before its middle;
        a sample whose Krylov space is exhausted earlier needs no more
    samples : random vectors; the error of a mean falls with the root of samples · n
    seed : of these; the same everywhere, whatever the library or device

    All `steps` vectors of n numbers are kept in memory, since each new one is made orthogonal to
    all (or Lanczos would find the same eigenvalues over and again).

    Returns a `SpectralDensity`. Raises ``ValueError`` for arguments out of range, and
    ``FloatingPointError`` if a product is not finite.

    `sharpness` finds the upper end of this density to any accuracy; the density shows the rest,
    in how many directions the loss is flat, steep or bent downwards (the separate scales of the
    journal's and the preprint's section 3.2, as far as second derivatives see them).

    >>> from mslbook.losses import two_valleys
    >>> found = spectral_density(two_valleys, np.array([0.0, 0.0]), samples=1)
    >>> found.nodes.round(6)
    array([[ 1., 25.]])
    """
    whole("steps", steps, least=1)
    whole("samples", samples, least=1)
    xp, point = one_point(loss, point, "hvp")
    n = prod(point.shape)
    product = hessian_at(loss, point)
    random = generator(seed)
    steps = min(steps, n)
    nodes, weights = np.empty((samples, steps)), np.zeros((samples, steps))
    hvps = 0
    for node, weight in zip(nodes, weights, strict=True):
        start = random.standard_normal(n)  # by NumPy, so the same on every library and device
        start = xp.asarray(start, dtype=point.dtype, device=device(point))
        diagonal, beside = _lanczos(product, xp, start, steps)
        values, vectors = eigh_tridiagonal(diagonal, beside)
        taken = len(diagonal)
        node[:taken], weight[:taken] = values, vectors[0] ** 2
        node[taken:] = values[-1]  # of an exhausted Krylov space; their weight is 0
        weight /= weight.sum()
        hvps += taken
    return SpectralDensity(nodes, weights, n, hvps)


def _lanczos(product, xp, start, steps):
    """The tridiagonal matrix of the Hessian in the Krylov space: its diagonal and the one beside.

    It ends before `steps` where the space is exhausted, up to the rounding of a product.
    """
    norm = xp.linalg.vector_norm
    rounding = 10 * float(xp.finfo(start.dtype).eps)
    basis = xp.empty((steps, len(start)), dtype=start.dtype, device=device(start))
    row, length, diagonal, beside = start, norm(start), [], []
    for known in range(1, steps + 1):
        basis[known - 1] = row / length
        row = product(basis[known - 1])
        diagonal.append(float(basis[known - 1] @ row))
        for _ in range(2):  # twice is enough
            row = row - (basis[:known] @ row) @ basis[:known]
        length = float(norm(row))
        if length <= rounding * max(map(abs, [*diagonal, *beside])):
            break
        beside.append(length)
    return np.array(diagonal), np.array(beside[: known - 1])
