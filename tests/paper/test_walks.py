"""Noisy walks: what is drawn, what it averages to, and what is refused."""

import numpy as np
import pytest

from mslbook.descent import descend
from mslbook.losses import Quadratic, Ridge, valley
from mslbook.paper.after_the_edge.walks import euler_maruyama, sgd

POINTS = np.array([[1.0, 0.5], [20.0, -2.0]])


def exact(loss):
    """A sample of the gradient without any noise."""
    return lambda rng, x: loss.grad(x)


def noisy(loss):
    """A sample of the gradient with noise in every coordinate."""
    return lambda rng, x: loss.grad(x) + 0.1 * rng.standard_normal(x.shape)


def test_without_noise_sgd_is_descent():
    path = descend(valley, POINTS, 3.0, 40, every=10)
    sampled = sgd(exact(valley), POINTS, 3.0, 40, every=10)
    np.testing.assert_allclose(sampled.points, path.points, rtol=1e-12)
    np.testing.assert_array_equal(sampled.steps, path.steps)


def test_the_same_seed_gives_the_same_walk_and_another_another():
    runs = [sgd(noisy(valley), POINTS, 1.5, 10, seed).points for seed in (3, 3, 4)]
    np.testing.assert_array_equal(runs[0], runs[1])
    assert np.all(runs[0][-1] != runs[2][-1])


def test_without_a_seed_it_is_0():
    np.testing.assert_array_equal(
        sgd(noisy(valley), POINTS, 1.5, 10).points,
        sgd(noisy(valley), POINTS, 1.5, 10, seed=0).points,
    )
    noise = np.negative, lambda x: np.eye(2)
    np.testing.assert_array_equal(
        euler_maruyama(*noise, POINTS, 0.1, 10).points,
        euler_maruyama(*noise, POINTS, 0.1, 10, seed=0).points,
    )


def test_sgd_takes_a_rate_for_each_walk():
    rates = np.array([[1.5], [3.0]])
    both = sgd(exact(valley), POINTS, rates, 5).points
    for k, rate in enumerate(rates.ravel()):
        single = sgd(exact(valley), POINTS[k], rate, 5).points
        np.testing.assert_allclose(both[:, k], single, rtol=1e-12)


def test_a_rate_may_have_more_axes_than_the_start():
    rates = np.array([1.5, 3.0, 4.0])[:, None]
    sampled = sgd(exact(valley), POINTS[0], rates, 5).points
    np.testing.assert_allclose(sampled, descend(valley, POINTS[0], rates, 5).points, rtol=1e-12)


def test_a_rate_for_each_coordinate_is_refused_as_descend_does():
    for sweep in (sgd, descend):
        loss = exact(valley) if sweep is sgd else valley
        with pytest.raises(ValueError, match=r"write lr\[:, None\]"):
            sweep(loss, POINTS, [1.5, 3.0], 10)
        with pytest.raises(ValueError, match="cannot be broadcast"):
            sweep(loss, POINTS, [[1.5], [3.0], [4.0]], 10)


def test_a_step_adds_the_drift_and_the_noise_that_is_drawn():
    drawn, matrix = np.random.default_rng(1).standard_normal((2, 3)), np.arange(6.0).reshape(2, 3)
    sampled = euler_maruyama(lambda x: 3 * x, lambda x: matrix, POINTS, 0.25, 1, seed=1)
    np.testing.assert_allclose(sampled.points[1], 1.75 * POINTS + 0.5 * drawn @ matrix.T)


def test_brownian_motion_spreads_with_time():
    start = np.zeros((20_000, 1))
    sampled = euler_maruyama(lambda x: 0 * x, lambda x: np.eye(1), start, 0.5, 8, every=4)
    np.testing.assert_allclose(sampled.points[:, :, 0].var(axis=1), [0, 2, 4], rtol=0.05)
    assert repr(sampled) == "<20000 SamplePaths of 8 steps>"


@pytest.mark.parametrize("number", [0.0, -1.0, np.nan, np.inf, [], None, "x"])
def test_rates_and_times_are_positive(number):
    with pytest.raises(ValueError, match="learning rate must be positive|no learning rate in an"):
        sgd(exact(valley), POINTS, number, 10)
    with pytest.raises(ValueError, match="time dt of one step must be positive and finite"):
        euler_maruyama(np.negative, np.negative, POINTS, number, 10)


def test_what_cannot_be_walked_is_refused():
    with pytest.raises(ValueError, match="every must divide steps"):
        sgd(exact(valley), POINTS, 1.0, 10, every=3)
    with pytest.raises(ValueError, match="steps must be a whole number"):
        sgd(exact(valley), POINTS, 1.0, -1)
    with pytest.raises(ValueError, match="a path overflowed by step 1"):
        sgd(exact(valley), [np.nan, 1.0], 1.0, 10)


def test_a_path_that_overflows_is_refused():
    with pytest.raises(ValueError, match="overflowed by step 2000"):
        sgd(exact(Ridge(Quadratic(), (1,))), [1.0], 3.0, 2000, every=1000)


@pytest.mark.parametrize("seed", [-1, 1.5, "x", object()])
def test_a_seed_is_a_whole_number_or_a_generator(seed):
    with pytest.raises((TypeError, ValueError), match="non-negative integer|SeedSequence expects"):
        sgd(exact(valley), POINTS, 1.0, 10, seed=seed)
