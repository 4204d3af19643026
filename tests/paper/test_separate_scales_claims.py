"""The ledger of section 5: what is measured decides the verdict."""

import numpy as np
import pytest

from mslbook.descent import descend
from mslbook.losses import (
    Clip,
    Composed,
    Saturation,
    crossed_valleys,
    f1,
)
from mslbook.paper.separate_scales import claims


@pytest.fixture(autouse=True)
def fresh():
    claims.before.cache_clear()
    claims.after.cache_clear()
    yield
    claims.before.cache_clear()
    claims.after.cache_clear()


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


def smooth_for_hard(monkeypatch):
    monkeypatch.setattr(claims, "HARD", claims.two_valleys)


def hard_for_smooth(monkeypatch):
    monkeypatch.setattr(claims, "two_valleys", claims.HARD)


def shallow_small_valley(monkeypatch):
    bowl, cutoff = claims.BOWL, Saturation(0.01)
    monkeypatch.setattr(claims, "two_valleys", crossed_valleys(f1, bowl, 2, cutoff))


def other_decays(monkeypatch):
    monkeypatch.setattr(claims, "DECAYS", (660, 661, 662))


def another_start(monkeypatch):
    monkeypatch.setattr(claims, "START", (-10.0, 3.0))


def no_decay(monkeypatch):
    monkeypatch.setattr(claims, "SMALL", claims.LARGE)


@pytest.mark.parametrize(
    ("measure", "breakage"),
    [
        (claims.needs_a_small_rate, shallow_small_valley),
        (claims.comes_to_rest, stable_last_rate),
        (claims.attracted_first, another_start),
        (claims.to_the_flattest, much_smaller_steps),
        (claims.loss_hardly_falls, another_start),
        (claims.passes_minus_4, smaller_steps),
        (claims.passes_minus_4, hard_for_smooth),
        (claims.different_times, other_decays),
        (claims.earlier_costs_more, no_decay),
        (claims.suboptimal_minimum, smooth_for_hard),
    ],
)
def test_what_is_measured_decides_the_verdict(decides, measure, breakage):
    def afresh(monkeypatch):
        claims.before.cache_clear()
        claims.after.cache_clear()
        breakage(monkeypatch)

    decides(measure, afresh)


def test_the_landscapes_are_those_of_the_page():
    assert crossed_valleys(f1, h=claims.BOWL, k=10, cutoff=Clip(0.25)) == claims.HARD
    assert Composed(Saturation(), f1) == claims.PROFILE


def test_losses_at_the_decays_must_be_as_similar_as_the_threshold_says():
    assert claims.different_times(similar_losses=0.01)[1] == claims.FAILS
