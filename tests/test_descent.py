import tracemalloc
from itertools import islice, product
from threading import current_thread, main_thread

import numpy as np
import pytest

from mslbook.descent import BLOCK, decays, descend, iterate
from mslbook.losses import (
    F2,
    Quadratic,
    Radial,
    Ridge,
    Scaled,
    Sum,
    f1,
    f2,
    f3,
    two_valleys,
    valley,
)
from mslbook.optimizers import Adam, GradientDescent, Momentum
from mslbook.theory import stable_lr, two_cycle


class Quartic:
    """x⁴/4: descent from far away leaves the floating-point range within a few steps."""

    dimension = None

    def value(self, x):
        return x**4 / 4

    def grad(self, x):
        return x**3


def by_hand(loss, x, lr, steps):
    points = [np.asarray(x, dtype=float)]
    for step in range(steps):
        rate = lr(step) if callable(lr) else lr
        points.append(points[-1] - rate * loss.grad(points[-1]))
    return np.array(points)


# --- one trajectory ---


@pytest.mark.parametrize(
    ("loss", "start", "lr"),
    [
        (f1, -5.0, decays({0: 5, 100: 3, 150: 1})),
        (f2, -5.0, decays({0: 2, 30: 0.5, 60: 0.2})),
        (f3, (-3.0, 3.0), decays({0: 1, 20: 0.3, 40: 0.1})),
        (valley, (1.0, 1.0), 3.0),
        (two_valleys, (-20.0, 3.0), lambda step: 2.5 / (1 + step)),
    ],
)
def test_the_path_is_that_of_the_loop_written_by_hand(loss, start, lr):
    path = descend(loss, start, lr, steps=200)
    points = by_hand(loss, start, lr, 200)
    np.testing.assert_array_equal(path.points, points)
    np.testing.assert_array_equal(path.values, [loss.value(x) for x in points])
    np.testing.assert_array_equal(path.steps, np.arange(201))
    assert path.diverged_at.shape == ()
    assert path.diverged_at == -1


def test_figure_5_1_reaches_the_small_valley_at_iteration_466():
    x1 = descend(two_valleys, start=(-20.0, 3.0), lr=2.5, steps=750).points[:, 0]
    assert np.flatnonzero(x1 > -4)[0] == 466
    assert np.all(x1[466:] > -4)


def test_figure_5_1_decays_later_and_ends_lower():
    ends = []
    for step in (650, 700, 750):
        path = descend(two_valleys, (-20.0, 3.0), decays({0: 2.5, step: 0.25}), steps=step + 500)
        ends.append(path.values[-1])
    assert ends[0] > ends[1] > 2 * ends[2] > 0


def test_figure_4_1_steps_down_from_cycle_to_cycle():
    path = descend(f1, start=-5.0, lr=decays({0: 5, 100: 3, 150: 1}), steps=200)
    np.testing.assert_allclose(np.abs(path.points[98:101]), two_cycle(f1, 5.0), rtol=1e-6)
    np.testing.assert_allclose(np.abs(path.points[148:151]), two_cycle(f1, 3.0), rtol=1e-6)
    np.testing.assert_allclose(path.points[160:], 0, atol=1e-9)


def test_a_decay_begins_with_the_update_after_its_step():
    path = descend(Quadratic(), 1.0, decays({0: 0.5, 3: 0.25}), steps=5)
    np.testing.assert_array_equal(path.points, [1, 0.5, 0.25, 0.125, 0.09375, 0.0703125])


def test_no_steps_at_all():
    path = descend(f3, (1, 2), lr=1.0, steps=0)
    np.testing.assert_array_equal(path.points, [[1.0, 2.0]])
    assert path.values == f3.value((1, 2))


def test_integers_become_floating_point():
    assert descend(f1, -5, 1, 3).points.dtype == np.float64


def test_tensors_of_integers_become_floating_point(torch):
    assert descend(f1, torch.tensor([1, 2]), 1, 3).points.dtype == torch.get_default_dtype()


# --- sweeps ---


