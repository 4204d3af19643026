"""Chapter 5: crossed valleys and their cut-offs, and what the chapter says of them."""

from math import log1p

import numpy as np
import pytest
import torch
from scipy.integrate import quad
from scipy.optimize import brentq

from mslbook.descent import decays, descend
from mslbook.losses import (
    Clip,
    Composed,
    Quadratic,
    Ridge,
    Saturation,
    crossed_valleys,
    f1,
    two_valleys,
)
from mslbook.theory import two_cycle

BOWL = Quadratic(curvature=0.002, minimum=1.0)
HARD = crossed_valleys(f1, h=BOWL, k=10, cutoff=Clip(0.25))
PSI = Composed(Saturation(), f1)
EDGE = brentq(lambda u: f1.value(u) - 0.25, 0, 2) / 10
POINTS = np.random.default_rng(0).uniform(-3, 3, (1000, 2))


def test_two_valleys_is_the_loss_of_figure_5_1():
    assert crossed_valleys(f1, h=BOWL, k=10, cutoff=Saturation(0.25)) == two_valleys
    x1, x2 = POINTS.T
    g1, g2 = f1.value((1 + 0.001 * x1**2) * x2), f1.value((1 + 0.001 * x2**2) * 10 * x1)
    np.testing.assert_allclose(two_valleys.value(POINTS), g1 + 0.25 * g2 / (1 + g2), rtol=1e-14)
    np.testing.assert_allclose(HARD.value(POINTS), g1 + np.minimum(g2, 0.25), rtol=1e-14)


def test_the_hard_cut_off_is_the_minimum_and_flat_beyond_its_kink():
    z = np.array([0.0, 0.1, 0.25, 0.3, 9.0])
    np.testing.assert_array_equal(Clip(0.25).value(z), [0, 0.1, 0.25, 0.25, 0.25])
    np.testing.assert_array_equal(Clip(0.25).grad(z), [1, 1, 0, 0, 0])
    np.testing.assert_array_equal(Clip(0.25).hvp(z, 3.0), 0 * z)


def test_the_smooth_cut_off_of_any_height_is_a_multiple_of_that_of_height_1():
    z = np.geomspace(1e-3, 1e6, 50)
    for method in ("value", "grad"):
        scaled = 0.3 * getattr(Saturation(), method)(z)
        np.testing.assert_allclose(getattr(Saturation(0.3), method)(z), scaled, rtol=1e-15)
    np.testing.assert_allclose(Saturation(0.3).hvp(z, 2.0), 0.3 * Saturation().hvp(z, 2.0))


@pytest.mark.parametrize("loss", [two_valleys, HARD])
def test_derivatives_agree_with_central_differences(loss):
    x, v, h = POINTS, np.array([0.6, -0.8]), 1e-6
    x = x[abs(abs(x[:, 0]) - EDGE) > 1e-3]  # the kink itself has none
    slope = (loss.value(x + h * v) - loss.value(x - h * v)) / (2 * h)
    np.testing.assert_allclose((loss.grad(x) * v).sum(-1), slope, rtol=1e-6, atol=1e-8)
    change = (loss.grad(x + h * v) - loss.grad(x - h * v)) / (2 * h)
    np.testing.assert_allclose(loss.hvp(x, v), change, rtol=1e-5, atol=1e-6)


def test_cut_offs_answer_tensors_in_kind():
    x = torch.tensor([[0.01, 0.3], [2.0, -1.0]], dtype=torch.float32)
    for answer in (HARD.value(x), HARD.grad(x), HARD.hvp(x, x)):
        assert isinstance(answer, torch.Tensor)
        assert answer.dtype == torch.float32
    np.testing.assert_allclose(HARD.grad(x), HARD.grad(x.numpy()), rtol=1e-6)


@pytest.mark.parametrize("cutoff", [Clip, Saturation])
@pytest.mark.parametrize("height", [0, -0.25, np.inf, np.nan])
def test_the_height_of_a_cut_off_is_positive(cutoff, height):
    with pytest.raises(ValueError, match="height c of a cut-off must be positive and"):
        cutoff(height)


@pytest.mark.parametrize("k", [1, 0.5, -10, np.inf, np.nan])
def test_the_second_valley_is_narrower(k):
    with pytest.raises(ValueError, match="k must be above 1 and finite"):
        crossed_valleys(f1, h=BOWL, k=k, cutoff=Clip(0.25))


def test_the_parts_of_crossed_valleys_have_one_variable():
    plane = Ridge(f1, (1, 0))
    for wrong in ({"f": plane}, {"h": plane}, {"cutoff": plane}):
        parts = {"f": f1, "h": BOWL, "cutoff": Clip(0.25)} | wrong
        with pytest.raises(ValueError, match="expected a function of one variable"):
            crossed_valleys(k=10, **parts)


@pytest.mark.parametrize("rates", [{0: 2.5, -5: 0.25}, {1: 2.5}])
def test_a_schedule_begins_at_step_0(rates):
    with pytest.raises(ValueError, match=r"by whole steps from 0 on, .* not \{"):
        decays(rates)


