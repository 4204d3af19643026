"""The ledger of section 2.2: what is recorded, and what a quadratic does, decides the verdicts."""

import numpy as np
import pytest

from mslbook.losses import Quadratic, Ridge, Sum
from mslbook.paper.learning_rate_decay import claims
from mslbook.paper.ledger import HOLDS, RESERVED, UNSEEN, measured
from mslbook.paper.recording import Recording

EARLY, LATE, NEVER = claims.EARLY, claims.LATE, claims.NEVER


def exchanged(array, one, other):
    """A copy in which two branches (the second axis) have changed places."""
    copy = array.copy()
    copy[:, [one, other]] = array[:, [other, one]]
    return copy


def with_branch(array, branch, values):
    """A copy with other values in one of the branches."""
    copy = array.copy()
    copy[:, branch] = values
    return copy


def swap_early_and_late(array):
    return exchanged(array, EARLY, LATE)


def swap_late_and_never(array):
    return exchanged(array, LATE, NEVER)


def falling(array):
    """Losses with the same slope before and after the decays."""
    return np.broadcast_to(np.linspace(1, 0, array.shape[-1]), array.shape)


def never_above_all(array):
    return with_branch(array, NEVER, 2 * array.max())


def tampered_with(run, name, tampered):
    return Recording(run.arrays | {name: tampered(run[name])}, run.provenance)


@pytest.mark.parametrize(
    ("measure", "name", "tampered", "verdicts"),
    [
        (claims.lower_loss, "train_losses", never_above_all, (RESERVED, HOLDS)),
        (claims.lower_loss, "batch_losses", swap_late_and_never, (RESERVED, UNSEEN)),
        (claims.later_is_better, "test_accuracy", swap_early_and_late, (HOLDS, UNSEEN)),
        (claims.proper_time, "test_accuracy", swap_late_and_never, (HOLDS, UNSEEN)),
        (claims.slow_after, "batch_losses", falling, (HOLDS, UNSEEN)),
    ],
)
def test_a_recorded_run_decides_the_verdict(measure, name, tampered, verdicts):
    run = claims.recorded_run()
    number, verdict = measure(run)
    broken_number, broken_verdict = measure(tampered_with(run, name, tampered))
    assert (verdict, broken_verdict) == verdicts
    assert broken_number != number


def test_settings_in_which_the_time_of_the_decay_is_all_the_same_count():
    for row in (claims.later_is_better, claims.proper_time):
        found = measured(row)
        assert found.verdict == RESERVED
        assert found.number.count("○") == 2


@pytest.mark.parametrize(
    ("source", "measure", "name", "tampered", "verdicts"),
    [
        ("recorded_run", claims.beyond_quadratics, "batch_losses", falling, (RESERVED, UNSEEN)),
        ("run_on", claims.equal_time, "test_accuracy", np.zeros_like, (UNSEEN, HOLDS)),
        ("run_on", claims.more_epochs, "train_losses", np.zeros_like, (HOLDS, UNSEEN)),
        ("run_on", claims.elsewhere, "test_losses", np.zeros_like, (RESERVED, UNSEEN)),
        ("run_on", claims.elsewhere, "test_losses", np.ones_like, (RESERVED, HOLDS)),
    ],
)
def test_the_full_batch_decides_the_verdict(monkeypatch, source, measure, name, tampered, verdicts):
    number, verdict = measure()
    other = tampered_with(getattr(claims, source)(), name, tampered)
    monkeypatch.setattr(claims, source, lambda: other)
    broken_number, broken_verdict = measure()
    assert (verdict, broken_verdict) == verdicts
    assert broken_number != number


def other_bowl(*curvatures):
    axes = np.eye(3)[: len(curvatures)]
    return Sum(Ridge(Quadratic(c), p) for c, p in zip(curvatures, axes, strict=True))


def test_what_has_not_arrived_is_not_the_same_solution(decides):
    def tilt(patch):
        patch.setattr(claims, "BOWL", other_bowl(1.0, 0.02, 1e-4))

    decides(claims.same_end, tilt)


def test_a_bowl_that_is_alike_everywhere_is_reached_before_any_decay(decides):
    def round_bowl(patch):
        patch.setattr(claims, "BOWL", other_bowl(1.0, 0.9))

    decides(claims.slower, round_bowl)


def test_away_from_the_edge_a_decay_only_slows_down(monkeypatch):
    """The reservation is about rates next to 2/λ: with less curvature, 1.999 is not."""
    monkeypatch.setattr(claims, "BOWL", other_bowl(0.9, 0.02))
    assert claims.slower()[1] == HOLDS


def test_on_a_quadratic_the_late_decay_is_ahead_too(decides):
    def reverse(patch):
        ahead = claims.bowl
        turned = {250: 500, 500: 250}
        patch.setattr(
            claims,
            "bowl",
            lambda rates, steps: ahead({turned.get(at, at): r for at, r in rates.items()}, steps),
        )

    decides(claims.beyond_quadratics, reverse)
