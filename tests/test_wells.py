"""Scales along a line: what is known of analytic losses comes out of their values alone."""

import numpy as np
import pytest

from mslbook.losses import PseudoHuber, Quadratic, f1
from mslbook.probes import line
from mslbook.probes.wells import scales

OUT = np.geomspace(1e-3, 1e2, 121)
DISTANCES = np.concatenate([-OUT[::-1], [0.0], OUT])


def test_a_parabola_has_one_scale_wherever_its_minimum_lies():
    found = scales(DISTANCES, line(Quadratic(3.0), 0.05, 1.0, DISTANCES))
    assert found.minimum == pytest.approx(-0.05)
    for bends, exponents in zip(found.curvatures, found.exponents, strict=True):
        np.testing.assert_allclose(bends, 3.0, rtol=1e-6)
        np.testing.assert_allclose(exponents, 2.0, atol=1e-5)


def test_curvature_is_the_average_of_the_second_derivative_with_a_falling_weight():
    """By quadrature of f1's curvature 1 / (1 + s) with the weight 2 (r - s) / r²."""
    found = scales(DISTANCES, line(f1, 0.0, 1.0, DISTANCES))
    for r, bend in zip(found.distances[1][::20], found.curvatures[1][::20], strict=True):
        s = (np.arange(4000) + 0.5) / 4000 * r
        assert bend == pytest.approx(np.mean(2 * (r - s) / r / (1 + s)), rel=1e-3)


@pytest.mark.parametrize("ratio", [10.0, 1000.0])
def test_a_small_well_within_a_large_one_shows_two_plateaus(ratio):
    """A well of curvature `ratio` and bounded height, and a parabola of curvature 1 around it."""
    values = ratio * 1e-4 * (1 - 1 / (1 + DISTANCES**2 / 2e-4)) + DISTANCES**2 / 2
    found = scales(DISTANCES, values)
    for bends, exponents, fall in zip(
        found.curvatures, found.exponents, found.separations, strict=True
    ):
        assert bends[0] == pytest.approx(ratio + 1, rel=0.05)
        assert bends[-1] == pytest.approx(1, rel=1e-3)
        assert fall == pytest.approx(ratio + 1, rel=0.05)
        assert exponents.min() < 1.7
        assert exponents[-1] == pytest.approx(2, abs=1e-3)
    assert found.dips == tuple(exponents.min() for exponents in found.exponents)
    assert min(found.plateaus) > 10


def test_a_continuum_of_scales_has_no_second_plateau():
    found = scales(DISTANCES, line(PseudoHuber(), 0.0, 1.0, DISTANCES))
    assert found.separations[1] > 10
    assert found.exponents[1][-1] == pytest.approx(1, abs=0.05)
    assert np.all(np.diff(found.curvatures[1]) < 1e-6)
    assert found.plateaus[1] == 1  # the one at the minimum, before the dip, does not count


def test_to_pass_by_an_exponent_of_two_on_the_way_up_is_no_plateau():
    """From 1, beyond the core, to 18, which the loss of a network of nine layers may reach."""
    values = line(PseudoHuber(), 0.0, 1.0, DISTANCES) + (DISTANCES / 10) ** 18
    found = scales(DISTANCES, values)
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
        (DISTANCES, np.ones((2, 9)), "not one line"),
        ([1, 2, 3], [2, 1, 2], "at least 9"),
    ],
)
def test_what_is_no_line_with_a_minimum_is_refused(distances, values, message):
    with pytest.raises(ValueError, match=message):
        scales(distances, values)


GROWS = 3 + np.sqrt(1 + DISTANCES**2) - 1


@pytest.mark.parametrize(
    "values",
    [GROWS.astype(np.float32), np.where(np.abs(DISTANCES) < 1e-2, 3.0, GROWS)],
    ids=["single precision", "a bottom that is flat"],
)
def test_what_rounding_hides_near_the_bottom_makes_no_well(values):
    found, exact = scales(DISTANCES, values), scales(DISTANCES, GROWS)
    np.testing.assert_allclose(found.separations, exact.separations, rtol=0.02)
    np.testing.assert_allclose(found.dips, exact.dips, atol=0.02)
    assert found.value == pytest.approx(3, abs=1e-4)


def test_nine_distances_are_enough():
    found = scales(np.arange(-4.0, 5.0), 3 * np.arange(-4.0, 5.0) ** 2)
    for bends in found.curvatures:
        np.testing.assert_allclose(bends, 6)


def test_distances_whose_squares_vanish_are_refused():
    with pytest.raises(ValueError, match="must increase, by more than 1e-150"):
        scales(1e-300 * DISTANCES, GROWS)


def test_of_equally_low_values_the_middle_one_is_the_minimum():
    assert scales(DISTANCES, np.maximum(np.abs(DISTANCES - 1) - 1, 0)).minimum == pytest.approx(
        1, abs=0.1
    )


def test_losses_of_half_precision_are_refused():
    with pytest.raises(ValueError, match="drown in rounding: measure in double"):
        scales(DISTANCES, GROWS.astype(np.float16))
    with pytest.raises(TypeError, match="must be real numbers"):
        scales(DISTANCES, GROWS + 0j)
