"""The ledger of section 6: what is measured decides the verdict."""

from types import SimpleNamespace

import numpy as np
import pytest

from mslbook.losses import F2, EmpiricalLoss, Quadratic, f1, three_neurons
from mslbook.paper.ledger import FAILS
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


def convex_for_uniform_data(monkeypatch):
    """With f1 the second derivative does fall."""
    monkeypatch.setattr(claims, "f2", f1)


def methods(loss):
    return {name: getattr(loss, name) for name in ("value", "grad", "hvp")}


def a_superquadratic_loss(monkeypatch):
    quartic = SimpleNamespace(grad=lambda w: w**3, hvp=lambda w, v: 3 * w * w * v)
    monkeypatch.setattr(claims, "f2", quartic)
    monkeypatch.setattr(claims, "three_neurons", lambda x, w: np.square(x * w))


def data_of_one_magnitude(monkeypatch):
    monkeypatch.setattr(claims, "DATA", (1.0, 1.0, 1.0))
    monkeypatch.setattr(claims, "DRAWN", (1.0, 1.0, 1.0))


def another_C(monkeypatch):
    monkeypatch.setattr(claims, "F2", lambda C: F2(1.1 * C))


def other_data(monkeypatch):
    monkeypatch.setattr(claims, "EmpiricalLoss", lambda x: EmpiricalLoss(1.1 * np.asarray(x)))


def valleys_of_one_scale(monkeypatch):
    monkeypatch.setattr(claims, "F2", lambda C: F2(3.0))


def huber_for_squares(monkeypatch):
    sum_of = claims._sum_of
    monkeypatch.setattr(claims, "_sum_of", lambda loss, w: sum_of(claims._huber, w))


def the_network_for_huber(monkeypatch):
    """Not convex."""
    monkeypatch.setattr(claims, "_huber", lambda z: np.minimum(1, z * z) - 0.1 * z * z)


def light_tails(monkeypatch):
    monkeypatch.setattr(claims, "TAILS", (0.0, 0.1))


def a_layer_without_depth(monkeypatch):
    """Curvature k² times as large, however many layers there are."""
    monkeypatch.setattr(claims, "_error", lambda x, y, W, b: np.sum((x * W[0][0]) ** 2))


def quadratic_far_out(monkeypatch):
    monkeypatch.setattr(claims, "_huber", np.square)


def pictures(monkeypatch, **changes):
    recorded = claims.recorded

    def changed(*names):
        run = recorded(*names)
        arrays = {name: change(run[name]) for name, change in changes.items()}
        return run.arrays | arrays

    monkeypatch.setattr(claims, "recorded", changed)


def pictures_of_one_length(monkeypatch):
    pictures(monkeypatch, pixels=lambda lengths: np.full_like(lengths, 3072**0.5))


def pictures_scaled_up(monkeypatch):
    pictures(monkeypatch, pixels=lambda lengths: 2 * lengths)


def one_faint_picture(monkeypatch):
    pictures(monkeypatch, pixels=lambda lengths: np.append(lengths[0] / 100, lengths[1:]))


def trained(monkeypatch, name, arm, change):
    """Change what was recorded under a name for one arm of the trainings, or for all (a slice)."""
    run = claims._trained()
    array = run[name].copy()
    at = arm if isinstance(arm, slice) else run.provenance["arms"].index(arm)
    arrays = {key: run[key][at] for key in run.arrays if key != "distances"}
    array[at] = change(arrays)
    monkeypatch.setattr(claims, "_trained", lambda: Recording({**run.arrays, name: array}, ABOUT))


EVERY = slice(None)
ABOUT = claims._trained().provenance


def tenths_of_one_sharpness(monkeypatch):
    trained(monkeypatch, "sharpness", "real", lambda run: np.full_like(run["sharpness"], 80.0))


def no_effect_of_direction(monkeypatch):
    trained(monkeypatch, "sharpness", "equal", lambda run: np.full_like(run["sharpness"], 80.0))


def first_layer_by_the_square(monkeypatch):
    trained(monkeypatch, "first_layer", EVERY, lambda run: run["length"] ** 2)


def first_layer_of_one_sharpness(monkeypatch):
    trained(monkeypatch, "first_layer", EVERY, lambda run: np.ones_like(run["length"]))


