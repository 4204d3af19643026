"""Second differences, exponents and curvature profiles against formulas and the Hessian."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")
from models import build  # noqa: E402

from mslbook.losses import PseudoHuber, Quadratic, f1, f2, f3  # noqa: E402
from mslbook.losses.network import NetworkLoss, half_squared_error  # noqa: E402
from mslbook.probes import (  # noqa: E402
    curvature_profile,
    growth,
    line,
    rounding,
    second_difference,
)


def smooth(dtype=torch.float32):
    """A tanh network, in single precision as networks are trained, and its gradient."""
    model, inputs, labels, _ = build("tanh", dtype)
    loss = NetworkLoss(model, (inputs, labels), half_squared_error)
    return loss, loss.grad(loss.theta)


# --- second differences, and how far they can be trusted ------------------------------------------


def test_second_differences_of_polynomials():
    x = 0.25 * np.arange(-8, 9)
    np.testing.assert_allclose(second_difference(3 * x**2 - x + 7, 0.25), 6.0, rtol=1e-12)
    np.testing.assert_allclose(second_difference(x**4, 0.25), 12 * x[1:-1] ** 2 + 2 * 0.25**2)
    assert second_difference([1.0, 0.0, 1.0], 1.0).tolist() == [2.0]
    assert second_difference([[1, 0, 1], [0, 0, 2]], 2.0).tolist() == [[0.5], [0.5]]
    assert second_difference(torch.tensor([1.0, 0.0, 1.0]), 1.0).dtype == np.float64


@pytest.mark.parametrize(
    ("loss", "point", "direction"), [(f2, 0.3, -1.0), (f3, [1.0, -2.0], [0.6, 0.8])]
)
def test_second_differences_go_to_the_curvature(loss, point, direction):
    values = line(loss, point, direction, 1e-3 * np.arange(-4, 5))
    curvature = np.sum(np.asarray(direction) * np.asarray(loss.hvp(point, direction)))
    np.testing.assert_allclose(second_difference(values, 1e-3)[3], curvature, rtol=1e-5)


def test_double_precision_shows_the_hessian_where_single_precision_shows_rounding():
    loss, direction = smooth()
    exact, theta = loss.to(dtype=torch.float64), loss.theta.double()
    unit = direction.double() / direction.double().norm()
    curvature = float(unit @ exact.hvp(theta, unit))
    for spacing in (1e-2, 1e-3, 1e-4, 1e-5):
        distances = spacing * np.arange(-20, 21)
        double = second_difference(line(exact, theta, direction, distances), spacing)
        assert abs(double[19] - curvature) < 1e-3 * curvature
    for spacing in (1e-4, 1e-5):
        values = line(loss, loss.theta, direction, spacing * np.arange(-20, 21))
        single = np.diff(values.astype(float), 2) / spacing**2
        assert np.median(abs(single - curvature)) > curvature  # the same line, drowned
        with pytest.raises(ValueError, match=r"rounding of the losses .* loss.to\(dtype="):
            second_difference(values, spacing)


def test_rounding_is_what_single_precision_does_to_a_network():
    loss, direction = smooth()
    exact, theta = loss.to(dtype=torch.float64), loss.theta.double()
    for spacing in (1e-2, 3e-3, 1e-3):
        distances = spacing * np.arange(-40, 41)
        single = line(loss, loss.theta, direction, distances)
        double = line(exact, theta, direction, distances)
        errors = np.diff(single.astype(float) - double, 2) / spacing**2
        assert 0.5 < rounding(single, spacing) / errors.std() < 2


@pytest.mark.parametrize("scale", [1e-9, 1.0, 1e9])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_rounding_of_a_parabola_is_that_of_storing_it(dtype, scale):
    x = 0.01 * np.arange(-100, 101) + 0.0037
    values = scale * (x**2 / 2 + 1)
    stored = values.astype(dtype)
    if dtype is np.float32:
        errors = np.diff(stored.astype(float) - values, 2) / 0.01**2
        assert 0.7 < rounding(stored, 0.01) / errors.std() < 1.4
    else:
        assert rounding(stored, 0.01) < 1e-10 * scale


def test_rounding_is_never_nothing():
    assert rounding(np.ones(20, dtype=np.float32), 1.0) > 1e-8


def test_nine_values_show_how_rough_a_line_is():
    scattered = np.random.default_rng(0).normal(size=(1000, 9))
    found = [rounding(values, 1.0) for values in scattered]
    assert np.median(found) == pytest.approx(np.sqrt(6), rel=0.2)  # the scatter of a - 2 b + c


@pytest.mark.parametrize(
    "values",
    [
        np.abs(np.linspace(-1, 1, 41)),  # a single kink
        np.log(np.cosh(np.linspace(-40, 40, 81))),  # straight but for a core
        np.random.default_rng(0).normal(size=41),  # rugged
        np.exp(np.linspace(0, 30, 41)),
        np.linspace(0, 1, 41) ** 2 + 1e4,
        np.zeros(41),
    ],
)
def test_what_is_not_rounding_is_not_refused(values):
    assert len(second_difference(values, 0.1)) == len(values) - 2


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_what_is_exactly_straight_has_no_curvature(dtype):
    for values in (np.arange(9.0) + 1, np.ones(9), np.full((2, 4), 0.3)):
        found = second_difference(values.astype(dtype), 0.5)
        assert found.shape == (*values.shape[:-1], values.shape[-1] - 2)
        assert not found.any()


@pytest.mark.parametrize("n", [3, 5, 9, 41, 1001])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("seed", range(5))
def test_a_spacing_at_which_differences_drown_is_refused(n, dtype, seed):
    offset = np.random.default_rng(seed).uniform(0.1, 10)
    spacing = 1e-3 * np.sqrt(np.finfo(dtype).eps)
    x = spacing * np.arange(n)
    values = (offset + x / 3 + x**2 / 2).astype(dtype)
    values[1] = np.nextafter(values[1], dtype(np.inf))  # or three may lie on a line by chance
    with pytest.raises(ValueError, match="take a wider spacing"):
        second_difference(values, spacing)


# --- growth ---------------------------------------------------------------------------------------


def grown(function, low=-3.0, high=5.0, points=801):
    distances = np.linspace(low, high, points)
    return growth(distances, function(distances))


@pytest.mark.parametrize("shift", [0.0, 0.0037, -1.3])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_quadratic_has_exponent_two_and_never_drops(dtype, shift):
    answer = grown(lambda x: (1 + 3 * (x - shift) ** 2).astype(dtype), points=81)
    np.testing.assert_allclose(answer.exponents, 2, atol=1e-3)
    np.testing.assert_allclose([answer.minimum, answer.value], [shift, 1], atol=1e-4)
    np.testing.assert_allclose(answer.curvature, 6, rtol=1e-3)
    assert answer.drops == (np.inf, np.inf)


@pytest.mark.parametrize(
    ("loss", "drop"),
    [
        (PseudoHuber(), np.sqrt(0.9 ** (-2 / 3) - 1)),  # f'' = (1 + x^2)^(-3/2)
        (f1, 1 / 0.9 - 1),  # f'' = 1 / (1 + |x|)
    ],
)
def test_known_drops(loss, drop):
    answer = grown(loss.value, points=8001)
    np.testing.assert_allclose(answer.drops, drop, rtol=1e-2)
    np.testing.assert_allclose([answer.fitted[0][0], answer.fitted[1][0]], drop, atol=2e-3)
    assert max(answer.exponents) < 2


@pytest.mark.parametrize(
    ("loss", "tail", "close"),
    [(PseudoHuber(), 1.0, 0.01), (f1, 1.0, 0.2), (Quadratic(), 2.0, 1e-6)],  # f1 grows as x ln x
)
def test_exponents_far_out(loss, tail, close):
    near, far = (grown(loss.value, -reach, reach, 2001) for reach in (10, 10000))
    for side in (0, 1):
        assert tail - 1e-6 < far.exponents[side] < tail + close
        assert far.exponents[side] < near.exponents[side] or tail == 2


@pytest.mark.parametrize("p", [1.2, 1.5, 2.0, 3.0, 4.0])
def test_exponents_of_powers(p):
    answer = grown(lambda x: 7 + 0.3 * abs(x) ** p)
    np.testing.assert_allclose(answer.exponents, p, rtol=0.02)
    assert (np.array(answer.drops) == np.inf).all() == (p >= 2)


def test_the_two_sides_are_told_apart():
    answer = grown(lambda x: np.where(x < 0, np.sqrt(1 + x * x) - 1, x**2 / 2 + x**3 / 6))
    assert answer.exponents[0] < 1.8
    assert answer.exponents[1] > 2.2
    np.testing.assert_allclose(answer.drops, [np.sqrt(0.9 ** (-2 / 3) - 1), np.inf], rtol=0.02)
    mirrored = grown(lambda x: np.where(x > 0, np.sqrt(1 + x * x) - 1, x**2 / 2 - x**3 / 6))
    assert mirrored.exponents[1] < 1.8
    assert "exponents" in repr(mirrored)


def kinked(x):
    """The pseudo-Huber loss, but straight between places 0.004 apart on average."""
    knots = np.sort(np.random.default_rng(1).uniform(-4, 6, 2500))
    return np.interp(x, knots, PseudoHuber().value(knots))


def rounded(x):
    return PseudoHuber().value(x) + np.random.default_rng(2).normal(scale=1e-6, size=len(x))


@pytest.mark.parametrize("rough", [kinked, rounded])
def test_rough_lines_are_measured_at_a_spacing_where_they_are_smooth(rough):
    distances = np.linspace(-3, 5, 1601)  # 0.005 apart: second differences scatter here
    scatter = second_difference(rough(distances), 0.005)[595:605].std()
    assert scatter > 0.05
    answer = growth(distances, rough(distances))
    assert 0.01 <= answer.spacing <= 0.16
    np.testing.assert_allclose(answer.curvature, 1, rtol=0.05)
    np.testing.assert_allclose(answer.drops, np.sqrt(0.9 ** (-2 / 3) - 1), rtol=0.25)
    np.testing.assert_allclose(answer.exponents, grown(PseudoHuber().value).exponents, rtol=0.05)
    assert grown(PseudoHuber().value).spacing == pytest.approx(0.01)


def test_where_no_spacing_is_smooth_enough_only_the_drops_are_lost():
    scattered = 0.1 * np.random.default_rng(3).normal(size=25)
    answer = grown(lambda x: 3 * (x - 0.2) ** 2 + scattered, -5, 5, points=25)
    assert np.isnan(answer.drops).all()
    np.testing.assert_allclose(answer.exponents, 2, atol=0.1)
    np.testing.assert_allclose(answer.minimum, 0.2, atol=0.1)


def test_only_the_valley_around_the_minimum_counts():
    bumpy = grown(lambda x: 1 - np.cos(x), -10, 10.5)
    np.testing.assert_allclose(abs(bumpy.minimum) % (2 * np.pi), 0, atol=1e-6)
    np.testing.assert_allclose([far for _, far in bumpy.fitted], np.pi, atol=0.03)
    assert max(bumpy.exponents) < 1.7
    double = grown(lambda x: (x**2 - 1) ** 2 + 0.1 * x, -2, 2)
    assert -1.03 < double.minimum < -1
    np.testing.assert_allclose(double.fitted[1][1], 0.025 + 1.013, atol=0.02)  # to the ridge


def test_a_side_too_short_for_an_exponent_still_has_its_drop():
    """Three points lie before the minimum, and the curvature falls by a tenth among them."""
    short = grown(PseudoHuber().value, low=-0.6, high=5.0, points=29)
    assert short.drops[0] == pytest.approx(short.drops[1], rel=1e-6)
    assert 0.2 < short.drops[0] < 0.4
    assert np.isnan(short.exponents[0])
    assert short.exponents[1] < 1.6


def test_what_a_line_does_not_tell_is_nan():
    assert np.isnan([*grown(np.exp).exponents, grown(np.exp).minimum]).all()
    assert np.isnan(grown(lambda x: -x).curvature)
    corner = grown(lambda x: (x - 4.99) ** 2)  # the minimum is one step from the end
    np.testing.assert_allclose(corner.exponents[0], 2, atol=1e-6)
    assert np.isnan([corner.exponents[1], corner.drops[1], *corner.fitted[1]]).all()
    flat = grown(lambda x: np.maximum(abs(x) - 1, 0) ** 2)
    assert flat.curvature == 0
    assert np.isnan([*flat.exponents, *flat.drops]).all()
    drowned = grown(lambda x: 1 + 1e-16 * x**2)
    assert np.isnan([*drowned.exponents, *drowned.drops]).all()
    for seed in range(20):
        rugged = growth(np.arange(201.0), np.random.default_rng(seed).normal(size=201))
        assert np.isnan([*rugged.exponents, *rugged.drops]).all()


# --- curvature profiles ---------------------------------------------------------------------------

OUT = np.geomspace(1e-3, 1e2, 121)
DISTANCES = np.concatenate([-OUT[::-1], [0.0], OUT])


def test_a_parabola_has_one_scale_wherever_its_minimum_lies():
    found = curvature_profile(DISTANCES, line(Quadratic(3.0), 0.05, 1.0, DISTANCES))
    assert found.minimum == pytest.approx(-0.05)
    for curvatures, exponents in zip(found.curvatures, found.exponents, strict=True):
        np.testing.assert_allclose(curvatures, 3.0, rtol=1e-6)
        np.testing.assert_allclose(exponents, 2.0, atol=1e-5)


def test_curvature_is_the_average_of_the_second_derivative_with_a_falling_weight():
    """By quadrature of f1's curvature 1 / (1 + s) with the weight 2 (r - s) / r²."""
    found = curvature_profile(DISTANCES, line(f1, 0.0, 1.0, DISTANCES))
    for r, bend in zip(found.distances[1][::20], found.curvatures[1][::20], strict=True):
        s = (np.arange(4000) + 0.5) / 4000 * r
        assert bend == pytest.approx(np.mean(2 * (r - s) / r / (1 + s)), rel=1e-3)


