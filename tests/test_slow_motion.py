"""The slow motion along a valley: equations 4.6 to 4.8 of the paper, and what they lead to."""

import numpy as np
import pytest

from mslbook.descent import descend
from mslbook.losses import (
    F2,
    Linear,
    PseudoHuber,
    Quadratic,
    Reciprocal,
    Ridge,
    Sum,
    Valley,
    f1,
    f3,
    two_valleys,
    valley,
)
from mslbook.theory import quasistatic, two_cycle

END = 100 * (np.sqrt(1.5) - 1)
BOWL = Sum((Ridge(Quadratic(0.001, 0.6), (1, 0)), Ridge(Quadratic(0.003), (0, 1))))


@pytest.mark.parametrize(
    ("f", "lr"), [(f1, 3.0), (f1, 15.0), (F2(C=0.5), 40.0), (PseudoHuber(), 15.0)]
)
def test_y_is_on_the_two_cycle_at_every_step(f, lr):
    motion = quasistatic(Valley(f, valley.h), 1.0, lr, 100)
    h = valley.h.value(motion.points)
    np.testing.assert_allclose(motion.amplitudes, two_cycle(f, lr * h * h) / h, rtol=1e-10)


def test_each_step_is_equation_4_8():
    motion = quasistatic(Valley(f1, BOWL), [[20.0, 10.0], [-15.0, 3.0]], 4.5, 100)
    h, h_grad = BOWL.value_and_grad(motion.points[:-1])
    expected = -2 * motion.amplitudes[:-1, :, None] ** 2 * h_grad / h[..., None]
    np.testing.assert_allclose(np.diff(motion.points, axis=0), expected, rtol=1e-10, atol=1e-14)


def test_y_against_the_closed_form_through_the_end():
    """The smooth cycle closes like a square root, and the motion arrives within rounding errors."""
    opened = Valley(PseudoHuber(), Ridge(Reciprocal(), (0.1,)))
    motion = quasistatic(opened, 0.0, 3.0, 600)
    h = opened.h.value(motion.points)
    across = 3.0 * h * h / 2
    exact = np.sqrt(np.maximum(across**2 - 1, 0)) / h
    far = across > 1.001
    np.testing.assert_allclose(motion.amplitudes[far], exact[far], rtol=1e-10)
    np.testing.assert_allclose(motion.amplitudes, exact, atol=1e-6)
    assert motion.points[-1, 0] == pytest.approx(END / 10, abs=1e-9)


def test_descent_stays_with_it():
    path, motion = descend(valley, (1.0, 1.0), 3.0, 2000), quasistatic(valley, 1.0, 3.0, 2000)
    assert np.max(abs(path.points[:, 0] - motion.points[:, 0])) < 0.02
    assert motion.points[-1, 0] > 14


class Counted:
    """PseudoHuber, counting how often it is differentiated."""

    dimension, calls = None, 0

    def grad(self, x):
        self.calls += 1
        return PseudoHuber().grad(x)

    def __getattr__(self, name):
        return getattr(PseudoHuber(), name)


def test_a_step_costs_a_few_gradients():
    f = Counted()
    quasistatic(Valley(f, valley.h), 1.0, 3.0, 100)
    assert f.calls < 5 * 100


def test_a_sweep_of_starts_and_rates_is_the_single_runs():
    starts = np.array([[20.0, 10.0], [-25.0, 3.0], [5.0, -16.0]])
    rates = np.array([3.0, 6.0])[:, None, None]
    sweep = quasistatic(Valley(f1, BOWL), starts, rates, 50)
    assert sweep.points.shape == (51, 2, 3, 2)
    assert sweep.amplitudes.shape == (51, 2, 3)
    single = quasistatic(Valley(f1, BOWL), starts[1], 6.0, 50)
    np.testing.assert_allclose(sweep.points[:, 1, 1], single.points, rtol=1e-10)


def test_it_stops_at_the_end_and_not_before():
    """One over the distance to the end grows by 32e-6 √(2/3) per step, as the chapter derives."""
    distances = np.array([1.0, 0.1, 0.01])
    motion = quasistatic(valley, (END - distances)[:, None], 3.0, 500)
    left = END - motion.points[..., 0]
    assert np.all(np.diff(left, axis=0) < 0)
    assert np.all(left > 0)
    growth = (1 / left[-1] - 1 / left[0]) / 500
    assert np.all(abs(growth / (32e-6 * np.sqrt(2 / 3)) - 1) < 0.04 * distances)


def test_what_has_passed_the_end_rests_while_others_move():
    """In a valley that opens fast one step leads past the end, where there is no cycle."""
    opened = Valley(f1, Ridge(Reciprocal(), (0.1,)))
    motion = quasistatic(opened, [[0.0], [0.0]], [[10.0], [3.0]], 20)
    assert motion.amplitudes[1, 0] == 0
    assert np.all(motion.points[1:, 0] == motion.points[1, 0])
    assert np.all(np.diff(motion.points[:, 1], axis=0) > 0)


