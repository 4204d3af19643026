import numpy as np
import pytest
from scipy.special import lambertw

from mslbook.descent import descend
from mslbook.losses import F2, Quadratic, Scaled, Sum, f1, f2, f3, two_valleys, valley
from mslbook.theory import stable_lr, two_cycle


def test_stable_learning_rates():
    assert stable_lr(f1) == 2
    assert stable_lr(f2) == pytest.approx(1 / 3, rel=1e-15)
    assert stable_lr(F2(0.5)) == 12
    assert stable_lr(Scaled(4.0, f1)) == 0.5
    assert isinstance(stable_lr(f1), float)


@pytest.mark.parametrize("factor", [0.99, 1.01])
def test_the_stable_learning_rate_separates_shrinking_from_growing(factor):
    for f in (f1, f2, Quadratic(0.3)):
        x0, x1 = descend(f, 1e-6, factor * stable_lr(f), steps=1).points
        assert (abs(x1) > x0) == (factor > 1)


def test_two_cycles_of_f1_against_the_lambert_function():
    """ln(1 + x) = 2x / lr where 1 + x = -(lr / 2) W(-(2 / lr) exp(-2 / lr)), W's lower branch."""
    lr = np.concatenate((np.linspace(2.05, 10, 100), np.logspace(1, 8, 50)))
    exact = -lr / 2 * lambertw(-2 / lr * np.exp(-2 / lr), -1).real - 1
    np.testing.assert_allclose(two_cycle(f1, lr), exact, rtol=1e-12)


def test_two_cycles_of_f1_from_their_size():
    """The learning rate that belongs to a cycle is known in closed form: there and back."""
    x = np.logspace(-2, 12, 100)
    np.testing.assert_allclose(two_cycle(f1, 2 * x / np.log1p(x)), x, rtol=1e-12)


@pytest.mark.parametrize("C", [0.5, 3.0, 100.0])
def test_two_cycles_of_f2(C):
    """They lie beyond the kink, where f2'(x) = 2 / (3 C x²), so x³ = lr / (3 C)."""
    lr = stable_lr(F2(C)) * np.logspace(1e-4, 20, 60)
    np.testing.assert_allclose(two_cycle(F2(C), lr), np.cbrt(lr / (3 * C)), rtol=1e-12)


def test_a_two_cycle_is_one():
    f = Sum((f1, Quadratic(0.1)))
    lr = np.array([[2.0, 3.0], [5.0, 19.0]])
    x = two_cycle(f, lr)
    assert x.shape == lr.shape
    np.testing.assert_allclose(lr * f.grad(x), 2 * x, rtol=1e-13)
    assert np.all(np.diff(x.ravel()) > 0)  # the lemma's second half
    path = descend(f, x[1, 0], lr[1, 0], steps=2)
    np.testing.assert_allclose(path.points, x[1, 0] * np.array([1, -1, 1]), rtol=1e-12)


def test_a_number_gives_a_number():
    assert isinstance(two_cycle(f1, 5), float)
    assert two_cycle(f1, [5.0])[0] == two_cycle(f1, 5.0)


@pytest.mark.parametrize("lr", [2.0, 1.0, 0.0, -3.0, np.nan, np.inf, [3.0, 1.0]])
def test_there_is_no_two_cycle_up_to_the_stable_learning_rate(lr):
    with pytest.raises(ValueError, match="only above the stable .* 2|positive and finite"):
        two_cycle(f1, lr)


@pytest.mark.parametrize("lr", [2.5, [3.0, 100.0]])
@pytest.mark.parametrize("f", [Quadratic(), Sum((f1, Quadratic(1.0)))])
def test_there_is_no_two_cycle_where_the_loss_grows_too_fast(f, lr):
    with pytest.raises(ValueError, match=r"f'\(x\) / x does not decrease to 2 / lr"):
        two_cycle(f, lr)


@pytest.mark.parametrize("loss", [f3, valley, two_valleys])
def test_losses_of_more_variables_are_refused(loss):
    with pytest.raises(ValueError, match="a function of one variable is needed here"):
        stable_lr(loss)
    with pytest.raises(ValueError, match="a function of one variable is needed here"):
        two_cycle(loss, 3.0)


@pytest.mark.parametrize("curvature", [0.0, -1.0])
def test_a_minimum_curves_upwards(curvature):
    with pytest.raises(ValueError, match=r"must curve upwards at 0, but f''\(0\) is"):
        stable_lr(Quadratic(curvature))


class Lopsided:
    """Bent less on one side than on the other; its minimum lies at 0 if it is not tilted."""

    dimension = None

    def __init__(self, tilt=0.0):
        self.tilt = tilt

    def grad(self, x):
        return np.where(np.asarray(x) > 0, np.log1p(abs(x)), -2 * np.log1p(abs(x) / 2)) + self.tilt

    def hvp(self, x, v):
        return np.where(np.asarray(x) > 0, 1 / (1 + abs(x)), 1 / (1 + abs(x) / 2)) * v


def test_a_cycle_needs_an_even_function():
    with pytest.raises(ValueError, match="must be even"):
        two_cycle(Lopsided(), 5.0)


def test_the_minimum_lies_at_0():
    for call in (stable_lr, lambda f: two_cycle(f, 5.0)):
        with pytest.raises(ValueError, match=r"minimum must lie at 0, but f'\(0\) is 0.1: shift"):
            call(Lopsided(tilt=0.1))


def test_a_schedule_has_no_cycle():
    with pytest.raises(TypeError, match="not a schedule"):
        two_cycle(f1, lambda step: 5.0)


def test_an_empty_sweep_is_refused():
    with pytest.raises(ValueError, match="no learning rate in an empty array"):
        two_cycle(f1, [])


def test_a_minimum_at_0_but_for_rounding_will_do():
    class Cosine:
        dimension = None

        def grad(self, x):
            return np.sin(np.asarray(x) - np.pi) * -1

        def hvp(self, x, v):
            return -np.cos(np.asarray(x) - np.pi) * v

    assert stable_lr(Cosine()) == pytest.approx(2)


@pytest.mark.parametrize("lr", [None, "5", np.datetime64("2020-01-01"), 5j])
def test_learning_rates_are_real_numbers(lr):
    with pytest.raises(TypeError, match="the learning rates must be real numbers"):
        two_cycle(f1, lr)


def test_a_plain_function_has_no_cycle():
    with pytest.raises(TypeError, match="a plain function is not a loss"):
        stable_lr(lambda x: x * x)
