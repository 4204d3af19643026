"""The ledger of section 4.4: what is measured decides the verdict."""

from types import SimpleNamespace

import numpy as np
import pytest

from mslbook.descent import descend
from mslbook.losses import Quadratic, Reciprocal, Ridge, Valley, f1
from mslbook.paper.after_the_edge import claims
from mslbook.paper.ledger import FAILS, HOLDS, RESERVED
from mslbook.stochastic import euler_maruyama, label_noise, rescaled, sgd


@pytest.fixture(autouse=True)
def fresh():
    """Some runs are kept between claims: forget them after each test."""
    kept = claims._figure_4_2, claims.relative_distances
    yield
    for runs in kept:
        runs.cache_clear()


def below_the_edge(monkeypatch):
    def tamer(loss, start, lr, *rest, **options):
        return descend(loss, start, np.multiply(lr, 0.5), *rest, **options)

    monkeypatch.setattr(claims, "descend", tamer)


def beyond_the_end(monkeypatch):
    monkeypatch.setattr(claims, "END", 30.0)


def in_a_fast_valley(monkeypatch):
    opened = Valley(f1, Ridge(Reciprocal(), (0.1,)))
    monkeypatch.setattr(claims, "valley", opened)


def with_a_raised_floor(monkeypatch):
    monkeypatch.setattr(claims, "valley", Valley(Quadratic(minimum=1.0), claims.valley.h))


def on_a_parabola(monkeypatch):
    monkeypatch.setattr(claims, "f1", Quadratic())


def another_curvature(monkeypatch):
    monkeypatch.setattr(claims, "valley", Valley(Quadratic(2.0), claims.valley.h))


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
        (claims._minima, with_a_raised_floor, HOLDS, FAILS),
        (claims._flatness, another_curvature, HOLDS, FAILS),
        (claims._on_the_cycle, below_the_edge, HOLDS, FAILS),
        (claims._on_the_cycle, in_a_fast_valley, HOLDS, FAILS),
        (claims._downhill, below_the_edge, HOLDS, FAILS),
        (claims._figure, below_the_edge, HOLDS, FAILS),
        (claims._close, below_the_edge, HOLDS, FAILS),
        (claims._close, in_a_fast_valley, HOLDS, FAILS),
        (claims._end, beyond_the_end, RESERVED, FAILS),
        (claims._flattest, hardly_any_noise, HOLDS, FAILS),
        (claims._flattest, below_the_edge, HOLDS, FAILS),
        (claims._interpolation, noise_that_stays, RESERVED, FAILS),
        (claims._interpolation, no_motion_above, RESERVED, HOLDS),
        (claims._descent_moves, below_the_edge, RESERVED, FAILS),
        (claims._parabola, on_a_parabola, RESERVED, FAILS),
        (claims._covariance, noisier, HOLDS, FAILS),
        (claims._drift, noisier, HOLDS, FAILS),
    ],
)
def test_what_is_measured_decides_the_verdict(monkeypatch, measure, breakage, before, after):
    number, verdict = measure()
    assert verdict == before
    breakage(monkeypatch)
    claims._figure_4_2.cache_clear()
    broken, verdict = measure()
    assert broken != number
    assert verdict == after


def test_a_motion_that_arrives_would_hold(monkeypatch):
    """The speed by the distance to the end decides: a power below 1 arrives in finite time."""
    monkeypatch.setattr(claims, "_speeds", lambda distances: 1e-5 * np.sqrt(distances))
    assert claims._slower()[1] == HOLDS
    monkeypatch.setattr(claims, "_speeds", np.ones_like)
    assert claims._slower()[1] == FAILS


def test_a_descent_that_ends_on_the_line_would_hold(monkeypatch):
    """And one that passes the line across f1, too, would break the claim."""
    line = np.full((1, 1), claims.END / 10)
    monkeypatch.setattr(claims, "quasistatic", lambda *_: SimpleNamespace(points=line))
    for beyond, expected in ((-1e-4, HOLDS), (1.0, FAILS)):
        ends = SimpleNamespace(points=line + beyond)
        monkeypatch.setattr(claims, "descend", lambda *_, ends=ends, **every: ends)
        assert claims._end()[1] == expected


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
    assert claims._small_rate()[1] == expected


def test_in_the_gentlest_valley_too_the_distance_rises_again_in_longer_runs():
    distances = claims.relative_distances(0.01, steps=5000)
    assert np.all(np.round(100 * distances[:2], 2) == [0.14, 0.08])


def test_interpolating_noise_is_what_the_remark_means():
    """Of the two noises, it is the one that leaves the floor alone."""
    floor = np.array([[1.0, 0.0]])
    rng = np.random.default_rng(0)
    assert np.all(rescaled(claims.valley, 0.5)(rng, floor) == 0)
