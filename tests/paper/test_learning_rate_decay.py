"""The ledger of section 2.2: what is recorded, and what a quadratic does, decides the verdicts."""

import numpy as np
import pytest

from mslbook.losses import Quadratic, Ridge, Sum
from mslbook.paper.learning_rate_decay import claims
from mslbook.paper.ledger import FAILS, HOLDS, RESERVED
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


def growing(array):
    """Accuracies that grow evenly through every decay."""
    return np.broadcast_to(np.linspace(0, 0.5, array.shape[-1]), array.shape)


def flat_before(array):
    """Accuracies without growth before any decay, and with one step up at each of them."""
    epochs = np.linspace(0, 700, array.shape[-1])
    steps = [0.1 + 0.2 * (epochs > at) for at in (250, 500, 700)]
    return np.broadcast_to(np.array(steps), array.shape)


def falling(array):
    """Losses with the same slope before and after the decays."""
    return np.broadcast_to(np.linspace(1, 0, array.shape[-1]), array.shape)


def never_above_all(array):
    return with_branch(array, NEVER, 2 * array.max())


def check_tampered(monkeypatch, source, measure, name, tampered, verdicts):
    """Before and after an array of the recording that `source` gives is tampered with."""
    run = getattr(claims, source)()
    number, verdict = measure()
    other = Recording(run.arrays | {name: tampered(run[name])}, run.provenance)
    monkeypatch.setattr(claims, source, lambda: other)
    broken_number, broken_verdict = measure()
    assert (verdict, broken_verdict) == verdicts
    assert broken_number != number


@pytest.mark.parametrize(
    ("measure", "name", "tampered", "verdicts"),
    [
        (claims.too_early, "test_accuracy", swap_early_and_late, (RESERVED, FAILS)),
        (claims.lower_loss, "train_losses", never_above_all, (RESERVED, HOLDS)),
        (claims.lower_loss, "batch_losses", swap_late_and_never, (RESERVED, FAILS)),
        (claims.later_is_better, "test_accuracy", swap_early_and_late, (HOLDS, FAILS)),
        (claims.nearly_stable, "test_accuracy", growing, (RESERVED, FAILS)),
        (claims.nearly_stable, "test_accuracy", flat_before, (RESERVED, HOLDS)),
        (claims.slow_after, "batch_losses", falling, (HOLDS, FAILS)),
        (claims.beyond_quadratics, "batch_losses", falling, (RESERVED, FAILS)),
    ],
)
def test_the_recorded_run_decides_the_verdict(monkeypatch, measure, name, tampered, verdicts):
    check_tampered(monkeypatch, "recorded_run", measure, name, tampered, verdicts)


@pytest.mark.parametrize(
    ("measure", "name", "tampered", "verdicts"),
    [
        (claims.too_early, "test_accuracy", np.zeros_like, (RESERVED, HOLDS)),
        (claims.more_epochs, "train_losses", np.zeros_like, (HOLDS, FAILS)),
        (claims.elsewhere, "test_losses", np.zeros_like, (RESERVED, FAILS)),
        (claims.elsewhere, "test_losses", np.ones_like, (RESERVED, HOLDS)),
    ],
)
def test_the_early_run_that_goes_on_decides_the_verdict(
    monkeypatch, measure, name, tampered, verdicts
):
    check_tampered(monkeypatch, "run_on", measure, name, tampered, verdicts)


def test_a_decay_that_gains_nothing_on_the_test_pictures_benefits_nothing(decides):
    run = claims.recorded_run()
    same = run.arrays | {"test_accuracy": swap_late_and_never(run["test_accuracy"])}
    other = Recording(same, run.provenance)
    decides(claims.proper_time, lambda patch: patch.setattr(claims, "recorded_run", lambda: other))


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
