"""Every optimizer: its numbers are torch.optim's, its edge is where it is, and it resumes."""

from dataclasses import replace
from itertools import islice

import numpy as np
import pytest
from cases import OPTIMIZERS

from mslbook.descent import descend, iterate
from mslbook.losses import Quadratic, Ridge, Sum, f1, two_valleys
from mslbook.optimizers import Adam, GradientDescent, Momentum, Nesterov, RMSProp, decays

ALL = OPTIMIZERS | {
    "another Nesterov": Nesterov(0.05, 0.8),
    "another RMSProp": RMSProp(0.01, decay=0.9),
    "another Adam": Adam(0.02, beta1=0.8, beta2=0.95),
}
each = pytest.mark.parametrize("optimizer", ALL.values(), ids=ALL.keys())


@pytest.mark.parametrize(
    ("optimizer", "theirs"),
    [
        (GradientDescent(0.1), lambda it, theta: it.SGD(theta, lr=0.1)),
        (Momentum(0.05, 0.9), lambda it, theta: it.SGD(theta, lr=0.05, momentum=0.9)),
        (
            Nesterov(0.05, 0.8),
            lambda it, theta: it.SGD(theta, lr=0.05, momentum=0.8, nesterov=True),
        ),
        (RMSProp(0.01, decay=0.9), lambda it, theta: it.RMSprop(theta, lr=0.01, alpha=0.9)),
        (
            Adam(0.02, beta1=0.8, beta2=0.95),
            lambda it, theta: it.Adam(theta, lr=0.02, betas=(0.8, 0.95)),
        ),
    ],
)
def test_its_numbers_are_those_of_torch(torch, optimizer, theirs):
    theta = torch.tensor([-2.0, 3.0], dtype=torch.float64, requires_grad=True)
    theirs = theirs(torch.optim, [theta])
    ours = descend(two_valleys, (-2.0, 3.0), steps=50, optimizer=optimizer).points
    for point in ours:
        np.testing.assert_allclose(theta.detach().numpy(), point, rtol=1e-9)
        theta.grad = two_valleys.grad(theta.detach())
        theirs.step()


@each
def test_tensors_and_arrays_give_the_same(torch, optimizer):
    start = [[-2.0, 3.0], [1.0, 0.5]]
    ours = descend(two_valleys, start, steps=20, optimizer=optimizer)
    tensors = descend(two_valleys, torch.tensor(start).double(), steps=20, optimizer=optimizer)
    np.testing.assert_allclose(tensors.points.numpy(), ours.points, rtol=1e-12)


@each
def test_it_goes_on_from_its_state_to_the_same_bits(optimizer):
    whole = list(islice(iterate(two_valleys, (-2.0, 3.0), optimizer=optimizer), 21))
    half = whole[10]
    rest = iterate(two_valleys, half.theta, first_step=10, optimizer=optimizer, state=half.state)
    for one, other in zip(whole[10:], rest, strict=False):
        assert one.step == other.step
        np.testing.assert_array_equal(one.theta, other.theta)


@each
def test_a_sweep_is_many_descents(optimizer):
    starts = np.array([-2.0, 0.5, 4.0])
    sweep = descend(f1, starts, steps=30, optimizer=optimizer).points
    for i, start in enumerate(starts):
        alone = descend(f1, np.array([start]), steps=30, optimizer=optimizer).points
        np.testing.assert_array_equal(sweep[:, i], alone[:, 0])


START = 1e-6  # so small that squared gradients do not change a preconditioner


def end(optimizer, state, curvature):
    """How far from the minimum descent ends whose preconditioner has settled."""
    _, next_state = optimizer.update(0.0, 0.0, state, optimizer.lr)
    P = optimizer.precondition(next_state)  # that of every update below
    loss, theta, far = Quadratic(float(curvature * (1 if P is None else P))), np.array(START), []
    for _ in range(1000):
        theta, new = optimizer.update(theta, loss.grad(theta), state, optimizer.lr)
        state = state | {name: new[name] for name in new.keys() & {"velocity", "mean"}}
        far.append(abs(float(theta)))
    return max(far[-10:])


