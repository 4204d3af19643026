"""Sums over an orthonormal basis: the formula, and clear words for what is none."""

import numpy as np
import pytest
from scipy.stats import ortho_group

from mslbook.descent import descend
from mslbook.losses import Quadratic, Ridge, Scaled, f1, f2, f3, separable

FUNCTIONS = [f1, Scaled(0.5, f1), Quadratic(0.7), f2]
BASIS = ortho_group.rvs(4, random_state=0)


def test_value_gradient_and_hessian_in_the_coordinates_of_the_basis():
    loss = separable(FUNCTIONS, BASIS)
    rng = np.random.default_rng(1)
    x, v = rng.normal(size=(2, 10, 4))
    z, w = x @ BASIS.T, v @ BASIS.T
    parts = list(zip(FUNCTIONS, z.T, w.T, strict=True))
    np.testing.assert_allclose(loss.value(x), sum(f.value(z_i) for f, z_i, _ in parts))
    slopes = np.stack([f.grad(z_i) for f, z_i, _ in parts], axis=-1)
    np.testing.assert_allclose(loss.grad(x), slopes @ BASIS, atol=1e-14)
    changes = np.stack([f.hvp(z_i, w_i) for f, z_i, w_i in parts], axis=-1)
    np.testing.assert_allclose(loss.hvp(x, v), changes @ BASIS, atol=1e-14)


def test_descent_is_one_descent_along_each_direction():
    x = np.random.default_rng(2).normal(size=(5, 4))
    path = descend(separable(FUNCTIONS, BASIS), x, lr=0.3, steps=20).points @ BASIS.T
    for i, f in enumerate(FUNCTIONS):
        alone = descend(f, x @ BASIS[i], lr=0.3, steps=20).points
        np.testing.assert_allclose(path[..., i], alone, atol=1e-12)


def test_tensors_are_answered_in_kind():
    torch = pytest.importorskip("torch")
    loss = separable(FUNCTIONS, torch.asarray(BASIS))
    x = torch.ones(3, 4, dtype=torch.float64)
    assert isinstance(loss.grad(x), torch.Tensor)
    np.testing.assert_allclose(loss.grad(x).numpy(), loss.grad(x.numpy()), atol=1e-14)


def test_functions_may_come_from_a_generator():
    assert separable((f for f in [f1, f2]), np.eye(2)).terms == (
        Ridge(f1, (1, 0)),
        Ridge(f2, (0, 1)),
    )


@pytest.mark.parametrize(
    "basis",
    [
        [[1, 0], [1, 1]],
        [[2, 0], [0, 1]],
        [[0.6, 0.8], [-0.8, 0.5999]],
        [[np.nan, 0], [0, 1]],
    ],
)
def test_a_basis_that_is_not_orthonormal_is_refused(basis):
    with pytest.raises(ValueError, match="must be orthonormal, 2 rows of length 2"):
        separable([f1, f1], basis)


def test_the_advice_in_the_message_makes_an_orthonormal_basis():
    basis = np.linalg.qr(np.transpose([[1.0, 0.0], [1.0, 1.0]]))[0].T
    loss = separable([f1, f2], basis)
    assert loss.dimension == 2


@pytest.mark.parametrize(
    ("functions", "basis", "message"),
    [
        ([f1, f3], np.eye(2), "expected a function of one variable, not a loss of 2"),
        ([f1], np.eye(2), "orthonormal, 1 rows of length 1"),
        ([f1, f1], [1.0, 0.0], "orthonormal, 2 rows of length 2"),
        ([f1, f1], [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]], "orthonormal, 2 rows of length 2"),
    ],
)
def test_parts_that_do_not_fit_are_refused(functions, basis, message):
    with pytest.raises(ValueError, match=message):
        separable(functions, basis)
    with pytest.raises(TypeError, match="is not a loss"):
        separable([f1, np.abs], np.eye(2))
