"""The noise of remarks 4.1 and 4.2, for `sgd` and `euler_maruyama` of walks."""

from math import sqrt

from mslbook._arrays import array_namespace, like
from mslbook._checks import check_int, check_loss, check_lr, check_real
from mslbook.loss import value_and_grad
from mslbook.losses import Valley


def label_noise(valley, size):
    """Gradients of f(h(x) y - ξ), with a fresh ξ from N(0, size²) each time, for `sgd`.

    Wrong labels: this noise does not vanish at the minima y = 0.
    """
    if not isinstance(valley, Valley):
        raise ValueError(f"{valley!r} is no valley f(h(x) y): write it as mslbook.losses.Valley")
    check_real("the size of the label noise", size, least=0)

    def sample_grad(rng, points):
        x, y = points[..., :-1], points[..., -1]
        h, h_grad = value_and_grad(valley.h, x)
        noise = size * like(x, rng.standard_normal(tuple(y.shape)))
        slope = valley.f.grad(h * y - noise)
        along, across = (slope * y)[..., None] * h_grad, (slope * h)[..., None]
        return array_namespace(x).concat((along, across), axis=-1)

    return sample_grad


def rescaled(loss, spread):
    """Gradients of a * loss, a uniform from 1 - spread to 1 + spread each time, for `sgd`.

    Data that can all be fitted: this noise vanishes at the minima.
    """
    check_real("the spread", spread, least=0, below=1)
    if check_loss(loss).dimension is None:  # whose points would share a factor
        raise ValueError(f"{loss!r} is a function of one variable: write Ridge(f, (1,))")

    def sample_grad(rng, x):
        return like(x, rng.uniform(1 - spread, 1 + spread, (*x.shape[:-1], 1))) * loss.grad(x)

    return sample_grad


def valley_sde(H, H_grad, along, lr, sigma):
    """The drift and the diffusion of descent on yᵀ H(x) y with noise across the valley alone.

    dx = -yᵀ∇H(x)y dt and dy = -2 H(x) y dt + σ √(lr H(x)) dW, for `euler_maruyama`. H and H_grad
    take x (..., d), the first `along` coordinates, to positive definite matrices (..., m, m) and
    their derivatives (..., d, m, m). √H is the Cholesky factor: every root makes the same noise.
    """
    along, lr = check_int("along", along, least=1), check_lr(lr)
    check_real("sigma", sigma, least=0)

    def drift(z):
        xp, x, y = array_namespace(z), z[..., :along], z[..., along:]
        slide = xp.einsum("...i,...dij,...j->...d", y, like(z, H_grad(x)), y)
        return -xp.concat((slide, 2 * xp.einsum("...ij,...j->...i", like(z, H(x)), y)), axis=-1)

    def diffusion(z):
        root = sigma * sqrt(lr) * _root(like(z, H(z[..., :along])))
        zero = 0 * root[..., :1, :] + like(z, [[0.0]] * along)
        return array_namespace(z).concat((zero, root), axis=-2)

    return drift, diffusion


def _root(matrix):
    """The Cholesky factor, for which LAPACK reads one triangle and does not see asymmetry."""
    xp = array_namespace(matrix)
    if matrix.shape[-1] == matrix.shape[-2] and xp.allclose(matrix, xp.matrix_transpose(matrix)):
        return xp.linalg.cholesky(matrix)
    raise ValueError("H(x) must be a symmetric, positive definite matrix wherever a path leads")
