"""The noise of remarks 4.1 and 4.2: what is drawn, what it averages to, and what is refused."""

import numpy as np
import pytest

from mslbook.losses import Quadratic, Radial, Ridge, Valley, f1, valley
from mslbook.paper.after_the_edge.noise import label_noise, rescaled, valley_sde
from mslbook.paper.after_the_edge.walks import euler_maruyama, sgd

POINTS = np.array([[1.0, 0.5], [20.0, -2.0]])


def rng():
    return np.random.default_rng(1)


def test_label_noise_is_the_gradient_of_the_shifted_loss():
    """Across a parabola the noise is additive: it has the mean gradient and h σ around it."""
    loss = Valley(Quadratic(), valley.h)
    points = np.broadcast_to(POINTS[0], (40_000, 2))
    drawn = label_noise(loss, 0.3)(rng(), points)
    h = loss.h.value(POINTS[0, :1])
    np.testing.assert_allclose(drawn.mean(axis=0), loss.grad(POINTS[0]), atol=0.006)
    assert drawn[:, 1].std() == pytest.approx(0.3 * h, rel=0.02)


def test_label_noise_is_that_of_a_valley_along_several_coordinates():
    loss = Valley(f1, Radial(Quadratic(0.3, minimum=1.0), 2))
    points = rng().normal(size=(4, 3))
    without = label_noise(loss, 0.0)(rng(), points)
    np.testing.assert_allclose(without, loss.grad(points), rtol=1e-12)


def test_label_noise_does_not_vanish_on_the_floor_and_rescaling_does():
    floor = np.array([[1.0, 0.0]] * 3)
    assert np.all(label_noise(valley, 0.1)(rng(), floor)[:, 1] != 0)
    assert np.all(rescaled(valley, 0.5)(rng(), floor) == 0)


def test_rescaled_gradients_are_multiples_between_the_ends():
    points = np.broadcast_to(POINTS[0], (10_000, 2))
    factors = rescaled(valley, 0.5)(rng(), points) / valley.grad(POINTS[0])
    np.testing.assert_allclose(factors[:, 0], factors[:, 1], rtol=1e-12)
    assert 0.5 <= factors.min() < 0.51
    assert 1.49 < factors.max() <= 1.5
    assert factors.mean() == pytest.approx(1, abs=0.01)


def test_stationary_variance_of_label_noise_on_a_parabola():
    """S = η σ² / (2 - η h²), as the chapter derives; here h is 1 everywhere."""
    loss = Valley(Quadratic(), Ridge(Quadratic(curvature=0.0, minimum=1.0), (1,)))
    sampled = sgd(label_noise(loss, 0.2), np.zeros((20_000, 2)), 1.5, 60, every=60)
    assert sampled.points[-1, :, 1].var() == pytest.approx(1.5 * 0.04 / 0.5, rel=0.04)
    assert np.all(sampled.points[-1, :, 0] == 0)


def test_stationary_covariance_of_remark_4_2():
    """At equilibrium (ησ²/4)(I - H dt)⁻¹ for steps dt, for a matrix that is not diagonal."""
    H, dt, walks = np.array([[2.0, 0.6], [0.6, 1.0]]), 0.1, 40_000
    drift, diffusion = valley_sde(lambda x: H, lambda x: np.zeros((1, 2, 2)), 1, 0.1, 0.3)
    sampled = euler_maruyama(drift, diffusion, np.zeros((walks, 3)), dt, 50, every=50)
    x, y = sampled.points[-1, :, 0], sampled.points[-1, :, 1:]
    expected = 0.1 * 0.3**2 / 4 * np.linalg.inv(np.eye(2) - H * dt)
    error = np.sqrt(2 / walks) * expected[0, 0]
    np.testing.assert_allclose(y.T @ y / walks, expected, atol=4 * error)
    assert np.all(x == 0)


def test_the_drift_of_remark_4_2_is_minus_the_gradient():
    """Of yᵀ H(x) y, for two coordinates along the valley and two across."""

    def H(x):
        one = np.ones_like(x[..., 0])
        rows = [2 + x[..., 0] ** 2, x[..., 1], x[..., 1], 3 * one + x[..., 1] ** 2]
        return np.stack(rows, -1).reshape(*x.shape[:-1], 2, 2)

    def H_grad(x):
        zero, one = np.zeros_like(x[..., 0]), np.ones_like(x[..., 0])
        rows = [2 * x[..., 0], zero, zero, zero, zero, one, one, 2 * x[..., 1]]
        return np.stack(rows, -1).reshape(*x.shape[:-1], 2, 2, 2)

    def loss(z):
        return np.einsum("i,ij,j->", z[2:], H(z[:2]), z[2:])

    drift, diffusion = valley_sde(H, H_grad, 2, 0.1, 0.5)
    z = np.random.default_rng(0).normal(size=(5, 4))
    for point, found in zip(z, drift(z), strict=True):
        steps = 1e-6 * np.eye(4)
        slope = [(loss(point + step) - loss(point - step)) / 2e-6 for step in steps]
        np.testing.assert_allclose(found, -np.array(slope), rtol=1e-7, atol=1e-8)
    noise = diffusion(z)
    assert np.all(noise[:, :2] == 0)
    covariance = noise[:, 2:] @ noise[:, 2:].swapaxes(-1, -2)
    np.testing.assert_allclose(covariance, 0.1 * 0.25 * H(z[:, :2]), rtol=1e-12)


def test_above_the_edge_noise_that_vanishes_does_not_stop_the_motion():
    """Journal remark 4.1 says otherwise; see the ledger."""
    starts, rates = np.ones((2, 20, 2)), np.array([1.5, 3.0])[:, None, None]
    below, above = sgd(rescaled(Valley(f1, valley.h), 0.5), starts, rates, 500, every=500).points[
        -1
    ]
    assert np.all(below[:, 0] - 1 < 0.1)
    assert np.all(above[:, 0] - 1 > 2)


def test_the_noise_of_a_valley_needs_a_positive_definite_matrix():
    _, diffusion = valley_sde(lambda x: -np.eye(2), np.zeros_like, 1, 0.1, 1.0)
    with pytest.raises(ValueError, match="positive definite"):
        diffusion(np.zeros(3))
