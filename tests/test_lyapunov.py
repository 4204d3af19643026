"""The Lyapunov exponent against closed forms, and what it says where there is none."""

import numpy as np
import pytest
from scipy.stats import ortho_group

from mslbook.descent import decays
from mslbook.losses import Linear, Quadratic, Ridge, Scaled, Sum, f1, f2, f3, separable
from mslbook.probes import lyapunov, sharpness
from mslbook.theory import two_cycle


@pytest.mark.parametrize("lr", [0.1, 0.9, 1.5])
def test_a_quadratic_contracts_by_one_factor(lr):
    exponent = lyapunov(Quadratic(curvature=2.0), start=5.0, lr=lr, steps=7)
    assert exponent == pytest.approx(np.log(abs(1 - 2 * lr)), rel=1e-13)


def test_of_several_directions_the_largest_counts():
    curvatures = 1.9, 0.7, 0.3
    quadratics = [Quadratic(curvature=c) for c in curvatures]
    loss = separable(quadratics, ortho_group.rvs(3, random_state=0))
    lrs = np.array([0.2, 0.9, 1.0])
    exponents = lyapunov(loss, np.ones(3), lrs[:, None], steps=500, discard=500)
    expected = np.log(abs(1 - lrs * np.array(curvatures)[:, None]).max(axis=0))
    np.testing.assert_allclose(exponents, expected, rtol=1e-12)


@pytest.mark.parametrize("lr", [2.5, 4.0, 5.0, 12.0])
def test_the_two_cycle_of_f1(lr):
    expected = np.log(abs(1 - lr * f1.hvp(two_cycle(f1, lr), 1.0)))
    exponents = lyapunov(f1, [-7.0, 1.0, 3.3], lr, steps=50, discard=400)
    np.testing.assert_allclose(exponents, expected, rtol=1e-8)


def test_a_sum_over_a_basis_has_the_largest_exponent_of_its_directions():
    functions = [f1, Scaled(0.6, f1), Scaled(0.2, f1)]
    loss = separable(functions, ortho_group.rvs(3, random_state=1))
    alone = [lyapunov(f, 1.0, 4.2, steps=200, discard=600) for f in functions]
    together = lyapunov(loss, np.ones(3), 4.2, steps=200, discard=600)
    assert together == pytest.approx(max(alone), rel=1e-8)


@pytest.mark.parametrize(("lr", "expected"), [(2.0, 0.42), (0.5, 0.90), (0.2, np.log(0.2))])
def test_f2(lr, expected):
    start = np.random.default_rng(1).uniform(-1, 1, 1000)
    exponent = lyapunov(f2, start, lr, steps=1000, discard=1000).mean()
    assert exponent == pytest.approx(expected, abs=0.01)


def test_f2_where_chaos_begins():
    """In the limit at its stable rate the map of the narrow band gives (ln 5) / 3."""
    start = np.random.default_rng(1).uniform(0.3329, 0.3334, 1000)
    exponent = lyapunov(f2, start, 1 / 3 + 1e-4, steps=1000, discard=100).mean()
    assert exponent == pytest.approx(np.log(5) / 3, abs=2e-3)


def test_f3_at_rest_has_the_slowest_direction():
    smallest = sharpness(f3, np.zeros(2), k=2, tol=1e-10).values[1]
    exponent = lyapunov(f3, (-3.0, 3.0), 0.1, steps=100, discard=1000)
    assert exponent == pytest.approx(np.log(1 - 0.1 * smallest), rel=1e-8)


def test_starts_and_learning_rates_broadcast_as_in_descend():
    starts = np.random.default_rng(0).normal(size=(4, 1, 2))
    lrs = np.array([0.1, 0.2, 0.3])[:, None]
    exponents = lyapunov(f3, starts, lrs, steps=20)
    assert exponents.shape == (4, 3)
    one = lyapunov(f3, starts[2, 0], 0.2, steps=20)
    assert one.shape == ()
    assert exponents[2, 1] == pytest.approx(one, rel=1e-12)
    assert lyapunov(f1, starts[..., 0], lrs[:, 0], steps=20).shape == (4, 3)


def test_superstable_is_minus_infinity_and_divergence_has_no_exponent():
    exponents = lyapunov(Quadratic(), start=1.0, lr=[1.0, 3.0, 1e3], steps=400)
    assert exponents[0] == -np.inf
    assert exponents[1] == pytest.approx(np.log(2))
    assert np.isnan(exponents[2])


def test_one_superstable_direction_does_not_hide_the_other():
    loss = Sum((Ridge(Quadratic(1.0), (1, 0)), Ridge(Quadratic(0.5), (0, 1))))
    assert lyapunov(loss, [1.0, 1.0], 1.0, steps=5, discard=5) == pytest.approx(np.log(0.5))


def test_transient_steps_are_discarded():
    """Far out f1 is flat and nothing contracts; on its cycle it does."""
    with_them, without = (lyapunov(f1, 200.0, 5.0, 50, discard=d) for d in (0, 400))
    assert without + 0.5 < with_them < 0


@pytest.mark.parametrize("loss", [f1, f3, Linear(f3, ((0, 1), (1, 0)))])
def test_tensors_are_answered_in_kind(loss):
    torch = pytest.importorskip("torch")
    start = np.random.default_rng(0).normal(size=(5, 2))
    expected = lyapunov(loss, start, 0.1, steps=30)
    exponents = lyapunov(loss, torch.asarray(start), torch.tensor([[0.1]]), steps=30)
    rates = torch.tensor([[0.1]], dtype=torch.float64, requires_grad=True)
    np.testing.assert_array_equal(lyapunov(loss, start, rates, steps=30), expected)
    assert isinstance(exponents, torch.Tensor)
    np.testing.assert_allclose(exponents.numpy(), expected, rtol=1e-6)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"steps": 0}, ValueError, "steps must be a whole number of at least 1, not 0"),
        ({"steps": 2.5}, ValueError, "steps must be a whole number"),
        ({"steps": True}, ValueError, "steps must be a whole number"),
        ({"discard": -1}, ValueError, "discard must be a whole number of at least 0, not -1"),
        ({"loss": lambda x: x * x}, TypeError, "a plain function is not a loss, it has no hvp"),
        ({"lr": decays({0: 5, 9: 1})}, TypeError, "belongs to one learning rate"),
        ({"lr": -1.0}, ValueError, "a learning rate must be positive"),
        ({"lr": [1.0, 2.0]}, ValueError, r"write lr\[:, None\]"),
        ({"start": [0.0, np.nan]}, ValueError, "not finite there: start elsewhere"),
        ({"start": [0.0, 1.0, 2.0]}, ValueError, "this loss has 2 variables"),
    ],
)
def test_what_cannot_be_measured_is_refused_in_words(arguments, error, message):
    with pytest.raises(error, match=message):
        lyapunov(**{"loss": f3, "start": [1.0, 1.0], "lr": 0.1, "steps": 10} | arguments)
