"""Noisy descent: what is drawn, what it averages to, and what is refused."""

from itertools import islice

import numpy as np
import pytest

from mslbook._arrays import like
from mslbook.descent import decays, descend, iterate
from mslbook.losses import Quadratic, Ridge, two_valleys, valley
from mslbook.optimizers import Adam, GradientDescent
from mslbook.stochastic import (
    Minibatches,
    euler_maruyama,
    minibatch_sgd,
    sgd,
)

POINTS = np.array([[1.0, 0.5], [20.0, -2.0]])


def exact(loss):
    """A sample of the gradient without any noise."""
    return lambda rng, x: loss.grad(x)


def noisy(loss):
    """A sample of the gradient with noise in every coordinate."""
    return lambda rng, x: loss.grad(x) + like(x, 0.1 * rng.standard_normal(tuple(x.shape)))


def test_without_noise_sgd_is_descent():
    path = descend(valley, POINTS, 3.0, 40, every=10)
    sampled = sgd(exact(valley), POINTS, 3.0, 40, every=10)
    np.testing.assert_allclose(sampled.points, path.points, rtol=1e-12)
    np.testing.assert_array_equal(sampled.steps, path.steps)


def test_the_same_seed_gives_the_same_walk_and_another_another():
    runs = [sgd(noisy(valley), POINTS, 1.5, 10, seed).points for seed in (3, 3, 4)]
    np.testing.assert_array_equal(runs[0], runs[1])
    assert np.all(runs[0][-1] != runs[2][-1])


def test_without_a_seed_it_is_0():
    np.testing.assert_array_equal(
        sgd(noisy(valley), POINTS, 1.5, 10).points,
        sgd(noisy(valley), POINTS, 1.5, 10, seed=0).points,
    )
    noise = np.negative, lambda x: np.eye(2)
    np.testing.assert_array_equal(
        euler_maruyama(*noise, POINTS, 0.1, 10).points,
        euler_maruyama(*noise, POINTS, 0.1, 10, seed=0).points,
    )


def test_sgd_takes_a_rate_for_each_walk():
    rates = np.array([[1.5], [3.0]])
    both = sgd(exact(valley), POINTS, rates, 5).points
    for k, rate in enumerate(rates.ravel()):
        single = sgd(exact(valley), POINTS[k], rate, 5).points
        np.testing.assert_allclose(both[:, k], single, rtol=1e-12)


def test_a_rate_may_have_more_axes_than_the_start():
    rates = np.array([1.5, 3.0, 4.0])[:, None]
    sampled = sgd(exact(valley), POINTS[0], rates, 5).points
    np.testing.assert_allclose(sampled, descend(valley, POINTS[0], rates, 5).points, rtol=1e-12)


def test_a_rate_for_each_coordinate_is_refused_as_descend_does():
    for sweep in (sgd, descend):
        loss = exact(valley) if sweep is sgd else valley
        with pytest.raises(ValueError, match=r"write lr\[:, None\]"):
            sweep(loss, POINTS, [1.5, 3.0], 10)
        with pytest.raises(ValueError, match="cannot be broadcast"):
            sweep(loss, POINTS, [[1.5], [3.0], [4.0]], 10)


def test_a_step_adds_the_drift_and_the_noise_that_is_drawn():
    drawn, matrix = np.random.default_rng(1).standard_normal((2, 3)), np.arange(6.0).reshape(2, 3)
    sampled = euler_maruyama(lambda x: 3 * x, lambda x: matrix, POINTS, 0.25, 1, seed=1)
    np.testing.assert_allclose(sampled.points[1], 1.75 * POINTS + 0.5 * drawn @ matrix.T)


def test_brownian_motion_spreads_with_time():
    start = np.zeros((20_000, 1))
    sampled = euler_maruyama(lambda x: 0 * x, lambda x: np.eye(1), start, 0.5, 8, every=4)
    np.testing.assert_allclose(sampled.points[:, :, 0].var(axis=1), [0, 2, 4], rtol=0.05)
    assert repr(sampled) == "<20000 SamplePaths of 8 steps>"