@pytest.mark.parametrize(
    ("loss", "starts", "rates"),
    [
        (f1, [-5.0, 0.1, 3.0], [0.5, 2.5, 8.0]),
        (two_valleys, [[-20.0, 3.0], [1.0, 2.0], [-3.0, 0.5]], [0.05, 0.25, 2.5]),
    ],
)
def test_a_sweep_is_a_loop_over_single_trajectories(loss, starts, rates):
    starts, rates = np.array(starts), np.array(rates)
    column = rates if loss.dimension is None else rates[:, None]
    cases = {
        "starts": (descend(loss, starts, 1.0, 50), [(x, 1.0) for x in starts]),
        "rates": (descend(loss, starts[0], column, 50), [(starts[0], r) for r in rates]),
        "pairs": (descend(loss, starts, column, 50), list(zip(starts, rates, strict=True))),
        "schedule": (descend(loss, starts, decays({0: 1, 9: 0.1}), 50), None),
    }
    for name, (sweep, singles) in cases.items():
        singles = singles or [(x, decays({0: 1, 9: 0.1})) for x in starts]
        assert sweep.points.shape == (51, *starts.shape), name
        assert sweep.values.shape == (51, 3), name
        for i, (x, lr) in enumerate(singles):
            single = descend(loss, x, lr, 50)
            np.testing.assert_allclose(sweep.points[:, i], single.points, rtol=1e-9, atol=1e-12)
            np.testing.assert_allclose(sweep.values[:, i], single.values, rtol=1e-9, atol=1e-12)


def test_starts_and_rates_span_a_grid():
    starts, rates = np.linspace(-5, 5, 4), np.array([[1.0], [2.5], [5.0]])
    path = descend(f1, starts, rates, steps=20)
    assert path.points.shape == (21, 3, 4)
    corner = by_hand(f1, starts[3], rates[2, 0], 20)
    np.testing.assert_allclose(path.points[:, 2, 3], corner, rtol=1e-9)
    grid = descend(f3, np.ones((4, 2)), rates[:, None], steps=5)
    assert (grid.points.shape, grid.values.shape) == ((6, 3, 4, 2), (6, 3, 4))


def test_every_keeps_the_start_and_the_multiples():
    full, thin = descend(f3, (-3, 3), 1.0, 60), descend(f3, (-3, 3), 1.0, 60, every=20)
    np.testing.assert_array_equal(thin.steps, [0, 20, 40, 60])
    np.testing.assert_array_equal(thin.points, full.points[::20])
    np.testing.assert_array_equal(thin.values, full.values[::20])


def test_the_last_rows_alone_may_be_kept():
    full, end = descend(f3, (-3, 3), 1.0, 60), descend(f3, (-3, 3), 1.0, 60, last=20)
    np.testing.assert_array_equal(end.steps, np.arange(41, 61))
    np.testing.assert_array_equal(end.points, full.points[41:])
    np.testing.assert_array_equal(end.values, full.values[41:])
    thin = descend(f3, (-3, 3), 1.0, 60, every=20, last=2)
    np.testing.assert_array_equal(thin.steps, [40, 60])
    assert len(descend(f3, (-3, 3), 1.0, 60, last=100).points) == 61


