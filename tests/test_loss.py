"""Any differentiable function is a loss."""

import numpy as np
import pytest

from mslbook.descent import descend
from mslbook.losses import FunctionLoss, QuadraticModel, f1, two_valleys

torch = pytest.importorskip("torch")

POINTS = np.random.default_rng(0).normal(size=(5, 2))
V = np.random.default_rng(1).normal(size=(5, 2))


def one_variable(x):
    a = x.abs()
    return (1 + a) * torch.log1p(a) - a


@pytest.mark.parametrize("convert", [np.asarray, torch.tensor, lambda x: torch.tensor(x).float()])
def test_a_function_of_one_variable_is_f1(convert):
    x, v = convert([-2.0, 0.5, 30.0]), convert([1.0, -2.0, 3.0])
    loss = FunctionLoss(one_variable)
    for ours, theirs in (
        (loss.value(x), f1.value(x)),
        (loss.grad(x), f1.grad(x)),
        (loss.hvp(x, v), f1.hvp(x, v)),
    ):
        assert type(ours) is type(x)
        assert ours.dtype == x.dtype
        np.testing.assert_allclose(ours, theirs, rtol=1e-5)


def quartic(theta):
    return (theta**4).sum() / 4 + theta[0] * theta[1]


def test_batches_of_points_are_answered_one_by_one():
    loss = FunctionLoss(quartic, dimension=2)
    value, grad = loss.value_and_grad(POINTS)
    np.testing.assert_allclose(value, (POINTS**4).sum(1) / 4 + POINTS[:, 0] * POINTS[:, 1])
    np.testing.assert_allclose(grad, POINTS**3 + POINTS[:, ::-1])
    np.testing.assert_allclose(loss.hvp(POINTS, V), 3 * POINTS**2 * V + V[:, ::-1])
    for i, (point, v) in enumerate(zip(POINTS, V, strict=True)):
        np.testing.assert_allclose(loss.value(point), value[i])
        np.testing.assert_allclose(loss.hvp(point, v), loss.hvp(POINTS, V)[i])


def test_a_batch_may_have_several_axes():
    loss, grid = FunctionLoss(quartic, dimension=2), np.stack((POINTS, V, POINTS + V))
    np.testing.assert_allclose(loss.value(grid), [loss.value(row) for row in grid])
    np.testing.assert_allclose(loss.grad(grid), [loss.grad(row) for row in grid])


def test_points_and_vectors_broadcast():
    loss = FunctionLoss(quartic, dimension=2)
    np.testing.assert_allclose(loss.hvp(POINTS[0], V), [loss.hvp(POINTS[0], v) for v in V])
    np.testing.assert_allclose(loss.hvp(POINTS, V[0]), [loss.hvp(p, V[0]) for p in POINTS])


def test_it_descends_and_is_probed_like_any_loss():
    from mslbook.probes import sharpness

    loss = FunctionLoss(lambda x: 0.5 * (x * x.new_tensor([1.0, 9.0]) * x).sum(), dimension=2)
    path = descend(loss, [3.0, 1.0], 0.1, 200)
    assert path.values[-1] < 1e-9
    assert sharpness(loss, path.points[-1]).values[0] == pytest.approx(9)


def test_the_graph_of_the_caller_is_left_alone():
    theta = torch.ones(2, requires_grad=True)
    loss = FunctionLoss(quartic, dimension=2)
    with torch.no_grad():
        value, grad = loss.value_and_grad(theta)
    assert not value.requires_grad
    assert not grad.requires_grad
    assert theta.grad is None


def test_a_linear_function_has_no_curvature():
    loss = FunctionLoss(lambda x: 3 * x.sum(), dimension=2)
    np.testing.assert_array_equal(loss.hvp(POINTS, V), 0 * V)


@pytest.mark.parametrize("f", [lambda x: x, lambda x: 1.0, lambda x: x.detach().sum()])
def test_what_gives_no_number_for_a_point_is_refused(f):
    with pytest.raises(ValueError, match="one number for each point"):
        FunctionLoss(f, dimension=2).value([1.0, 2.0])


def test_a_quadratic_model_agrees_to_second_order():
    model = QuadraticModel(two_valleys, [-2.0, 1.0])
    step = np.array([1e-3, -2e-3])
    np.testing.assert_allclose(
        model.value(model.theta + step), two_valleys.value(model.theta + step), atol=1e-7
    )
    np.testing.assert_allclose(model.hvp(POINTS[0], step), two_valleys.hvp(model.theta, step))