@pytest.mark.parametrize("number", [0.0, -1.0, np.nan, np.inf, [], None, "x"])
def test_rates_and_times_are_positive(number):
    with pytest.raises(ValueError, match="learning rate must be positive|no learning rate in an"):
        sgd(exact(valley), POINTS, number, 10)
    with pytest.raises(ValueError, match="time dt of one step must be positive and finite"):
        euler_maruyama(np.negative, np.negative, POINTS, number, 10)


def test_what_cannot_be_walked_is_refused():
    with pytest.raises(ValueError, match="every must divide steps"):
        sgd(exact(valley), POINTS, 1.0, 10, every=3)
    with pytest.raises(ValueError, match="steps must be a whole number"):
        sgd(exact(valley), POINTS, 1.0, -1)
    for start in (1.0, [np.nan, 1.0]):
        with pytest.raises(ValueError, match="the start must be a finite point"):
            sgd(exact(valley), start, 1.0, 10)


def test_a_path_that_overflows_is_refused():
    with pytest.raises(ValueError, match="overflowed by step 2000"):
        sgd(exact(Ridge(Quadratic(), (1,))), [1.0], 3.0, 2000, every=1000)


@pytest.mark.parametrize(
    ("drift", "diffusion"),
    [(np.negative, lambda x: [[1.0]]), (lambda x: 0.0, lambda x: np.eye(2)), (np.negative, np.abs)],
)
def test_drift_and_diffusion_fit_the_points(drift, diffusion):
    with pytest.raises(ValueError, match="at points of 2 coordinates the drift must have"):
        euler_maruyama(drift, lambda x: diffusion(x), np.zeros((5, 2)), 0.1, 10)


def test_a_walk_has_a_start():
    with pytest.raises(ValueError, match="the start must be a finite point"):
        sgd(exact(valley), np.zeros((0, 2)), 1.0, 10)


# --- torch ----------------------------------------------------------------------------------------


def walks_of_every_kind(start):
    yield sgd(noisy(valley), start[..., :2], 1.5, 20, every=5)
    yield sgd(exact(two_valleys), start[..., :2], [[1.5], [0.5]], 20)
    yield euler_maruyama(lambda x: -x, lambda x: np.eye(3), start, 0.1, 20, every=10)


def test_walks_of_tensors_are_those_of_arrays():
    torch = pytest.importorskip("torch")
    start = np.array([[1.0, 0.5, 0.2], [2.0, -2.0, 0.1]])
    for dtype, rtol in ((torch.float64, 1e-12), (torch.float32, 1e-4)):
        tensor = torch.tensor(start, dtype=dtype, requires_grad=True)
        for ours, theirs in zip(
            walks_of_every_kind(start), walks_of_every_kind(tensor), strict=True
        ):
            assert theirs.points.dtype == dtype
            assert not theirs.points.requires_grad
            assert repr(ours) == repr(theirs)
            np.testing.assert_allclose(theirs.points, ours.points, rtol=rtol, atol=rtol)


def test_a_minibatch_walk_of_tensors_with_gradients_builds_no_graph():
    torch = pytest.importorskip("torch")
    start, push = (torch.tensor([0.3, x], requires_grad=True) for x in (1.0, -1.0))
    plain = minibatch_sgd(
        valley, start.detach(), 0.5, momentum=0.9, state={"velocity": push.detach()}
    )
    sampled = minibatch_sgd(valley, start, 0.5, momentum=0.9, state={"velocity": push})
    for ours, theirs in islice(zip(sampled, plain, strict=True), 3):
        pairs = zip(ours[1:4], theirs[1:4], strict=True)
        for one, other in [*pairs, (ours.state["velocity"], theirs.state["velocity"])]:
            assert not one.requires_grad
            assert torch.equal(one, other)


# --- what is asked of the arguments ---


@pytest.mark.parametrize("seed", [-1, 1.5, "x", object()])
def test_a_seed_is_a_whole_number_or_a_generator(seed):
    with pytest.raises((TypeError, ValueError), match="non-negative integer|SeedSequence expects"):
        sgd(exact(valley), POINTS, 1.0, 10, seed=seed)