# --- what the chapter proves and says -------------------------------------------------------------


@pytest.mark.parametrize("rate", [1.25, 3.75, 6.25, 62.5])
def test_the_small_valley_is_a_trap(rate):
    u = np.linspace(0, 60, 600_001)
    trap = (rate * PSI.grad(u) - u).max() + 1e-6  # the grid may miss a little of it
    starts = np.random.default_rng(1).uniform(-6, 6, 500)
    path = abs(descend(PSI, starts, rate, 5000, every=5).points)
    assert np.all(path[-1] <= trap)
    inside = path <= trap
    np.testing.assert_array_equal(inside, np.maximum.accumulate(inside))  # once in, always in


def test_the_two_cycle_in_the_small_valley_loses_its_hold_at_0_1736():
    """The answer of the exercise: there psi'' is 0 on the cycle, and each step multiplies by 1."""
    root = brentq(lambda lr: PSI.hvp(two_cycle(PSI, 25 * lr), 1.0), 0.15, 0.2)
    assert round(root, 4) == 0.1736
    for lr, attracts in ((0.1735, True), (0.1737, False), (0.25, False)):
        factor = 1 - 25 * lr * PSI.hvp(two_cycle(PSI, 25 * lr), 1.0)
        assert (abs(factor) < 1) == attracts


@pytest.mark.parametrize("lr", [0.05, 0.25, 0.9])
def test_with_the_hard_cut_off_an_early_decay_never_arrives(lr):
    rng = np.random.default_rng(2)
    x, y = rng.uniform(0.1, 20, 2000), rng.uniform(-3, 3, 2000)
    q = lr * BOWL.value(x) ** 2
    keep = q < 1.9
    x, y, q = x[keep], y[keep], q[keep]
    bound = x * (1 - 0.002 * y**2 / (2 - q))
    keep = bound > EDGE
    path = descend(HARD, np.stack([x, y], -1)[keep], lr, 2000, every=100)
    assert np.all(path.points[..., 0] >= bound[keep] * (1 - 1e-12))
    np.testing.assert_allclose(path.values[-1], 0.25, rtol=1e-12)
    np.testing.assert_allclose(path.points[-1, :, 1], 0, atol=1e-9)


def test_the_smooth_landscape_has_no_minimum_but_the_origin():
    grad = two_valleys.grad(POINTS)
    np.testing.assert_array_equal(np.sign(grad), np.sign(POINTS))


def steps_to_the_small_valley(x, y, lr):
    """Gradient descent on the caption's formula over plain numbers, until |x| < 0.17."""
    steps = 0
    while abs(x) >= 0.17:
        hx, hy = 1 + 0.001 * x * x, 1 + 0.001 * y * y
        u = 10 * hy * abs(x)
        wall = np.copysign(log1p(abs(hx * y)), y)
        pull = 0.25 * log1p(u) / (1 + (1 + u) * log1p(u) - u) ** 2 * (1 if x > 0 else -1)
        x, y = (
            x - lr * (wall * y * 0.002 * x + pull * 10 * hy),
            y - lr * (wall * hx + pull * 10 * x * 0.002 * y),
        )
        steps += 1
    return steps


def test_the_time_to_the_small_valley_is_that_of_the_flow():
    path = descend(two_valleys, (-20.0, 3.0), 2.5, 500)
    later = descend(two_valleys, path.points[[400, 500]], 0.25, 100).points[-1]
    for start, settled in zip(path.points[[400, 500]], later, strict=True):
        flow, _ = quad(
            lambda s: 1 / two_valleys.grad([s, 0.0])[0], 0.17, abs(settled[0]), limit=200
        )
        steps = steps_to_the_small_valley(*start, 0.25)
        np.testing.assert_allclose(steps, 100 + flow / 0.25, rtol=1e-3)


def test_the_best_decay_of_other_large_rates():
    """The answers of the exercise: 274 at η = 3 and 78 at η = 4."""
    for lr, best in ((3.0, 274), (4.0, 78)):
        candidates = np.arange(best - 10, best + 20)
        starts = descend(two_valleys, (-20.0, 3.0), lr, candidates[-1]).points[candidates]
        inside = abs(descend(two_valleys, starts, 0.25, 1000).points[..., 0]) < 0.17
        arrival = np.where(inside.any(0), candidates + inside.argmax(0), np.inf)
        assert candidates[arrival.argmin()] == best


def test_steps_at_the_last_rate_alone():
    """The answers of the exercise: 263, 774 and 3700 steps."""
    starts = descend(two_valleys, (-20.0, 3.0), 2.5, 766).points[[766, 750, 700]]
    distance = np.linalg.norm(descend(two_valleys, starts, 0.05, 3700).points, axis=-1)
    assert [int(np.argmax(column < 1e-6)) for column in distance.T] == [263, 774, 3700]