@each
def test_below_its_edge_it_is_stable_and_above_it_is_not(optimizer):
    state = optimizer.init(np.array(START))
    if "square" in state:
        state["square"] = np.array(4.0)
    if "count" in state:
        state["count"] = np.array(10**6)  # long past the corrections of the first steps
    assert end(optimizer, state, 0.98 * optimizer.edge()) < START / 2
    assert end(optimizer, state, 1.02 * optimizer.edge()) > 2 * START


def test_a_schedule_has_an_edge_at_each_step():
    schedule = decays({0: 0.5, 10: 0.1})
    optimizer = GradientDescent(schedule)
    with pytest.raises(TypeError, match=r"a schedule has an edge at each step: pass edge\(lr\)"):
        optimizer.edge()
    assert optimizer.edge(schedule(10)) == 20


def test_an_array_of_learning_rates_has_an_edge_for_each():
    np.testing.assert_array_equal(GradientDescent(np.array([0.1, 0.5])).edge(), [20, 4])


@each
def test_a_trajectory_that_diverges_stays_and_the_others_go_on(optimizer):
    steep = Sum((Ridge(Quadratic(1.0), (1.0, 0.0)), Ridge(Quadratic(1.0), (0.0, 1.0))))
    starts = np.array([[1e150, 0.0], [1.0, 1.0]])
    alone = descend(steep, starts[1:], steps=20, optimizer=optimizer).points[:, 0]
    both = descend(Blowing(), starts, steps=20, optimizer=optimizer)
    assert both.diverged_at[0] > 0
    assert both.diverged_at[1] == -1
    np.testing.assert_array_equal(both.points[:, 1], alone)
    np.testing.assert_array_equal(both.points[-1, 0], both.points[both.diverged_at[0], 0])


class Blowing:
    """The parabola |x|² / 2 near 0, and infinite far out once descent has begun."""

    dimension = 2

    def __init__(self):
        self.calls = 0

    def value(self, x):
        return np.sum(x * x, axis=-1) / 2

    def grad(self, x):
        self.calls += 1
        grad = np.array(x)
        grad[np.abs(x).max(axis=-1) > 1e100] = np.inf if self.calls > 3 else 1.0
        return grad


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Momentum(0.1, 1.0), "momentum must be at least 0 and below 1, not 1.0"),
        (lambda: Nesterov(0.1, -0.1), "momentum must be at least 0 and below 1, not -0.1"),
        (lambda: RMSProp(0.1, decay=1), "decay must be at least 0 and below 1, not 1"),
        (lambda: RMSProp(0.1, eps=0), "eps must be positive and finite, not 0"),
        (lambda: Adam(0.1, beta1=1), "beta1 must be at least 0 and below 1, not 1"),
        (lambda: Adam(0.1, beta2=2), "beta2 must be at least 0 and below 1, not 2"),
        (lambda: Adam(0.1, eps=float("nan")), "eps must be positive and finite, not nan"),
    ],
)
def test_a_hyperparameter_out_of_range_is_refused(make, words):
    with pytest.raises(ValueError, match=words):
        make()


@each
def test_its_learning_rates_are_positive_and_finite(optimizer):
    for wrong in (0, [0.1, float("inf")]):
        with pytest.raises(ValueError, match="a learning rate must be positive and finite, not"):
            replace(optimizer, lr=wrong)


def test_the_state_of_another_optimizer_is_refused():
    with pytest.raises(ValueError, match="the state of Momentum holds velocity .*, not .*mean"):
        iterate(f1, 1.0, optimizer=Momentum(0.1), state=Adam(0.1).init(np.array(1.0)))


def test_before_its_first_update_adam_has_no_preconditioner():
    with pytest.raises(ValueError, match="no preconditioner before its first update"):
        Adam(0.1).precondition(Adam(0.1).init(np.array(1.0)))