@pytest.mark.parametrize("wrong", [lambda x: x * x, None])
def test_minibatches_are_those_of_a_loss(wrong):
    with pytest.raises(TypeError, match="is not a loss, it has no dimension"):
        minibatch_sgd(wrong, 1.0, 0.1)


# --- minibatches ----------------------------------------------------------------------------------


class Fit:
    """Least squares for numbers: half the mean squared distance, every batch noted down."""

    dimension = 1

    def __init__(self, inputs, noted):
        self.inputs, self.noted = np.asarray(inputs, float), noted
        self.rows = len(self.inputs)

    def subset(self, rows):
        return Fit(self.inputs[rows], self.noted)

    def value(self, x):
        return np.mean((x - self.inputs) ** 2) / 2

    def grad(self, x):
        self.noted.append(self.inputs.tolist())
        return np.mean(x - self.inputs, keepdims=True)


def test_every_epoch_goes_once_through_all_inputs_in_an_order_of_its_own():
    noted = []
    walk = minibatch_sgd(Fit(range(10), noted), [0.0], 0.1, batch=4, seed=5)
    states = list(islice(walk, 30))
    assert [len(batch) for batch in noted] == [4, 4, 2] * 10
    epochs = [sum(noted[k : k + 3], []) for k in range(0, 30, 3)]
    assert all(sorted(epoch) == list(range(10)) for epoch in epochs)
    assert len({tuple(epoch) for epoch in epochs}) == 10
    for state, batch in zip(states, noted, strict=True):
        assert state.value == Fit(batch, []).value(state.theta)
        assert state.grad == Fit(batch, []).grad(state.theta)


def test_minibatches_depend_on_the_seed_and_the_epoch_alone():
    def batches(first_step, seed, count):
        noted = []
        walk = minibatch_sgd(
            Fit(range(10), noted), [0.0], 0.1, batch=4, seed=seed, first_step=first_step
        )
        list(islice(walk, count))
        return noted

    whole = batches(0, 5, 20)
    assert batches(11, 5, 9) == whole[11:]  # in the middle of an epoch
    assert batches(12, 5, 8) == whole[12:]
    assert batches(0, 6, 20) != whole


def test_a_resumed_walk_is_the_same_to_the_last_bit():
    def walk(start=(3.0,), **where):
        return minibatch_sgd(
            Fit(range(10), []), start, decays({0: 0.3, 4: 0.1}, 3), 4, 0.9, **where
        )

    states = list(islice(walk(), 31))
    for middle in (states[1], states[11], states[12]):
        rest = walk(middle.theta, first_step=middle.step, state=middle.state)
        assert list(islice(rest, 31 - middle.step)) == states[middle.step :]


@pytest.mark.parametrize("batch", [None, 10, 1000])
def test_all_inputs_at_once_without_momentum_is_descent_to_the_last_bit(batch):
    lr = decays({0: 0.7, 3: 0.2}, epoch=2)
    ours = islice(minibatch_sgd(Fit(range(10), []), [20.0], lr, batch), 20)
    for one, other in zip(ours, iterate(Fit(range(10), []), [20.0], lr), strict=False):
        assert one[:4] == other[:4]