@pytest.mark.parametrize("optimizer", [GradientDescent(2.5), Momentum(0.5, 0.9), Adam(0.1)])
@pytest.mark.parametrize("loss", [f1, f2, two_valleys])
def test_a_sweep_in_blocks_is_one_of_single_blocks(loss, optimizer):
    """To the last bit, also where it has several axes, and on tensors."""
    count, core = 3 * BLOCK // 2, () if loss.dimension is None else (2,)
    starts = np.random.default_rng(0).normal(scale=5, size=(2, count // 2, *core))
    path = descend(loss, starts, steps=12, every=3, last=3, optimizer=optimizer)
    assert path.points.shape == (3, *starts.shape)
    assert path.values.shape == (3, 2, count // 2)
    for part in (slice(0, 5), slice(-5, None)):
        few = descend(loss, starts[:, part], steps=12, every=3, optimizer=optimizer)
        np.testing.assert_array_equal(path.points[:, :, part], few.points[2:])
        np.testing.assert_array_equal(path.values[:, :, part], few.values[2:])
        np.testing.assert_array_equal(few.values, loss.value(few.points))


def test_a_sweep_in_blocks_has_a_rate_for_each_trajectory():
    starts, rates = np.linspace(-5, 5, BLOCK), np.array([[1.0], [2.5]])
    path = descend(f1, starts, rates, steps=9, last=1)
    for row, rate in enumerate(rates[:, 0]):
        np.testing.assert_array_equal(path.points[:, row], descend(f1, starts, rate, 9).points[-1:])


def test_tensors_in_blocks_are_arrays_in_blocks(torch):
    starts = np.random.default_rng(0).normal(scale=5, size=(BLOCK, 2))
    ours = descend(two_valleys, starts, 2.5, 6, last=2)
    theirs = descend(two_valleys, torch.from_numpy(starts), 2.5, 6, last=2)
    np.testing.assert_allclose(theirs.points, ours.points, rtol=1e-9, atol=1e-12)


def test_only_what_may_run_on_several_threads_does(monkeypatch):
    """A user's loss is evaluated by the calling thread alone, wherever in a loss it stands."""

    class Here(Quadratic):
        reentrant = False

        def _value_and_grad(self, xp, x):
            assert current_thread() is main_thread()
            return super()._value_and_grad(xp, x)

    starts = np.ones(2 * BLOCK)
    for loss in (Here(), Sum((f1, Here())), Scaled(2.0, Sum((Here(),)))):
        assert not loss.reentrant
        assert descend(loss, starts, 0.1, 3).points.shape == (4, 2 * BLOCK)
    assert two_valleys.reentrant


def test_the_step_of_divergence_is_found_between_rows_and_in_every_block():
    starts = np.resize([0.5, 10.0, 20.0, 1.0, -20.0], 2 * BLOCK)
    every = descend(Quartic(), starts[:5], 0.5, steps=100)
    for rows in ({"every": 100}, {"last": 1}, {"every": 50}):
        path = descend(Quartic(), starts, 0.5, steps=100, **rows)
        np.testing.assert_array_equal(path.diverged_at, np.resize(every.diverged_at, 2 * BLOCK))
        np.testing.assert_array_equal(path.points[-1], np.resize(every.points[-1], 2 * BLOCK))
        np.testing.assert_array_equal(path.values[-1], np.resize(every.values[-1], 2 * BLOCK))


def test_rows_that_are_not_kept_take_no_memory():
    def peak(steps):
        tracemalloc.start()
        descend(f1, starts, 2.5, steps, last=2)
        size = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return size

    starts = np.linspace(-5, 5, 4 * BLOCK)
    assert peak(100) < 1.1 * peak(2) + 100_000


def test_a_sweep_that_does_not_fit_in_memory_says_what_to_lower(torch):
    for start in (np.ones(1000), torch.ones(1000)):
        with pytest.raises(MemoryError, match="keep fewer, by a larger every= or by last="):
            descend(f1, start, 1.0, 10**13)


def test_losses_are_computed_where_a_row_is_kept_alone():
    class Counting(Quadratic):
        values = 0

        def value_and_grad(self, x):
            type(self).values += 1
            return super().value_and_grad(x)

    descend(Counting(), 1.0, 0.1, steps=1000, last=3)
    assert Counting.values == 4  # and at the start


def test_a_sweep_of_a_million():
    starts = np.linspace(-10, 10, 1_000_000)
    path = descend(f1, starts, 5.0, steps=4, every=4)
    assert path.points.shape == (2, 1_000_000)
    some = slice(None, None, 250_001)
    np.testing.assert_allclose(path.points[-1, some], by_hand(f1, starts[some], 5.0, 4)[-1])


# --- in kind ---


@pytest.mark.parametrize("precision", ["float32", "float64"])
@pytest.mark.parametrize("lr", [0.1, [[0.1], [0.2]], np.array([[0.1], [0.2]]), decays({0: 0.1})])
def test_torch_starts_give_torch_paths(precision, lr, torch):
    dtype = getattr(torch, precision)
    start = torch.tensor([[1.0, 2.0], [-3.0, 3.0]], dtype=dtype, requires_grad=True)
    path = descend(f3, start, lr, steps=10)
    assert path.points.dtype == path.values.dtype == dtype
    assert not path.points.requires_grad
    assert path.diverged_at.tolist() == [-1, -1]
    same = descend(f3, start.detach().numpy(), lr, steps=10)
    assert same.points.dtype == np.dtype(precision)
    np.testing.assert_allclose(path.points, same.points, rtol=1e-4)


@pytest.mark.gpu
def test_a_sweep_on_the_gpu(cuda, torch):
    starts = np.random.default_rng(0).normal(size=(1000, 2)) * 5
    rates = np.linspace(0.05, 2.5, 1000)[:, None]
    path = descend(two_valleys, torch.from_numpy(starts).cuda(), rates, steps=30)
    assert {path.points.device.type, path.diverged_at.device.type} == {"cuda"}
    points = descend(two_valleys, starts, rates, steps=30).points
    np.testing.assert_allclose(path.points.cpu(), points, rtol=1e-6, atol=1e-9)


# --- divergence (warnings are errors, so NumPy's overflow warnings would fail these) ---


def test_a_divergent_trajectory_stops_at_its_last_finite_iterate():
    path = descend(Quadratic(), 1.0, lr=3.0, steps=2000)
    assert int(path.diverged_at) == 513  # x_t = (-2)^t, its loss 2^(2t - 1), and the range 2^1024
    assert np.isfinite(path.points).all()
    assert np.isfinite(path.values).all()
    np.testing.assert_array_equal(path.points[:513], (-2.0) ** np.arange(513))
    np.testing.assert_array_equal(path.points[513:], path.points[512])
    np.testing.assert_array_equal(path.values[513:], path.values[512])


@pytest.mark.parametrize("kind", ["array", "tensor"])
def test_divergence_is_told_for_each_trajectory(kind, request):
    convert = np.asarray if kind == "array" else request.getfixturevalue("torch").tensor
    starts = convert([0.5, 10.0, 20.0, 1.0, -20.0])
    path = descend(Quartic(), starts, 0.5, steps=100)
    diverged_at = path.diverged_at.tolist()
    assert diverged_at[0] == diverged_at[3] == -1
    assert diverged_at[2] == diverged_at[4] <= diverged_at[1]
    assert repr(path) == "<Trajectory of 100 steps: 3 of 5 diverged>"
    assert np.isfinite(np.asarray(path.points)).all()
    assert np.isfinite(np.asarray(path.values)).all()
    for i in (0, 3):  # the others go on as if alone
        np.testing.assert_allclose(
            path.points[:, i], by_hand(Quartic(), starts[i], 0.5, 100), rtol=1e-4
        )


def test_a_whole_point_stops_when_one_coordinate_leaves():
    loss = Sum((Ridge(Quadratic(3.0), (1, 0)), Ridge(Quadratic(1.0), (0, 1))))
    path = descend(loss, [[1.0, 1.0], [0.0, 1.0]], lr=1.0, steps=3000)
    step = int(path.diverged_at[0])
    assert path.diverged_at.tolist() == [512, -1]
    np.testing.assert_array_equal(path.points[step:, 0], path.points[step - 1 : -1, 0])
    np.testing.assert_array_equal(path.points[-1, 1], [0, 0])


def test_a_point_beyond_the_range_counts_though_its_loss_is_finite():
    """f2 levels off, so only the point itself tells."""
    path = descend(F2(3.0), [0.3, 5.0], lr=[1e308, 1.0], steps=3)
    assert path.diverged_at.tolist() == [1, -1]
    np.testing.assert_array_equal(path.points[:, 0], 0.3)


def test_sums_over_a_huge_but_finite_sweep_are_no_divergence():
    starts = np.full(4, 1e308)
    path = descend(f2, starts, lr=1.0, steps=2)
    assert path.diverged_at.tolist() == [-1] * 4
    np.testing.assert_array_equal(path.points, 1e308)


# --- the generator beneath ---


def test_a_resumed_run_is_the_uninterrupted_one():
    lr = decays({0: 2.5, 40: 0.25, 70: 0.1})
    whole = list(islice(iterate(two_valleys, (-20.0, 3.0), lr), 101))
    middle = whole[50]
    rest = islice(iterate(two_valleys, middle.theta, lr, first_step=middle.step), 51)
    for before, after in zip(whole[50:], rest, strict=True):
        assert before.step == after.step
        np.testing.assert_array_equal(before.theta, after.theta)
        np.testing.assert_array_equal(before.grad, after.grad)


@pytest.mark.parametrize("kind", ["array", "tensor"])
def test_what_was_yielded_stays_as_it_was(kind, request):
    convert = np.asarray if kind == "array" else request.getfixturevalue("torch").tensor
    states = list(islice(iterate(f3, convert([-3.0, 3.0]), 1.0), 20))
    for state, after in zip(states, states[1:], strict=False):
        np.testing.assert_allclose(state.grad, f3.grad(state.theta), rtol=1e-5)
        np.testing.assert_array_equal(after.theta, state.theta - state.grad)


def test_the_loss_is_evaluated_once_per_step():
    class Counting:
        dimension = 3
        calls = 0

        def value_and_grad(self, x):
            self.calls += 1
            return (x * x).sum() / 2, x

    loss = Counting()
    descend(loss, np.ones(3), 0.1, steps=10)
    assert loss.calls == 11


def test_the_start_is_left_alone():
    start = np.array([1.0, 2.0])
    descend(f3, start, 0.5, 10)
    np.testing.assert_array_equal(start, [1.0, 2.0])


# --- theorem 4.1, preprint theorem 1 ---


@pytest.mark.parametrize("f", [f1, Sum((f1, Quadratic(0.05)))], ids=["f1", "f1 on a parabola"])
def test_theorem_4_1_above_the_stable_learning_rate(f):
    """From almost every start the trajectory nears the two-cycle at every step and ends on it."""
    rng = np.random.default_rng(0)
    lr = stable_lr(f) * rng.uniform(1.1, 4.0, size=1000)
    path = descend(f, rng.normal(scale=20, size=1000), lr, steps=6000, every=6000)
    cycle = two_cycle(f, lr)
    np.testing.assert_allclose(np.abs(path.points[-1]), cycle, rtol=1e-9)
    distance = np.abs(np.abs(descend(f, path.points[0], lr, steps=50).points) - cycle)
    assert np.all(np.diff(distance, axis=0) <= 1e-12 * (1 + cycle))
    last = descend(f, path.points[-1], lr, steps=1).points
    np.testing.assert_allclose(last[1], -last[0], rtol=1e-9)


def test_theorem_4_1_up_to_the_stable_learning_rate():
    rng = np.random.default_rng(0)
    starts, lr = rng.normal(scale=20, size=1000), rng.uniform(0.05, 0.95, size=1000)
    path = descend(f1, starts, stable_lr(f1) * lr, steps=4000, every=4000)
    np.testing.assert_allclose(path.points[-1], 0, atol=1e-9)
    # At the stable learning rate itself it converges too, if only like 1 / step.
    slow = descend(f1, starts, stable_lr(f1), steps=4000, every=1000)
    assert np.all(np.diff(np.abs(slow.points), axis=0) < 0)
    np.testing.assert_allclose(slow.points[-1], 0, atol=2e-3)


def test_theorem_4_2_in_each_direction():
    basis = np.linalg.qr(np.random.default_rng(1).normal(size=(3, 3)))[0].T
    functions = (f1, Sum((f1, f1)), Quadratic(0.5))
    loss = Sum(tuple(Ridge(f, p) for f, p in zip(functions, basis, strict=True)))
    lr = 3.0  # above 2 / f''(0) of the first two, below that of the third
    starts = np.random.default_rng(2).normal(scale=5, size=(200, 3))
    end = descend(loss, starts, lr, steps=2000, every=2000).points[-1] @ basis.T
    cycles = [two_cycle(f, lr) for f in functions[:2]]
    np.testing.assert_allclose(np.abs(end), np.tile([*cycles, 0], (200, 1)), atol=1e-9)


# --- what is refused ---


def test_either_a_learning_rate_or_an_optimizer_is_given():
    for given in ({}, {"lr": 0.1, "optimizer": Momentum(0.1)}):
        with pytest.raises(TypeError, match="give a learning rate, for gradient descent, or opt"):
            descend(f1, 1.0, steps=3, **given)
    with pytest.raises(TypeError, match="'momentum' is no optimizer"):
        descend(f1, 1.0, steps=3, optimizer="momentum")


@pytest.mark.parametrize("wrong", [0, -0.1, np.inf, np.nan, "fast"])
def test_learning_rates_are_positive_and_finite(wrong):
    message = "a learning rate must be positive and finite"
    for refused in (lambda: descend(f1, 1.0, wrong, 10), lambda: iterate(f1, 1.0, wrong)):
        with pytest.raises((ValueError, TypeError), match=f"{message}|rates must be real numbers"):
            refused()
    with pytest.raises(ValueError, match=f"{message}.*at step 5"):
        decays({0: 1.0, 5: wrong})
    if isinstance(wrong, float | int):
        for lr in ([1.0, wrong], np.array([[1.0], [wrong]])):
            with pytest.raises(ValueError, match=message):
                descend(f1, np.ones(2), lr, 10)


@pytest.mark.parametrize("wrong", [0, -0.1, np.inf, np.nan])
def test_learning_rates_in_a_tensor_are_positive_and_finite(wrong, torch):
    with pytest.raises(ValueError, match="a learning rate must be positive and finite"):
        descend(f1, torch.ones(2), torch.tensor([[1.0], [wrong]]), 10)


def test_a_schedule_is_checked_as_it_is_followed():
    with pytest.raises(ValueError, match="positive and finite, not 0.0 at step 3"):
        descend(f1, 1.0, lambda step: 0.75 - step / 4, 10)
    with pytest.raises(ValueError, match="positive and finite, not None at step 0"):
        descend(f1, 1.0, lambda step: None, 10)


@pytest.mark.parametrize("rates", [{}, {1: 0.5}, {0: 1, 2.5: 0.1}, {0: 1, -3: 0.1}, 0.5, [1.0]])
def test_schedules_begin_at_step_0_and_change_at_whole_steps(rates):
    with pytest.raises(ValueError, match=r"by whole steps from 0 on, such as decays\(\{0: 2.5"):
        decays(rates)


def test_schedules_show_what_they_are():
    assert repr(decays({650: 0.25, 0: 2.5})) == "decays({0: 2.5, 650: 0.25})"


@pytest.mark.parametrize("loss", [f3, valley, two_valleys])
@pytest.mark.parametrize("start", [1.0, [1.0], [1.0, 2.0, 3.0], np.ones((2, 3))])
def test_a_start_of_the_wrong_shape_is_refused(loss, start):
    with pytest.raises(ValueError, match="has 2 variables: the last axis .* must have length 2"):
        descend(loss, start, 0.1, 10)


@pytest.mark.parametrize("rates", [np.ones(5), np.ones(2), np.ones((5, 2))])
def test_rates_that_would_meet_coordinates_are_refused(rates):
    with pytest.raises(ValueError, match=r"write lr\[:, None\]"):
        descend(f3, np.ones((5, 2)), rates, 10)


def test_rates_that_do_not_broadcast_are_refused():
    with pytest.raises(ValueError, match="cannot be broadcast to a single shape"):
        descend(f1, [1.0, 2.0], [1.0, 2.0, 3.0], 10)


def test_starts_where_the_loss_is_not_finite_are_refused():
    for start in (np.inf, [1.0, np.nan]):
        with pytest.raises(ValueError, match="not finite there"):
            descend(f1, start, 1.0, 10)
    with pytest.raises(ValueError, match="not finite there"):
        descend(Quadratic(), 1e200, 1.0, 10)
    with pytest.raises(ValueError, match="not finite there"):
        descend(Radial(Quadratic(), 2), [[1.0, 1.0], [1e200, 1.0]], 1.0, 10)


@pytest.mark.parametrize("wrong", [-1, 2.0, "ten", None])
def test_numbers_of_steps_are_whole(wrong):
    for name in ("steps", "every"):
        with pytest.raises(ValueError, match=f"{name} must be a whole number of at least"):
            descend(f1, 1.0, 0.1, **{"steps": 10, name: wrong})
    with pytest.raises(ValueError, match="first_step must be a whole number of at least 0"):
        iterate(f1, 1.0, 0.1, first_step=wrong)


def test_every_divides_steps():
    with pytest.raises(ValueError, match="every must divide steps, but 3 does not divide 10"):
        descend(f1, 1.0, 0.1, steps=10, every=3)
    with pytest.raises(ValueError, match="every must be a whole number of at least 1, not 0"):
        descend(f1, 1.0, 0.1, steps=10, every=0)


def test_an_empty_sweep_is_refused():
    with pytest.raises(ValueError, match=r"start of shape \(0,\) holds no point"):
        descend(f1, [], 1.0, 3)
    with pytest.raises(ValueError, match="no learning rate in an empty array"):
        descend(f1, 1.0, [], 3)


def test_a_loss_that_is_infinite_or_nan_has_diverged_though_its_gradient_has_not():
    class Cliff:
        dimension = 2

        def value(self, x):
            with np.errstate(divide="ignore", invalid="ignore"):
                return np.where(x[..., 0] > 2, np.nan, x[..., 0])

        def grad(self, x):
            return 0 * x - 1

    path = descend(Cliff(), [[[0.0, 0.0], [0.0, 9.0]], [[1.5, 0.0], [2.0, 3.0]]], 1.0, 2)
    np.testing.assert_array_equal(path.diverged_at, [[-1, -1], [1, 1]])
    np.testing.assert_array_equal(path.points[-1], [[[2, 2], [2, 11]], [[1.5, 0], [2, 3]]])


@pytest.mark.parametrize("walk", [lambda f: descend(f, 1.0, 0.1, 3), lambda f: iterate(f, 1.0, 1)])
@pytest.mark.parametrize("wrong", [lambda x: x * x, None, "f1", np.ones(1)])
def test_what_is_no_loss_is_refused(walk, wrong):
    with pytest.raises(TypeError, match="is not a loss, it has no dimension: compose one from"):
        walk(wrong)


def test_a_module_is_no_loss(torch):
    with pytest.raises(TypeError, match="is not a loss, it has no dimension: compose one from"):
        descend(torch.nn.Linear(1, 1), 1.0, 0.1, 3)


@pytest.mark.parametrize("wrong", ["1.0", np.datetime64("2020-01-01"), 1j, [], {}, 10**400])
def test_a_learning_rate_is_a_number(wrong):
    with pytest.raises((ValueError, TypeError), match="learning rate"):
        descend(f1, 1.0, wrong, 3)


def test_learning_rates_of_another_kind_are_taken_by_their_numbers(torch):
    starts = np.ones(2), torch.ones(2, dtype=torch.float64)
    rates = torch.tensor([0.5, 1.0], requires_grad=True)
    for start, lr in product(starts, (rates, rates.to(torch.bfloat16))):
        points = descend(f1, start, lr, 3).points
        assert not getattr(points, "requires_grad", False)
        np.testing.assert_array_equal(points, descend(f1, start, [0.5, 1.0], 3).points)
    with pytest.raises(ValueError, match="inhomogeneous"):
        descend(f1, np.ones(2), [[1.0], [2.0, 3.0]], 3)


def test_more_steps_than_an_array_can_number_are_refused():
    with pytest.raises((OverflowError, ValueError)):
        descend(f1, 1.0, 0.1, 10**30)