@pytest.mark.parametrize("ratio", [10.0, 1000.0])
def test_a_narrow_minimum_within_a_wide_one_shows_two_plateaus(ratio):
    """A minimum of curvature `ratio` and bounded height in a parabola of curvature 1."""
    values = ratio * 1e-4 * (1 - 1 / (1 + DISTANCES**2 / 2e-4)) + DISTANCES**2 / 2
    found = curvature_profile(DISTANCES, values)
    for curvatures, exponents, fall in zip(
        found.curvatures, found.exponents, found.separations, strict=True
    ):
        assert curvatures[0] == pytest.approx(ratio + 1, rel=0.05)
        assert curvatures[-1] == pytest.approx(1, rel=1e-3)
        assert fall == pytest.approx(ratio + 1, rel=0.05)
        assert exponents.min() < 1.7
        assert exponents[-1] == pytest.approx(2, abs=1e-3)
    assert found.dips == tuple(exponents.min() for exponents in found.exponents)
    assert min(found.plateaus) > 10


def test_a_continuum_of_scales_has_no_second_plateau():
    found = curvature_profile(DISTANCES, line(PseudoHuber(), 0.0, 1.0, DISTANCES))
    assert found.separations[1] > 10
    assert found.exponents[1][-1] == pytest.approx(1, abs=0.05)
    assert np.all(np.diff(found.curvatures[1]) < 1e-6)
    assert found.plateaus[1] == 1  # the one at the minimum, before the dip, does not count