def test_the_way_does_not_depend_on_the_learning_rate():
    """Small steps from one start follow one line of steepest descent, as far as they go."""
    gentle = Sum((Ridge(Quadratic(1e-5, 0.6), (1, 0)), Ridge(Quadratic(3e-5), (0, 1))))
    motion = quasistatic(Valley(f1, gentle), np.tile([150.0, 100.0], (2, 1)), [[2.9], [5.0]], 3000)
    short, long = motion.points[:, 0], motion.points[:, 1]
    assert long[-1, 0] < short[-1, 0] - 10
    on_the_long_way = np.interp(-short[:, 0], -long[:, 0], long[:, 1])
    np.testing.assert_allclose(short[:, 1], on_the_long_way, atol=0.05)
    np.testing.assert_allclose(short[:, 1] / 100, (short[:, 0] / 150) ** 3, atol=2e-3)


@pytest.mark.parametrize("loss", [f1, f3, two_valleys, Linear(valley, ((1, 0), (0, 1)))])
def test_other_losses_are_no_valley(loss):
    with pytest.raises(ValueError, match=r"is no valley f\(h\(x\) y\): write it as"):
        quasistatic(loss, 1.0, 3.0, 10)


@pytest.mark.parametrize(("start", "lr"), [(1.0, 2.0), (30.0, 3.0), ([[1.0], [30.0]], 3.0)])
def test_without_a_cycle_there_is_no_motion(start, lr):
    with pytest.raises(ValueError, match=r"no cycle .* must be above 2 / \(h\(x\)²"):
        quasistatic(valley, start, lr, 10)


def test_the_message_names_the_smallest_rate_that_moves():
    with pytest.raises(ValueError, match=r"= 3\.38, but is 3$"):
        quasistatic(valley, 30.0, 3.0, 10)
    assert quasistatic(valley, 30.0, 3.3801, 10).points[-1, 0] > 30


@pytest.mark.parametrize("start", [[1.0, 1.0], [], np.ones((3, 2))])
def test_the_start_is_x_without_y(start):
    with pytest.raises(ValueError, match="1 variables: the last axis"):
        quasistatic(valley, start, 3.0, 10)


def test_a_number_is_no_start_for_two_coordinates():
    with pytest.raises(ValueError, match="2 variables: the last axis"):
        quasistatic(Valley(f1, BOWL), 1.0, 3.0, 10)


@pytest.mark.parametrize("lr", [0.0, -1.0, np.nan, np.inf, []])
def test_a_learning_rate_is_positive(lr):
    with pytest.raises(ValueError, match="positive and finite|no learning rate in an empty array"):
        quasistatic(valley, 1.0, lr, 10)


def test_rates_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match=r"write lr\[:, None\]"):
        quasistatic(valley, 1.0, [3.0, 4.0], 10)
    with pytest.raises(ValueError, match="cannot be broadcast"):
        quasistatic(valley, np.ones((3, 1)), [[3.0], [4.0]], 10)


@pytest.mark.parametrize("steps", [-1, 2.5, "many"])
def test_steps_are_whole(steps):
    with pytest.raises(ValueError, match="steps must be a whole number"):
        quasistatic(valley, 1.0, 3.0, steps)


def test_a_start_outside_the_valley_is_refused():
    for outside in (-200.0, -100.0):  # beyond the valley's pole, and on it
        with pytest.raises(ValueError, match="after 0 steps h.x. is not a positive finite number"):
            quasistatic(valley, outside, 3.0, 10)
    with pytest.raises(ValueError, match="after 0 steps h.x. is not a positive finite number"):
        quasistatic(valley, np.nan, 3.0, 10)
    with pytest.raises(ValueError, match="empty"):
        quasistatic(valley, np.zeros((0, 1)), 3.0, 10)


def test_a_step_out_of_the_valley_is_refused():
    straight = Valley(f1, Ridge(Sum((Quadratic(0.0, 1.0), Linear1())), (1,)))
    with pytest.raises(ValueError, match="after 1 steps h.x. is not a positive"):
        quasistatic(straight, 0.0, 50.0, 10)


class Linear1:
    """A slope of 1/2, which makes h = 1 + x/2 negative for x < -2."""

    dimension = None

    def value(self, x):
        return x / 2

    def grad(self, x):
        return np.full_like(x, 0.5)


def test_a_parabola_across_has_no_cycle():
    with pytest.raises(ValueError, match=r"no two-cycle.*as on a quadratic"):
        quasistatic(Valley(Quadratic(), valley.h), 1.0, 3.0, 10)


def test_a_start_may_be_a_tensor_and_is_no_ragged_list():
    torch = pytest.importorskip("torch")
    start = torch.tensor([1.0], dtype=torch.float64, requires_grad=True)
    expected = quasistatic(valley, [1.0], 3.0, 3).points
    np.testing.assert_array_equal(quasistatic(valley, start, 3.0, 3).points, expected)
    with pytest.raises(ValueError, match="inhomogeneous"):
        quasistatic(valley, [[1.0], [2.0, 3.0]], 3.0, 3)