def wells_of_one_width(monkeypatch):
    trained(monkeypatch, "widths", "equal", lambda run: np.full_like(run["widths"], 0.1))


def shares_by_the_speed(monkeypatch):
    trained(monkeypatch, "share", "equal", lambda run: run["speed"])


def parabolas_for_equal_lengths(monkeypatch):
    trained(monkeypatch, "growth", "equal", lambda run: np.full_like(run["growth"], 2.0))


def equal_shares(monkeypatch):
    trained(monkeypatch, "share", "equal", lambda run: np.full_like(run["share"], 80.0))


def tanh_network(monkeypatch):
    def network(x, weights, biases):
        for weight, bias in zip(weights[:-1], biases[:-1], strict=True):
            x = np.tanh(weight @ x + bias)
        return weights[-1] @ x + biases[-1]

    monkeypatch.setattr(claims, "_relu_network", network)


def linear_network(monkeypatch):
    """Homogeneous for negative k too where the number of layers is odd, so for L = 3 alone."""

    def network(x, weights, biases):
        for weight, bias in zip(weights, biases, strict=True):
            x = weight @ x + bias
        return x

    one = [case for case in claims._random_networks(0.0) if len(case[0]) == 3]
    monkeypatch.setattr(claims, "_random_networks", lambda bias: one)
    monkeypatch.setattr(claims, "_relu_network", network)


def biases_of_0(monkeypatch):
    networks = claims._random_networks
    monkeypatch.setattr(claims, "_random_networks", lambda bias: networks(0.0))


def scaled_once_more(monkeypatch):
    monkeypatch.setattr(claims, "_first_layer", lambda k: lambda n: [1 / k] * n)


@pytest.mark.parametrize(
    ("measure", "breakage"),
    [
        (claims._network, four_neurons),
        (claims._wells, on_a_parabola),
        (claims._empirical, four_neurons),
        (claims._empirical, other_data),
        (claims._sharper, a_superquadratic_loss),
        (claims._sharper_continuum, a_superquadratic_loss),
        (claims._sharper_continuum, convex_for_uniform_data),
        (claims._orders, data_of_one_magnitude),
        (claims._population, four_neurons),
        (claims._uniform, another_C),
        (claims._three_scales, data_of_one_magnitude),
        (claims._three_scales, on_a_parabola),
        (claims._continuous, a_parabola_for_uniform_data),
        (claims._large_data, other_data),
        (claims._two_valleys, valleys_of_one_scale),
        (claims._cause, data_of_one_magnitude),
        (claims._cause, on_a_parabola),
        (claims._cause, huber_for_squares),
        (claims._convex_sum, quadratic_far_out),
        (claims._convex_sum, data_of_one_magnitude),
        (claims._convex_sum, the_network_for_huber),
        (claims._standardised, pictures_of_one_length),
        (claims._standardised, pictures_scaled_up),
        (claims._norms, one_faint_picture),
        (claims._norms, light_tails),
        (claims._tenths_by_length, tenths_of_one_sharpness),
        (claims._tenths_by_length, no_effect_of_direction),
        (claims._first_layer_power, first_layer_by_the_square),
        (claims._first_layer_power, first_layer_of_one_sharpness),
        (claims._wells_by_speed, wells_of_one_width),
        (claims._wells_by_speed, shares_by_the_speed),
        (claims._growth_by_arm, parabolas_for_equal_lengths),
        (claims._growth_by_arm, equal_shares),
        (claims._same_shape, tanh_network),
        (claims._same_shape, a_layer_without_depth),
        (claims._first_identity, tanh_network),
        (claims._first_identity, linear_network),
        (claims._first_identity_with_bias, biases_of_0),
        (claims._second_identity, scaled_once_more),
    ],
)
def test_what_is_measured_decides_the_verdict(decides, measure, breakage):
    decides(measure, breakage)


def test_a_sum_that_is_not_quadratic_is_noticed(monkeypatch):
    huber_for_squares(monkeypatch)
    assert claims._quadratic_sum()[1] == FAILS


@pytest.mark.parametrize("claim", claims.CLAIMS, ids=lambda claim: claim.id)
def test_the_verdicts_written_down_are_those_measured(claim):
    assert claim.measure()[1] == claim.verdict