def test_to_pass_by_an_exponent_of_two_on_the_way_up_is_no_plateau():
    """From 1, beyond the core, to 18, which the loss of a network of nine layers may reach."""
    values = line(PseudoHuber(), 0.0, 1.0, DISTANCES) + (DISTANCES / 10) ** 18
    found = curvature_profile(DISTANCES, values)
    assert found.dips[1] < 1.2
    assert found.exponents[1][-1] > 17
    assert found.plateaus[1] < 1.2


@pytest.mark.parametrize(
    ("distances", "values", "message"),
    [
        (DISTANCES, np.exp(DISTANCES / 100), "at an end"),
        (DISTANCES, np.abs(np.abs(DISTANCES) - DISTANCES[-50]) + 1, "as low in two places"),
        (DISTANCES, np.where(np.abs(np.abs(DISTANCES) - 5) < 1, 0, 1), "as low in two places"),
        (DISTANCES[::-1], DISTANCES**2, "must increase"),
        (DISTANCES, np.where(DISTANCES > 50, np.inf, DISTANCES**2), "finite"),
        (DISTANCES, np.ones((2, 9)), "one line at a time"),
        ([1, 2, 3], [2, 1, 2], "at least 9"),
    ],
)
def test_what_is_no_line_with_a_minimum_is_refused(distances, values, message):
    with pytest.raises(ValueError, match=message):
        curvature_profile(distances, values)


