"""The ledger of section 3.2: what is recorded decides the verdicts."""

import dataclasses

import numpy as np
import pytest

from mslbook.paper.ledger import measured
from mslbook.paper.network_scales import claims
from mslbook.paper.recording import Recording

OUT = np.geomspace(1e-3, 10, 81)
DISTANCES = np.concatenate([-OUT[::-1], [0.0], OUT])
SINGLE = DISTANCES**2 / 2
SMALL = 50 * DISTANCES**2
WELL_IN_A_WELL = SINGLE + SMALL / (1 + SMALL)
NINEFOLD = SINGLE + 4 * DISTANCES**2 / (1 + 4 * DISTANCES**2)
CONTINUUM = np.sqrt(1 + 1e4 * DISTANCES**2)


def lines(losses):
    """A recording of wide lines, all of them the same."""
    arrays = {"distances": DISTANCES, "descent": np.tile(losses, (3, 1))}
    arrays |= {name: np.tile(losses, (3, 2, 1)) for name in ("random", "filtered")}
    arrays["values"] = np.zeros(3)
    return Recording(arrays, {})


def paths(directions, undecayed=(0.0, 0.0, 0.0, 1.0)):
    """A recording of paths whose trunk and branches have these leading directions (4, 4)."""
    from mslbook.probes import orthogonalise

    directions = np.array(directions, dtype=float)
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    axes = orthogonalise(directions[[0, 1, 3]])
    way = np.array(undecayed) @ axes.T
    late = np.linspace(0, 1, 5)[:, None] * way  # leaves the first decay, at step 0
    arrays = {
        "decays": np.array([0, 1, 4]),
        "projections": np.stack([late] * 3),
        "away": np.stack([np.linalg.norm(late, axis=1)] * 3),
        "moves": np.full((3, 4), np.linalg.norm(way) / 4),
        "cosines": directions @ directions.T,
    }
    return Recording(arrays, {})


APART = np.eye(4)
ALIKE = np.eye(4) + [10, 0, 0, 0]


@pytest.mark.parametrize(
    "measure", [claims.along_the_gradient, claims.along_random_directions, claims.non_convex]
)
def test_the_lines_decide_whether_there_is_a_well_in_a_well(measure):
    number, verdict = measure(lines(WELL_IN_A_WELL))
    broken = measure(lines(SINGLE))
    assert (verdict, broken[1]) == (claims.HOLDS, claims.UNSEEN)
    assert number != broken[0]


def cut(losses, reach):
    """The answer of `curvature_profile` for a line that ends at the distance `reach`."""
    seen = np.abs(DISTANCES) <= reach
    return claims.curvature_profile(DISTANCES[seen], losses[seen])


@pytest.mark.parametrize(
    ("losses", "reach", "expected"),
    [
        (WELL_IN_A_WELL, 10, True),
        (WELL_IN_A_WELL, 2, False),  # C still falls there
        (WELL_IN_A_WELL, 0.5, False),  # a well, and what is around it not yet in sight
        (NINEFOLD, 10, False),  # a well in a well, but not so much sharper
        (SINGLE, 10, False),
        (CONTINUUM, 10, False),  # C falls and falls
        (WELL_IN_A_WELL + (DISTANCES / 2) ** 18, 10, False),  # walls, no second plateau
    ],
)
def test_a_well_in_a_well_is_a_fall_between_two_plateaus(losses, reach, expected):
    assert claims.well_in_a_well(cut(losses, reach)) == expected


def test_a_well_in_a_well_on_some_lines_only_is_a_reservation():
    mixed = lines(WELL_IN_A_WELL)
    mixed.arrays["descent"][1] = SINGLE
    assert claims.along_the_gradient(mixed)[1] == claims.RESERVED


def test_of_an_ablation_the_end_alone_is_a_point():
    run = lines(WELL_IN_A_WELL)
    arrays = {name: run[name][-1] for name in ("descent", "random", "filtered", "values")}
    ablation = Recording(run.arrays | arrays, {})
    assert len(claims.recorded_lines(ablation, "descent", "random")) == 3
    assert len(claims.recorded_lines(run, "descent", "random")) == 6


@pytest.mark.parametrize(
    "measure",
    [claims.before_and_after, claims.different_decays, claims.fine_structure],
)
def test_the_angles_decide_whether_directions_differ(measure):
    assert measure(paths(APART))[1] == claims.HOLDS
    assert measure(paths(ALIKE, undecayed=(1, 0.1, 0, 0)))[1] == claims.UNSEEN


def test_the_angles_are_asked_in_all_settings():
    runs = {"one": paths(ALIKE), "other": paths(APART)}
    claim = dataclasses.replace(claims.before_and_after, runs=lambda: runs)
    _, number, verdict = measured(claim)
    assert verdict == claims.RESERVED
    assert "one ○ 6°" in number
    assert "other ✓ 90°" in number


def test_recorded_axes_give_back_the_directions():
    found = claims.leading(paths(ALIKE))
    directions = ALIKE / np.linalg.norm(ALIKE, axis=1, keepdims=True)
    some = [0, 1, 3]
    np.testing.assert_allclose(found[some] @ found[some].T, directions[some] @ directions[some].T)


def test_the_undecayed_way_is_compared_with_the_first_branch():
    """Steps of one size straight on: halfway between the last two points is the same way."""
    for degrees in (0, 30, 80):
        angle = np.radians(degrees)
        way = (0.0, np.cos(angle), 0.0, np.sin(angle))
        run = paths(APART, way)
        assert claims.horizons(run) == [4, 2, 1]
        for steps in claims.horizons(run):
            assert claims.without_decay(run, steps) == pytest.approx(np.cos(angle))


@pytest.mark.parametrize("kinks", [0.0, 1e-4])
def test_convex_lines_may_have_kinks_but_no_rim(kinks):
    rough = SINGLE + kinks * np.abs(np.sin(DISTANCES)) * DISTANCES**2
    assert claims.convex(DISTANCES, rough, 0.1)
    assert not claims.convex(DISTANCES, WELL_IN_A_WELL, 0.1)
