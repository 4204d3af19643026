"""Critical and batch sharpness against what they are on functions known in closed form."""

from math import inf, isnan

import numpy as np
import pytest
from cases import LOSSES
from scipy import stats

from mslbook import loss as losses
from mslbook.losses import Quadratic, Ridge, Sum, f1, two_valleys
from mslbook.probes import batch_sharpness, critical_sharpness, sharpness

BOWL = losses.QuadraticModel(two_valleys, [0.0, 0.0])  # of curvatures 25 and 1


@pytest.mark.parametrize("start", [None, 1e-3, 20.0, 24.9, 25.1, 1e4])
def test_on_a_quadratic_it_is_the_curvature_along_the_gradient(start):
    answer = critical_sharpness(BOWL, [1.0, 0.0], start=start, rtol=1e-6)
    assert answer.low <= 25 * (1 + 1e-9)
    assert answer.high >= 25 * (1 - 1e-9)
    assert answer.low < answer.value < answer.high <= answer.low * (1 + 1e-6)


def test_it_is_at_most_the_sharpness():
    values = [critical_sharpness(BOWL, [x, 1.0], rtol=1e-6).value for x in (0.0, 0.01, 0.1, 1.0)]
    assert values == sorted(values)
    assert values[0] == pytest.approx(1)
    assert values[-1] < sharpness(BOWL, [1.0, 1.0]).values[0]


def test_a_good_start_costs_few_values_and_all_are_counted(monkeypatch):
    calls = []
    value = type(BOWL).value
    monkeypatch.setattr(type(BOWL), "value", lambda *args: calls.append(args) or value(*args))
    answer = critical_sharpness(BOWL, [1.0, 0.0], start=27.0)
    assert 5 <= answer.count == len(calls) <= 8
    assert answer.value == pytest.approx(25, rel=0.05)


def test_it_is_where_the_loss_is_as_at_theta_in_any_direction():
    answer = critical_sharpness(f1, 1.0, direction=-3.0, rtol=1e-9)
    assert f1.value(1.0 - 3.0 * 2 / answer.value) == pytest.approx(f1.value(1.0))
    assert 2 / answer.value == pytest.approx(2 / 3)


def test_it_is_the_step_at_which_preconditioned_descent_rises():
    theta, P = np.array([0.3, -0.2]), np.array([4.0, 0.5])
    value = critical_sharpness(BOWL, theta, preconditioner=P, rtol=1e-9).value
    step = BOWL.grad(theta) / P
    assert value == pytest.approx(step @ BOWL.hvp(theta, step) / (step @ BOWL.grad(theta)))
    assert value < sharpness(BOWL, theta, preconditioner=P).values[0]


def test_a_loss_that_never_rises_has_none_and_one_that_rises_at_once_infinite():
    never = critical_sharpness(Quadratic(-1.0), 1.0)
    assert (never.value, never.low) == (0, 0)
    at_once = critical_sharpness(Quadratic(-1.0), 0.0, direction=1.0, start=3.0)
    assert at_once.value == 0
    uphill = critical_sharpness(Quadratic(1.0), 0.0, direction=1.0, start=3.0)
    assert (uphill.value, uphill.high) == (inf, inf)


def test_where_there_is_no_gradient_there_is_no_answer():
    assert np.isnan(critical_sharpness(Quadratic(2.0), 0.0).value)


@pytest.mark.parametrize("wrong", [-1.0, 0.0, np.nan])
def test_only_a_positive_preconditioner_and_tolerance_are_taken(wrong):
    for probe in (
        critical_sharpness,
        lambda loss, *some, **more: batch_sharpness([loss], *some, **more),
    ):
        with pytest.raises(ValueError, match="a positive, finite number"):
            probe(Quadratic(2.0), 1.0, preconditioner=wrong)
    with pytest.raises(ValueError, match="rtol must be positive"):
        critical_sharpness(Quadratic(2.0), 1.0, rtol=wrong)


def test_it_takes_only_what_is_finite():
    with np.errstate(all="ignore"), pytest.raises(FloatingPointError, match="not finite"):
        critical_sharpness(Quadratic(), 1e300)
    with pytest.raises(ValueError, match="start must be positive and finite"):
        critical_sharpness(f1, 1.0, start=0.0)


@pytest.mark.parametrize("name", LOSSES)
def test_every_loss_has_both(name):
    loss = LOSSES[name]
    theta = 0.2 if loss.dimension is None else np.linspace(0.1, 0.3, loss.dimension)
    grad, answer = loss.grad(theta), batch_sharpness([loss], theta)
    assert answer.count == 1
    assert answer.value * (grad * grad).sum() == pytest.approx((grad * loss.hvp(theta, grad)).sum())
    assert critical_sharpness(loss, theta).value >= 0


BATCHES = [Sum((Ridge(Quadratic(a), (1.0, 0.5)), Ridge(f1, (b, 1.0)))) for a, b in
           [(1.0, 0.2), (2.0, -1.0), (4.0, 0.7), (0.5, 0.1)]]  # fmt: skip
THETA = np.array([0.4, -0.3])


def directional(loss, P=1.0):
    step = loss.grad(THETA) / P
    return step @ loss.hvp(THETA, step) / (step @ loss.grad(THETA))


@pytest.mark.parametrize("P", [None, np.array([3.0, 0.2])])
def test_batch_sharpness_has_the_interval_of_student(P):
    values = [directional(loss, 1.0 if P is None else P) for loss in BATCHES]
    answer = batch_sharpness(iter(BATCHES), THETA, preconditioner=P)
    low, high = stats.t.interval(0.95, 3, np.mean(values), stats.sem(values))
    assert answer[:3] == pytest.approx((np.mean(values), low, high))
    assert answer.count == 4


def test_its_interval_holds_the_mean_19_times_of_20():
    rng, held = np.random.default_rng(0), 0
    for _ in range(1000):
        curvatures = 2 + rng.standard_normal(5)
        answer = batch_sharpness([Quadratic(c) for c in curvatures], 1.0)
        held += answer.low <= 2 <= answer.high
    assert 930 <= held <= 970


def test_one_batch_has_no_interval_and_one_without_gradient_does_not_count():
    alone = batch_sharpness([Quadratic(3.0)], 1.0)
    assert (alone.value, alone.count) == (3, 1)
    assert isnan(alone.low)
    assert isnan(alone.high)
    flat = Quadratic(0.0)
    assert batch_sharpness([Quadratic(3.0), flat], 1.0).count == 1
    assert isnan(batch_sharpness([Quadratic()], 0.0).value)


def test_tensors_give_the_same(torch):
    theta = torch.tensor(THETA)
    assert batch_sharpness(BATCHES, theta) == pytest.approx(batch_sharpness(BATCHES, THETA))
    loss = BATCHES[0]
    assert critical_sharpness(loss, theta) == pytest.approx(critical_sharpness(loss, THETA))
