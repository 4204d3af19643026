"""The noise of remarks 4.1 and 4.2, for `sgd` and `euler_maruyama` of walks."""

import numpy as np

from mslbook.loss import value_and_grad


def label_noise(valley, size):
    """Gradients of f(h(x) y - ξ), with a fresh ξ from N(0, size²) each time, for `sgd`.

    Wrong labels of a `Valley`: this noise does not vanish at the minima y = 0.
    """

    def sample_grad(rng, points):
        x, y = points[..., :-1], points[..., -1]
        h, h_grad = value_and_grad(valley.h, x)
        slope = valley.f.grad(h * y - size * rng.standard_normal(y.shape))
        along, across = (slope * y)[..., None] * h_grad, (slope * h)[..., None]
        return np.concatenate((along, across), axis=-1)

    return sample_grad


def rescaled(loss, spread):
    """Gradients of a * loss, a uniform from 1 - spread to 1 + spread each time, for `sgd`.

    Data that can all be fitted, by a loss of several variables: this noise vanishes at the minima.
    """

    def sample_grad(rng, x):
        return rng.uniform(1 - spread, 1 + spread, (*x.shape[:-1], 1)) * loss.grad(x)

    return sample_grad


def valley_sde(H, H_grad, along, lr, sigma):
    """The drift and the diffusion of descent on yᵀ H(x) y with noise across the valley alone.

    dx = -yᵀ∇H(x)y dt and dy = -2 H(x) y dt + σ √(lr H(x)) dW, for `euler_maruyama`. H and H_grad
    take x (..., d), the first `along` coordinates, to positive definite matrices (..., m, m) and
    their derivatives (..., d, m, m). √H is the Cholesky factor: every root makes the same noise.
    """

    def drift(z):
        x, y = z[..., :along], z[..., along:]
        slide = np.einsum("...i,...dij,...j->...d", y, H_grad(x), y)
        return -np.concatenate((slide, 2 * np.einsum("...ij,...j->...i", H(x), y)), axis=-1)

    def diffusion(z):
        root = sigma * np.sqrt(lr) * np.linalg.cholesky(H(z[..., :along]))
        zero = np.zeros((*root.shape[:-2], along, root.shape[-1]))
        return np.concatenate((zero, root), axis=-2)

    return drift, diffusion