GROWS = 3 + np.sqrt(1 + DISTANCES**2) - 1


@pytest.mark.parametrize(
    "values",
    [GROWS.astype(np.float32), np.where(np.abs(DISTANCES) < 1e-2, 3.0, GROWS)],
    ids=["single precision", "a bottom that is flat"],
)
def test_what_rounding_hides_near_the_minimum_makes_no_plateau(values):
    found, exact = curvature_profile(DISTANCES, values), curvature_profile(DISTANCES, GROWS)
    np.testing.assert_allclose(found.separations, exact.separations, rtol=0.02)
    np.testing.assert_allclose(found.dips, exact.dips, atol=0.02)
    assert found.value == pytest.approx(3, abs=1e-4)


def test_nine_distances_are_enough():
    found = curvature_profile(np.arange(-4.0, 5.0), 3 * np.arange(-4.0, 5.0) ** 2)
    for curvatures in found.curvatures:
        np.testing.assert_allclose(curvatures, 6)


def test_distances_whose_squares_vanish_are_refused():
    with pytest.raises(ValueError, match="must increase, by more than 1e-150"):
        curvature_profile(1e-300 * DISTANCES, GROWS)


def test_of_equally_low_values_the_middle_one_is_the_minimum():
    assert curvature_profile(
        DISTANCES, np.maximum(np.abs(DISTANCES - 1) - 1, 0)
    ).minimum == pytest.approx(1, abs=0.1)


