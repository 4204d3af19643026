"""The ledger of section 4.3: what is measured decides the verdict."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.differentiate import derivative
from scipy.integrate import quad

from mslbook.descent import descend
from mslbook.losses import F1, Landing, Quadratic, Radial, Scaled, Staircase, f2
from mslbook.paper.general_setting import claims, f3_bound
from mslbook.paper.ledger import FAILS, HOLDS
from mslbook.theory import subquadratic, trapping_radius


@pytest.mark.parametrize("loss", [Staircase(), Landing()], ids=repr)
def test_the_two_counterexamples_are_losses(loss):
    x = np.array([-9.0, -2.5, -1.5, -0.7, 0.0, 0.3, 0.9, 1.7, 3.3, 40.0])
    np.testing.assert_allclose(derivative(loss.value, x).df, loss.grad(x), atol=1e-8)
    np.testing.assert_allclose(derivative(loss.grad, x).df, loss.hvp(x, 1.0), atol=1e-8)
    assert loss.value(0.0) == 0
    for end in (-3.0, 1.9, 12.0):
        area, error = quad(loss.grad, 0, end, points=[np.sign(end), 2 * np.sign(end)])
        assert loss.value(end) == pytest.approx(area, abs=10 * error + 1e-9)


@pytest.mark.parametrize("loss", [Staircase(), Landing()], ids=repr)
def test_the_two_counterexamples_meet_the_definition(loss):
    assert subquadratic(loss).satisfies_definition
    assert subquadratic(loss).c == 1
    x = np.linspace(1e-3, 60, 200_001)
    assert np.all(np.diff(loss.value(x)) > 0)  # so 0 is the only minimum
    np.testing.assert_array_equal(loss.grad(-x), -loss.grad(x))
    jumps = abs(np.diff(loss.hvp(x, 1.0)))  # the second derivative is continuous
    assert jumps.max() < 0.02


def test_nobody_comes_down_the_stairs():
    """The bound of the chapter: at η <= 4 nobody crosses an odd multiple of π from beyond."""
    starts = np.random.default_rng(0).uniform(np.pi, 300, 2000)
    path = descend(Staircase(), starts, 4.0, 300)
    floor = (np.floor((starts / np.pi - 1) / 2) * 2 + 1) * np.pi
    assert np.all(path.points >= floor * (1 - 1e-15))


def test_the_bound_by_hand():
    """tan θ <= φ t / (t² / 6r + λ) with t² <= 8, as the chapter has it, is below 4.044."""
    r, t = np.geomspace(1e-3, 1e4, 2000)[:, None], np.linspace(0, 8**0.5, 1000)
    tangent = f3_bound.GOLDEN * t / (t * t / (6 * r) + np.log1p(r) / 2)
    assert 4.03 < tangent.max() < 4.044


def f3_on_a_parabola(monkeypatch):
    monkeypatch.setattr(claims, "f2", Quadratic())


def f2_upside_down(monkeypatch):
    monkeypatch.setattr(claims, "f2", Scaled(-1.0, f2))


def f3_that_grows_too_fast(monkeypatch):
    monkeypatch.setattr(claims, "f3", Radial(Quadratic(), dimension=2))


def without_stairs(monkeypatch):
    monkeypatch.setattr(claims, "Staircase", F1)


def without_landing(monkeypatch):
    monkeypatch.setattr(claims, "Landing", lambda: f2)


def with_a_longer_step(monkeypatch):
    def longer(loss, start, lr, *rest, **options):
        return descend(loss, start, np.multiply(lr, 2), *rest, **options)

    monkeypatch.setattr(claims, "descend", longer)


def with_a_shorter_step(monkeypatch):
    def shorter(loss, start, lr, *rest, **options):
        return descend(loss, start, np.divide(lr, 2), *rest, **options)

    monkeypatch.setattr(claims, "descend", shorter)


def with_smaller_balls(monkeypatch):
    def smaller(loss, lr):
        ball = trapping_radius(loss, lr)
        return replace(ball, r1=ball.r1 / 2, r2=ball.r2 / 2)

    monkeypatch.setattr(claims, "trapping_radius", smaller)


@pytest.mark.parametrize(
    ("measure", "breakage", "verdict"),
    [
        (claims.examples, f3_on_a_parabola, FAILS),
        (claims.weaker, f3_on_a_parabola, FAILS),
        (claims.theorem_as_stated, without_stairs, HOLDS),
        (claims.theorem_on_examples, with_a_longer_step, FAILS),
        (claims.nearer, with_smaller_balls, FAILS),
        (claims.invariant, with_smaller_balls, FAILS),
        (claims.enters, with_a_shorter_step, HOLDS),
        (claims.behaviours, with_a_longer_step, FAILS),
        (claims.measure_zero, without_landing, HOLDS),
    ],
)
def test_what_is_measured_decides_the_verdict(monkeypatch, measure, breakage, verdict):
    before = measure()
    breakage(monkeypatch)
    number, after = measure()
    assert number != before[0]
    assert after != before[1]
    assert after == verdict
