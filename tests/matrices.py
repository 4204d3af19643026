"""Quadratic losses of known spectra, for the tests of what is measured of a Hessian."""

import numpy as np


class Parabola:
    """x -> x·H x / 2 for a symmetric matrix H, counting the products made."""

    def __init__(self, matrix):
        self.matrix, self.dimension, self.products = matrix, len(matrix), 0

    def hvp(self, x, v):
        self.products += 1
        return self.matrix @ v


def rotated(eigenvalues, seed=0):
    """A symmetric matrix with these eigenvalues and random eigenvectors."""
    n = len(eigenvalues)
    basis, _ = np.linalg.qr(np.random.default_rng(seed).normal(size=(n, n)))
    return (basis * eigenvalues) @ basis.T


class Diagonal:
    """A quadratic loss with these curvatures along the coordinates."""

    def __init__(self, curvatures):
        self.curvatures, self.dimension = curvatures, len(curvatures)

    def hvp(self, theta, v):
        return self.curvatures * v


N = 60
SPECTRA = {
    "random": np.random.default_rng(5).normal(size=N),
    "one far below": np.r_[-100, np.linspace(0, 1, N - 1)],
    "all negative": np.linspace(-10, -1, N),
    "none above zero": np.r_[np.linspace(-5, -1, N - 3), 0, 0, 0],
    "zero": np.zeros(N),
    "identity": np.ones(N),
    "largest five times": np.r_[np.linspace(-1, 1, N - 5), 2, 2, 2, 2, 2],
    "largest twice": np.r_[np.linspace(-1, 1, N - 2), 2, 2],
    "outliers": np.r_[np.linspace(-0.1, 0.1, N - 4), 1, 3, 10, 30],
    "large": 1e12 * np.linspace(-1, 1, N),
    "small": 1e-12 * np.linspace(-1, 1, N),
}
