"""The ledger of section 6: what is measured decides the verdict."""

from types import SimpleNamespace

import numpy as np
import pytest

from mslbook.losses import F2, EmpiricalLoss, Quadratic, three_neurons
from mslbook.paper.origin_of_scales import claims
from mslbook.paper.recording import Recording


class Bowl(Quadratic):
    """A parabola in the place of a loss on data, or on a distribution."""

    def __init__(self, *_):
        super().__init__()


def four_neurons(monkeypatch):
    monkeypatch.setattr(claims, "three_neurons", lambda x, w: three_neurons(x, w) + abs(x * w) / 9)


def on_a_parabola(monkeypatch):
    monkeypatch.setattr(claims, "EmpiricalLoss", Bowl)
    monkeypatch.setattr(claims, "PopulationLoss", Bowl)


def a_parabola_for_uniform_data(monkeypatch):
    monkeypatch.setattr(claims, "f2", SimpleNamespace(C=3.0, **methods(Quadratic())))


def methods(loss):
    return {name: getattr(loss, name) for name in ("value", "grad", "hvp")}


def a_superquadratic_loss(monkeypatch):
    quartic = SimpleNamespace(grad=lambda w: w**3, hvp=lambda w, v: 3 * w * w * v)
    monkeypatch.setattr(claims, "f2", quartic)
    monkeypatch.setattr(claims, "three_neurons", lambda x, w: np.square(x * w))


def data_of_one_magnitude(monkeypatch):
    monkeypatch.setattr(claims, "DATA", (1.0, 1.0, 1.0))


def another_C(monkeypatch):
    monkeypatch.setattr(claims, "F2", lambda C: F2(1.1 * C))


def other_data(monkeypatch):
    monkeypatch.setattr(claims, "EmpiricalLoss", lambda x: EmpiricalLoss(1.1 * np.asarray(x)))


def valleys_of_one_scale(monkeypatch):
    monkeypatch.setattr(claims, "F2", lambda C: F2(3.0))


def huber_for_squares(monkeypatch):
    sum_of = claims.sum_of
    monkeypatch.setattr(claims, "sum_of", lambda loss, w: sum_of(claims.huber, w))


def the_network_for_huber(monkeypatch):
    """Not convex."""
    monkeypatch.setattr(claims, "huber", lambda z: np.minimum(1, z * z) - 0.1 * z * z)


def light_tails(monkeypatch):
    monkeypatch.setattr(claims, "TAILS", (0.0, 0.1))


def quadratic_far_out(monkeypatch):
    monkeypatch.setattr(claims, "huber", np.square)


def pictures(monkeypatch, **changes):
    recorded = claims.recorded

    def changed(*names):
        run = recorded(*names)
        arrays = {name: change(run[name]) for name, change in changes.items()}
        return run.arrays | arrays

    monkeypatch.setattr(claims, "recorded", changed)


def one_faint_picture(monkeypatch):
    pictures(monkeypatch, pixels=lambda lengths: np.append(lengths[0] / 100, lengths[1:]))


def trained(monkeypatch, name, arm, change):
    """Change what was recorded under a name for one arm of the trainings."""
    run = claims.recorded("sec6_deciles", "cifar10", "reduced")
    array, at = run[name].copy(), run.provenance["arms"].index(arm)
    array[at] = change(array[at])
    changed = Recording(run.arrays | {name: array}, run.provenance)
    monkeypatch.setattr(claims, "recorded", lambda *names: changed)


def parabolas_for_equal_lengths(monkeypatch):
    trained(monkeypatch, "growth", "equal", lambda growth: np.full_like(growth, 2.0))


def tenths_of_one_sharpness(monkeypatch):
    trained(monkeypatch, "sharpness", "hundredfold", lambda sharp: np.full_like(sharp, 80.0))


def wide_gaps(monkeypatch):
    """Data in geometric progression, however many there are."""
    each_twice_the_last = np.maximum(2.0 ** np.arange(-1e5, 0), 1e-150)
    monkeypatch.setattr(claims, "large_samples", lambda n: each_twice_the_last[None, -n:])


def tanh_network(monkeypatch):
    monkeypatch.setattr(claims, "relu", np.tanh)


def biases_of_0(monkeypatch):
    monkeypatch.setattr(claims, "BIAS", 0.0)


def scaled_once_more(monkeypatch):
    monkeypatch.setattr(claims, "first_layer", lambda weights: [W / claims.K for W in weights])


@pytest.mark.parametrize(
    ("measure", "breakage"),
    [
        (claims.empirical, four_neurons),
        (claims.empirical, other_data),
        (claims.sharper, a_superquadratic_loss),
        (claims.uniform, another_C),
        (claims.continuous, a_parabola_for_uniform_data),
        (claims.two_valleys, valleys_of_one_scale),
        (claims.cause, data_of_one_magnitude),
        (claims.cause, on_a_parabola),
        (claims.cause, huber_for_squares),
        (claims.convex_sum, quadratic_far_out),
        (claims.convex_sum, data_of_one_magnitude),
        (claims.convex_sum, the_network_for_huber),
        (claims.norms, one_faint_picture),
        (claims.norms, light_tails),
        (claims.growth_by_arm, parabolas_for_equal_lengths),
        (claims.growth_by_arm, tenths_of_one_sharpness),
        (claims.large_data, wide_gaps),
        (claims.identities, tanh_network),
        (claims.identities, biases_of_0),
        (claims.identities, scaled_once_more),
    ],
)
def test_what_is_measured_decides_the_verdict(decides, measure, breakage):
    decides(measure, breakage)
