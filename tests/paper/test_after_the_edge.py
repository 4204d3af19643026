"""The ledger of section 4.4: what is measured decides the verdict."""

import numpy as np
import pytest

from mslbook.descent import descend
from mslbook.losses import Quadratic, Reciprocal, Ridge, Valley, f1
from mslbook.paper.after_the_edge import claims
from mslbook.paper.after_the_edge.noise import label_noise, rescaled
from mslbook.paper.after_the_edge.walks import euler_maruyama, sgd
from mslbook.paper.ledger import FAILS, HOLDS, RESERVED


@pytest.fixture(autouse=True)
def fresh():
    """A run is kept between claims: forget it after each test."""
    yield
    claims.figure_4_2.cache_clear()


def below_the_edge(monkeypatch):
    def tamer(loss, start, lr, *rest, **options):
        return descend(loss, start, np.multiply(lr, 0.5), *rest, **options)

    monkeypatch.setattr(claims, "descend", tamer)


def in_a_fast_valley(monkeypatch):
    opened = Valley(f1, Ridge(Reciprocal(), (0.1,)))
    monkeypatch.setattr(claims, "valley", opened)


def on_a_parabola(monkeypatch):
    monkeypatch.setattr(claims, "f1", Quadratic())


def hardly_any_noise(monkeypatch):
    monkeypatch.setattr(claims, "label_noise", lambda loss, size: label_noise(loss, 0.01 * size))


def no_motion_above(monkeypatch):
    def stuck(sample_grad, start, lr, *rest, **options):
        return sgd(sample_grad, start, np.minimum(lr, 1.5), *rest, **options)

    monkeypatch.setattr(claims, "sgd", stuck)


def noise_that_stays(monkeypatch):
    monkeypatch.setattr(claims, "rescaled", lambda loss, spread: label_noise(loss, 0.3))


def noisier(monkeypatch):
    def louder(drift, diffusion, *rest, **options):
        return euler_maruyama(drift, lambda x: 1.1 * np.asarray(diffusion(x)), *rest, **options)

    monkeypatch.setattr(claims, "euler_maruyama", louder)


@pytest.mark.parametrize(
    ("measure", "breakage", "before", "after"),
    [
        (claims.on_the_cycle, below_the_edge, HOLDS, FAILS),
        (claims.on_the_cycle, in_a_fast_valley, HOLDS, FAILS),
        (claims.figure, below_the_edge, HOLDS, FAILS),
        (claims.close, below_the_edge, HOLDS, FAILS),
        (claims.close, in_a_fast_valley, HOLDS, FAILS),
        (claims.flattest, hardly_any_noise, HOLDS, FAILS),
        (claims.flattest, below_the_edge, HOLDS, FAILS),
        (claims.interpolation, noise_that_stays, RESERVED, FAILS),
        (claims.interpolation, no_motion_above, RESERVED, HOLDS),
        (claims.descent_moves, below_the_edge, HOLDS, FAILS),
        (claims.descent_moves, on_a_parabola, HOLDS, FAILS),
        (claims.covariance, noisier, HOLDS, FAILS),
        (claims.drift, noisier, HOLDS, FAILS),
    ],
)
def test_what_is_measured_decides_the_verdict(monkeypatch, measure, breakage, before, after):
    number, verdict = measure()
    assert verdict == before
    breakage(monkeypatch)
    claims.figure_4_2.cache_clear()
    broken, verdict = measure()
    assert broken != number
    assert verdict == after


def test_a_motion_must_get_slower_all_the_way():
    assert claims.slower()[1] == HOLDS


@pytest.mark.parametrize("speeds", [np.sqrt, np.ones_like])
def test_a_motion_that_runs_into_its_end_or_on_does_not_hold(monkeypatch, speeds):
    monkeypatch.setattr(claims, "mean_speeds", speeds)
    assert claims.slower()[1] == FAILS


@pytest.mark.parametrize(
    ("by_rate", "expected"),
    [
        (claims.RATES - 2.09, HOLDS),
        (abs(claims.RATES - 2.4) + 0.01 * claims.RATES, RESERVED),
        (1 / claims.RATES, FAILS),
    ],
)
def test_the_distance_by_the_rate_decides(monkeypatch, by_rate, expected):
    monkeypatch.setattr(claims, "relative_distances", lambda opening: 0.1 * by_rate)
    assert claims.small_rate()[1] == expected


def test_in_the_gentlest_valley_too_the_distance_rises_again_in_longer_runs():
    distances = claims.relative_distances(0.01, steps=5000)
    assert np.all(np.round(100 * distances[:2], 2) == [0.14, 0.08])


def test_interpolating_noise_is_what_the_remark_means():
    """Of the two noises, it is the one that leaves the floor alone."""
    floor = np.array([[1.0, 0.0]])
    rng = np.random.default_rng(0)
    assert np.all(rescaled(claims.valley, 0.5)(rng, floor) == 0)
