"""The ledger of section 5: what is measured decides the verdict."""

import numpy as np
import pytest

from mslbook.descent import descend
from mslbook.losses import (
    Clip,
    Composed,
    Quadratic,
    Ridge,
    Saturation,
    Sum,
    Valley,
    crossed_valleys,
    f1,
)
from mslbook.paper.separate_scales import claims


@pytest.fixture(autouse=True)
def fresh():
    claims._before.cache_clear()
    claims._after.cache_clear()
    yield
    claims._before.cache_clear()
    claims._after.cache_clear()


def smaller_steps(monkeypatch):
    def shorter(loss, start, lr, *rest, **options):
        return descend(loss, start, np.multiply(lr, 0.9), *rest, **options)

    monkeypatch.setattr(claims, "descend", shorter)


def much_smaller_steps(monkeypatch):
    def shorter(loss, start, lr, *rest, **options):
        return descend(loss, start, np.multiply(lr, 0.02), *rest, **options)

    monkeypatch.setattr(claims, "descend", shorter)


def stable_last_rate(monkeypatch):
    monkeypatch.setattr(claims, "SMALL", 0.05)


def another_landscape(monkeypatch):
    wide = Quadratic(curvature=0.004, minimum=1.0)
    loss = crossed_valleys(f1, h=wide, k=10, cutoff=Saturation(0.25))
    monkeypatch.setattr(claims, "two_valleys", loss)


def off_the_origin(monkeypatch):
    class Shifted:
        def value(self, x):
            return two_valleys.value(np.asarray(x) - [0.1, 0.0])

    two_valleys = claims.two_valleys
    monkeypatch.setattr(claims, "two_valleys", Shifted())


def steepest_at_the_origin(monkeypatch):
    narrow = Ridge(Quadratic(curvature=-0.002, minimum=1.0), (1,))
    monkeypatch.setattr(claims, "ONE_VALLEY", Valley(f1, narrow))


def unbounded_cut_off(monkeypatch):
    monkeypatch.setattr(claims, "Saturation", lambda c: Quadratic())


def smooth_for_hard(monkeypatch):
    monkeypatch.setattr(claims, "HARD", claims.two_valleys)


def hard_for_smooth(monkeypatch):
    monkeypatch.setattr(claims, "two_valleys", claims.HARD)


def shallow_small_valley(monkeypatch):
    bowl, cutoff = claims.BOWL, Saturation(0.01)
    monkeypatch.setattr(claims, "two_valleys", crossed_valleys(f1, bowl, 2, cutoff))


def other_decays(monkeypatch):
    monkeypatch.setattr(claims, "DECAYS", (660, 661, 750))


def decays_far_apart(monkeypatch):
    monkeypatch.setattr(claims, "DECAYS", (50, 700, 750))


def another_start(monkeypatch):
    monkeypatch.setattr(claims, "START", (-10.0, 3.0))


def no_decay(monkeypatch):
    monkeypatch.setattr(claims, "SMALL", claims.LARGE)


def far_from_the_limit(monkeypatch):
    blunt = Sum((Ridge(Quadratic(2.0), (1, 0)), Ridge(Quadratic(1.0), (0, 1))))
    monkeypatch.setattr(claims, "BOWL_2D", blunt)


def never_a_last_decay(monkeypatch):
    monkeypatch.setattr(claims, "LAST", claims.SMALL)


def nothing_moves(monkeypatch):
    real = claims.descend
    monkeypatch.setattr(
        claims, "descend", lambda loss, start, lr, n, **k: real(loss, start, 1e-9, n, **k)
    )


@pytest.mark.parametrize(
    ("measure", "breakage"),
    [
        (claims._constants, another_landscape),
        (claims._flattest, steepest_at_the_origin),
        (claims._global_minimum, off_the_origin),
        (claims._confined, unbounded_cut_off),
        (claims._kink, smooth_for_hard),
        (claims._local, smooth_for_hard),
        (claims._needs_a_small_rate, shallow_small_valley),
        (claims._comes_to_rest, stable_last_rate),
        (claims._comes_to_rest, hard_for_smooth),
        (claims._comes_to_rest, never_a_last_decay),
        (claims._attracted_first, another_start),
        (claims._to_the_flattest, smaller_steps),
        (claims._faster, much_smaller_steps),
        (claims._loss_hardly_falls, another_start),
        (claims._passes_minus_4, smaller_steps),
        (claims._passes_minus_4, hard_for_smooth),
        (claims._similar_losses, decays_far_apart),
        (claims._different_times, other_decays),
        (claims._five_hundred_steps, hard_for_smooth),
        (claims._earlier_costs_more, no_decay),
        (claims._in_the_vicinity, no_decay),
        (claims._suboptimal_minimum, smooth_for_hard),
        (claims._suboptimal_minimum, hard_for_smooth),
        (claims._same_on_a_quadratic, nothing_moves),
        (claims._same_on_a_quadratic, much_smaller_steps),
        (claims._slower_on_a_quadratic, much_smaller_steps),
        (claims._slower_on_a_quadratic, far_from_the_limit),
    ],
)
def test_what_is_measured_decides_the_verdict(decides, measure, breakage):
    def afresh(monkeypatch):
        claims._before.cache_clear()
        claims._after.cache_clear()
        breakage(monkeypatch)

    decides(measure, afresh)


def test_the_landscapes_are_those_of_the_page():
    assert crossed_valleys(f1, h=claims.BOWL, k=10, cutoff=Clip(0.25)) == claims.HARD
    assert Composed(Saturation(), f1) == claims.PROFILE
