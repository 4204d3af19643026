"""Descent on minibatches: what is drawn, what it resumes, and what is refused."""

from itertools import islice

import numpy as np
import pytest

from mslbook.descent import decays, iterate
from mslbook.losses import Quadratic, valley
from mslbook.optimizers import Adam, GradientDescent, Momentum
from mslbook.stochastic import Minibatches


def minibatch_sgd(loss, start, lr, batch=None, momentum=0.0, seed=0, **resumed):
    optimizer = Momentum(lr, momentum)
    if batch is not None:
        loss = Minibatches(loss, batch, seed)
        loss.check_last(start)
    return iterate(loss, start, optimizer=optimizer, **resumed)


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
        return minibatch_sgd(Fit(range(10), []), start, decays({0: 0.3, 12: 0.1}), 4, 0.9, **where)

    states = list(islice(walk(), 31))
    for middle in (states[1], states[11], states[12]):
        rest = walk(middle.theta, first_step=middle.step, state=middle.state)
        assert list(islice(rest, 31 - middle.step)) == states[middle.step :]


@pytest.mark.parametrize("batch", [None, 10, 1000])
def test_all_inputs_at_once_without_momentum_is_descent_to_the_last_bit(batch):
    lr = decays({0: 0.7, 6: 0.2})
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