def test_heavy_ball_on_a_parabola_is_the_recursion_by_hand():
    lr, momentum, loss = 0.5, 0.8, Quadratic(curvature=3.0)
    x = [1.0, 1.0 - lr * 3.0]
    for _ in range(50):
        x.append(x[-1] - lr * 3.0 * x[-1] + momentum * (x[-1] - x[-2]))
    states = list(islice(minibatch_sgd(loss, 1.0, lr, momentum=momentum), len(x)))
    np.testing.assert_allclose([state.theta for state in states], x, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose([state.value for state in states], 1.5 * np.square(x), rtol=1e-9)


def test_heavy_ball_is_stable_up_to_its_own_edge():
    """2 (1 + momentum) / η instead of 2 / η."""
    for sharpness, settles in ((0.99, True), (1.01, False)):
        loss = Quadratic(curvature=sharpness * 2 * (1 + 0.9) / 0.1)
        *_, last = islice(minibatch_sgd(loss, 1.0, 0.1, momentum=0.9), 2000)
        assert (abs(last.theta) < 1e-3) == settles


def test_a_descent_that_diverges_stays_at_its_last_finite_iterate():
    iterates = minibatch_sgd(Fit(range(10), []), [20.0], 1e30, batch=5, momentum=0.5)
    before, last, after = None, next(iterates), None
    while last.diverged_at < 0:
        before, last = last, next(iterates)
    after = next(iterates)
    assert last.diverged_at == after.diverged_at == last.step
    assert before[1:4] == last[1:4] == after[1:4]
    assert np.isfinite(last.theta)
    assert np.isfinite(last.value)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"lr": -1.0}, "a learning rate must be positive"),
        ({"momentum": 1.0}, "momentum must be at least 0 and below 1, not 1.0"),
        ({"momentum": -0.1}, "momentum must be at least 0 and below 1"),
        ({"momentum": np.nan}, "momentum must be at least 0 and below 1"),
        ({"momentum": [0.1, 0.2]}, "momentum must be at least 0 and below 1"),
        ({"momentum": "x"}, "momentum must be at least 0 and below 1, not 'x'"),
        ({"batch": 2.5}, "batch must be a whole number of at least 1, not 2.5"),
        ({"batch": True}, "batch must be a whole number of at least 1, not True"),
        ({"batch": 2, "seed": 0.5}, "seed must be a whole number of at least 0"),
        ({"first_step": -1}, "first_step must be a whole number of at least 0"),
        (
            {"state": {"velocity": np.zeros(2)}},
            r"velocity.* of shape \(1,\) .*, not .* of shape \(2,\)",
        ),
        (
            {"state": {"velocity": np.zeros(1, np.float32)}},
            "velocity.*float64 .* not .*float32",
        ),
        ({"start": [np.inf]}, "not finite there: start elsewhere"),
        ({"start": [1e200]}, "not finite there: start elsewhere"),
        ({"start": [1.0, 2.0]}, "this loss has 1 variables"),
    ],
)
def test_minibatches_that_cannot_be_are_refused_by_the_call(wrong, words):
    noted = []
    with pytest.raises(ValueError, match=words):
        minibatch_sgd(**{"loss": Fit(range(10), noted), "start": [0.0], "lr": 0.1} | wrong)
    assert noted == [] or "start elsewhere" in words


def test_a_velocity_of_another_library_is_refused():
    torch = pytest.importorskip("torch")
    velocity = torch.zeros(2, dtype=torch.float64)
    with pytest.raises(ValueError, match="velocity.*float64 .*, not .*torch.float64"):
        minibatch_sgd(valley, [1.0, 2.0], 0.1, state={"velocity": velocity})


@pytest.mark.parametrize("optimizer", [GradientDescent(0.1), Adam(0.1)])
def test_any_optimizer_descends_on_minibatches_and_resumes(optimizer):
    loss = Minibatches(Fit(range(10), []), batch=4, seed=3)
    states = list(islice(iterate(loss, [3.0], optimizer=optimizer), 12))
    middle = states[5]
    rest = iterate(
        loss, middle.theta, first_step=middle.step, optimizer=optimizer, state=middle.state
    )
    assert [state.theta for state in states[5:]] == [state.theta for state in islice(rest, 7)]
    assert states[-1].value == loss.at_step(11).value(states[-1].theta)


class Paired(Fit):
    """A loss that needs two inputs at least, as BatchNorm does."""

    def subset(self, rows):
        if len(rows) < 2:
            raise ValueError("needs two inputs")
        return Paired(self.inputs[rows], self.noted)


def test_what_is_left_of_an_epoch_is_tried_at_the_start_if_anything_is():
    with pytest.raises(ValueError, match="last batch of an epoch cannot .*needs two"):
        minibatch_sgd(Paired(range(10), []), [0.0], 0.1, batch=3)
    for batch, sizes in ((4, [4, 4, 2]), (5, [5, 5])):
        noted = []
        list(islice(minibatch_sgd(Paired(range(10), noted), [0.0], 0.1, batch=batch), len(sizes)))
        assert [len(inputs) for inputs in noted] == sizes
