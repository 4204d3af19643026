"""The ledger of section 3.1: what is recorded decides the verdict."""

import dataclasses

import numpy as np
import pytest

from mslbook.paper.gradient_lines import ladder, late, lines, oscillating, settings, spectrum
from mslbook.paper.ledger import HOLDS, RESERVED, UNSEEN, measured
from mslbook.paper.recording import Recording
from mslbook.paper.subquadratic_growth import claims

LR, STEPS = 0.05, np.linspace(-2, 3, 81)


def parabola(s):
    return s**2 / 2


def slower(s):
    return 1.118 * (np.sqrt(1 + s**2) - 1)


def faster(s):
    return 0.45 * s**2 + 0.1 * s**4


def one_sided(s):
    return np.where(s < 0, faster(s), slower(s))


def not_convex(s):
    return 1.043 * (1 - np.cos(s))


def run_on(bowl, **changed):
    """A recording of descent at rest between two walls, which sees the same line at every probe.

    `bowl` gives the loss by the distance from the bottom in steps, downhill positive. The iterates
    are half a step from it on either side, where the slopes of all bowls here are about 1/2, as
    they must be where curvatures are in units of 2/η.
    """
    unit, probes = 2 * LR, np.arange(0, 100, 10)  # of a gradient of length 1
    level = 1 + unit * bowl(np.array(0.5))
    losses = level + 1e-6 * (-1.0) ** np.arange(101)
    losses[0] += 1  # before descent has come down
    arrays = {
        "lr": np.float32(LR),
        "losses": losses,
        "probe_steps": probes,
        "sharpness": np.full(10, 2.1 / LR),
        "curvature": np.full(10, bowl_curvature(bowl) * 2 / LR),
        "gradient_norms": np.ones(10),
        "slice_steps": STEPS,
        "slices": np.tile(1 + unit * bowl(STEPS - 0.5), (10, 1)),
    }
    return Recording(arrays | changed, {"network": "VGG11, 1000 parameters, random"})


def bowl_curvature(bowl, h=0.25):
    return (bowl(np.array(-0.5 - h)) - 2 * bowl(np.array(-0.5)) + bowl(np.array(h - 0.5))) / h**2


def test_the_units_are_those_of_descent():
    found = lines(run_on(parabola))
    assert found["minimum"] == pytest.approx(np.full(10, 0.5))
    assert found["curvature"] == pytest.approx(np.ones(10))
    assert found.step_curvature == pytest.approx(np.ones(10))
    assert found.second_differences == pytest.approx(np.ones((10, 19)))
    assert found["drops"].shape == found["exponents"].shape == (10, 2)


def test_a_step_feels_more_than_the_edge_exactly_if_it_raises_the_loss():
    assert (lines(run_on(lambda s: parabola(s) + 0.02 * (s + 0.5) ** 3)).step_curvature > 1).all()
    assert (lines(run_on(lambda s: parabola(s) - 0.02 * (s + 0.5) ** 3)).step_curvature < 1).all()


def test_what_a_step_feels_is_an_average_of_the_curvature_with_falling_weights():
    found = lines(run_on(lambda s: parabola(s) + 0.02 * (s + 0.5) ** 3))
    t = np.linspace(0, 1, 10001)
    average = np.trapezoid(2 * (1 - t) * (1 + 0.12 * t), t)  # the bowl's second derivative
    assert found.step_curvature == pytest.approx(np.full(10, average), rel=1e-4)


def test_a_line_without_a_valley_has_no_numbers_and_spoils_no_other():
    run = run_on(slower)
    slices = run["slices"].astype(np.float32)
    slices[0] = 1 - 0.1 * STEPS  # straight
    found = lines(Recording(run.arrays | {"slices": slices}, {}))
    assert np.isnan(found["minimum"][0])
    assert np.isfinite(found["minimum"][1:]).all()


def test_the_second_half_is_late():
    assert late(run_on(slower)).tolist() == [False] * 5 + [True] * 5


def test_what_oscillates_has_the_bottom_less_than_a_step_ahead():
    assert oscillating(run_on(slower)).all()
    slices = run_on(slower)["slices"].copy()
    slices[0] = 1 + 0.1 * parabola(STEPS - 1.1)  # a step does not get across
    slices[1] = 1 - 0.1 * STEPS  # there is no bottom
    assert oscillating(run_on(slower, slices=slices)).tolist() == [False] * 2 + [True] * 8


def test_the_spectrum_knows_how_many_eigenvalues_there_are():
    run = run_on(slower, density_nodes=np.array([[1.0, 5.0]]), density_weights=np.ones((1, 2)) / 2)
    assert spectrum(run).dimension == 1000
    assert spectrum(run).share(2.0) == 0.5


@pytest.mark.parametrize(
    ("measure", "bowl", "changed", "verdict"),
    [
        (claims.oscillates, slower, {"losses": np.linspace(1, 0.99, 101)}, UNSEEN),
        (claims.oscillates, lambda s: slower(s + 0.3), {}, UNSEEN),
        (claims.convex, not_convex, {}, RESERVED),
        (claims.convex, lambda s: -parabola(s), {}, UNSEEN),
        (claims.subquadratic, one_sided, {}, RESERVED),
        (claims.subquadratic, faster, {}, UNSEEN),
        (claims.explains, one_sided, {}, RESERVED),
        (claims.explains, faster, {}, UNSEEN),
        (claims.bounded, slower, {"sharpness": np.full(10, 0.9 / LR)}, UNSEEN),
        (claims.bounded, slower, {"losses": np.geomspace(1, 1e3, 101)}, UNSEEN),
        (claims.small_region, parabola, {}, UNSEEN),
    ],
)
def test_what_the_lines_are_decides_the_verdict(measure, bowl, changed, verdict):
    number, held = measure(run_on(slower))
    other, broken = measure(run_on(bowl, **changed))
    assert (held, broken) == (HOLDS, verdict)
    assert other != number


def test_every_network_counts_but_the_one_beside():
    runs = {"first": run_on(slower), claims.PLAIN: run_on(faster)}
    claim = dataclasses.replace(claims.subquadratic, runs=lambda: runs)
    _, number, verdict = measured(claim)
    assert verdict == HOLDS
    assert all(sign in number for sign in ("first ✓", f"{claims.PLAIN} ○"))
    runs["third"] = run_on(faster)
    assert measured(claim).verdict == RESERVED
    del runs["first"]
    assert measured(claim).verdict == UNSEEN


def test_the_vgg11_with_batchnorm_comes_first_with_all_of_its_seeds():
    names = [*settings()]
    wider = [
        f"width {width}, 1000 images, seed {i}" for width, i in ((0.25, 0), (0.25, 1), (0.5, 0))
    ]
    seeds = [*(f"seed {i}" for i in range(3)), *wider]
    assert names[:6] == [f"VGG11 with BatchNorm, {seed}" for seed in seeds]
    assert names[6] == claims.PLAIN
    assert {width: len(runs) for width, runs in ladder().items()} == {"1/8": 3, "1/4": 2, "1/2": 1}


def test_slower_than_a_parabola_is_below_it_at_the_end_of_the_range():
    assert lines(run_on(slower)).is_subquadratic.all()
    assert lines(run_on(one_sided)).is_subquadratic.tolist() == [[False, True]] * 10
    assert not lines(run_on(faster)).is_subquadratic.any()

    def falls_and_rises_again(s):  # slower at first, and above the parabola in the end
        return np.where(abs(s) < 1, slower(s), slower(s) + 0.5 * (abs(s) - 1) ** 4)

    assert not lines(run_on(falls_and_rises_again)).is_subquadratic.any()