def test_losses_of_half_precision_are_refused():
    with pytest.raises(ValueError, match="float16 is too coarse"):
        curvature_profile(DISTANCES, GROWS.astype(np.float16))
    with pytest.raises(TypeError, match="must be real numbers"):
        curvature_profile(DISTANCES, GROWS + 0j)


# --- bad input ------------------------------------------------------------------------------------


@pytest.mark.parametrize("spacing", [0, -1.0, np.nan, np.inf, np.ones(2), None, "1", 1j, 1e-200])
def test_bad_spacings(spacing):
    for measure in (second_difference, rounding):
        with pytest.raises(ValueError, match="spacing must be above 1e-150 and finite"):
            measure(np.arange(20.0) ** 2, spacing)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ([1.0, 2.0], "at least"),
        (5.0, "at least"),
        (np.zeros((0, 20)), "finite values along"),
        ([1.0, np.nan, *range(20)], "finite values along"),
        (np.arange(20, dtype=np.float16), "float16 is too coarse"),
        (torch.arange(20).bfloat16(), "bfloat16 is too coarse"),
    ],
)
def test_bad_values(values, words):
    for measure in (second_difference, rounding):
        with pytest.raises(ValueError, match=words):
            measure(values, 1.0)


@pytest.mark.parametrize("values", [None, np.arange(20) * 1j, ["a"] * 20])
def test_values_that_are_no_real_numbers(values):
    for measure in (second_difference, rounding):
        with pytest.raises(TypeError, match="the values must be real numbers"):
            measure(values, 1.0)


@pytest.mark.parametrize(
    ("distances", "values", "words"),
    [
        (np.arange(9.0), np.arange(10.0), "9 distances do not go with"),
        (np.arange(9.0), np.ones((9, 9)), "one line at a time"),
        (np.arange(9.0)[::-1], np.arange(9.0) ** 2, "must increase"),
        (np.arange(9.0) ** 2, np.arange(9.0), "equally spaced"),
        (np.zeros(9), np.arange(9.0), "must increase"),
        (1e-300 * np.arange(9.0), np.arange(9.0) ** 2, "by more than 1e-150"),
        (np.arange(8.0), np.arange(8.0), "at least 9"),
        (np.arange(9.0), [np.inf, *range(8)], "finite values along"),
    ],
)
def test_bad_growth(distances, values, words):
    with pytest.raises(ValueError, match=words):
        growth(distances, values)


def test_a_straight_line_has_no_second_difference_to_show():
    with pytest.raises(ValueError, match="the rounding of the losses"):
        second_difference(0.3 + 0.7 * np.linspace(0, 1, 20), 0.1)
