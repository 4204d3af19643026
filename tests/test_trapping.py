"""The trapping ball: against what is known on paper, and against brute force."""

import numpy as np
import pytest

from mslbook.descent import descend
from mslbook.losses import (
    F2,
    Composed,
    Landing,
    Linear,
    Quadratic,
    Radial,
    Ridge,
    Scaled,
    Staircase,
    Sum,
    f1,
    f2,
    f3,
    separable,
    valley,
)
from mslbook.theory import subquadratic, trapping_radius, two_cycle

QUARTIC = Composed(Quadratic(), Quadratic())
ISOTROPIC = Sum((Ridge(Quadratic(), (1, 0)), Ridge(Quadratic(), (0, 1))))


class DoubleWell:
    """(x² - 1)² / 4."""

    dimension = None

    def value(self, x):
        return (np.asarray(x) ** 2 - 1) ** 2 / 4

    def grad(self, x):
        return np.asarray(x) * (np.asarray(x) ** 2 - 1)


class Moved:
    """f3 with its minimum elsewhere."""

    dimension = 2

    def __init__(self, minimum):
        self.minimum = np.array(minimum)

    def grad(self, x):
        return f3.grad(x - self.minimum)


class Plateau:
    """A bowl with a level plain around it, from |x| = 2 on."""

    dimension = None

    def grad(self, x):
        return np.asarray(x) * np.clip(4 - np.asarray(x) ** 2, 0, None)


class Rising:
    """ln(1 + s²) / 2 with s = x + 0.99 sin x: stairs whose steps all rise."""

    dimension = None

    def value(self, x):
        return np.log1p((x + 0.99 * np.sin(x)) ** 2) / 2

    def grad(self, x):
        s = x + 0.99 * np.sin(x)
        return s / (1 + s * s) * (1 + 0.99 * np.cos(x))


class Sideways:
    """A field that turns: the cosine is cos(turn) everywhere. Only ``grad`` is ever asked for."""

    dimension = 2

    def __init__(self, turn):
        self.turn = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])

    def grad(self, x):
        return Radial(f1, dimension=2).grad(x) @ self.turn.T


@pytest.fixture(scope="module")
def balls_of_f3():
    return trapping_radius(f3, [0.2, 1.0, 5.0, 100.0])


@pytest.mark.parametrize("f", [f1, f2, F2(0.5), Landing(), Scaled(7.0, f1), Radial(f1, 3)])
def test_losses_that_point_outwards_everywhere(f):
    found = subquadratic(f)
    assert found.c == pytest.approx(1, abs=1e-9)
    assert found.satisfies_definition
    assert found.critical is None


@pytest.mark.parametrize("turn", [0.3, 1.0, 1.5])
def test_the_smallest_cosine_of_a_turned_field(turn):
    assert subquadratic(Sideways(turn)).c == pytest.approx(np.cos(turn), rel=1e-9)


def test_the_smallest_cosine_of_a_quadratic_form():
    """Kantorovich: 2 sqrt(ab) / (a + b) for eigenvalues a and b, in any basis."""
    form = Sum((Ridge(Quadratic(9.0), (1, 0)), Ridge(Quadratic(1.0), (0, 1))))
    turned = Linear(form, ((0.6, 0.8), (-0.8, 0.6)))
    for loss in (form, turned):
        assert subquadratic(loss).c == pytest.approx(0.6, rel=1e-8)
        assert not subquadratic(loss).gradient_growth_vanishes


def test_the_smallest_cosine_is_found_on_every_sphere():
    """Between the 256 directions of the plane too, one in 0.025 radians."""
    form = Sum((Ridge(Quadratic(9.0), (1, 0)), Ridge(Quadratic(1.0), (0, 1))))
    np.testing.assert_allclose(subquadratic(form).cosines, 0.6, rtol=1e-8)


def test_both_conditions_must_hold():
    assert not subquadratic(Quadratic()).satisfies_definition  # grows too fast
    inwards = subquadratic(Sideways(2.0))
    assert inwards.gradient_growth_vanishes
    assert not inwards.satisfies_definition


@pytest.mark.parametrize("factor", [1e-7, 1.0, 1e7])
def test_where_else_the_gradient_vanishes_does_not_depend_on_the_unit_of_the_loss(factor):
    """Stairs with steps that rise have no other critical point; level ones have."""
    assert subquadratic(Scaled(factor, Staircase())).critical is not None
    assert subquadratic(Scaled(factor, Rising())).critical is None


def test_growth_of_f1_and_f2_on_paper():
    r = subquadratic(f1).radii
    np.testing.assert_allclose(subquadratic(f1).growth, np.log1p(r) / r, rtol=1e-12)
    np.testing.assert_allclose(subquadratic(f2).growth, np.minimum(6, 2 / (9 * r**3)), rtol=1e-12)


def test_the_constant_of_f3_is_where_it_says():
    found = subquadratic(f3)
    grad = f3.grad(found.worst_point)
    cosine = grad @ found.worst_point / np.linalg.norm(grad) / np.linalg.norm(found.worst_point)
    assert found.c == pytest.approx(cosine, rel=1e-12)
    assert 0.312 < found.c <= found.cosines.min() < 0.314
    rng = np.random.default_rng(1)
    x = rng.normal(size=(200_000, 2)) * 10 ** rng.uniform(-2, 3, size=(200_000, 1))
    grad = f3.grad(x)
    cosines = np.vecdot(x, grad) / np.linalg.norm(x, axis=-1) / np.linalg.norm(grad, axis=-1)
    assert cosines.min() >= found.c


def test_ball_of_f1_on_paper():
    lr = np.array([2.5, 3.0, 4.9, 4.95, 6.0, 50.0])
    ball = trapping_radius(f1, lr)
    cycle = two_cycle(f1, lr)
    r2 = np.where(lr > 4.9215536, lr * np.log(lr) - lr + 1, cycle)
    np.testing.assert_allclose(ball.r1, cycle, rtol=1e-8)
    np.testing.assert_allclose(ball.by_c, cycle, rtol=1e-8)
    np.testing.assert_allclose(ball.r2, r2, rtol=1e-8)
    np.testing.assert_array_equal(ball.radius, np.maximum(ball.r1, ball.r2))


@pytest.mark.parametrize("C", [3.0, 0.1])
def test_ball_of_f2_on_paper(C):
    lr = np.array([1.1, 2.0, 30.0]) * 3 / C**2
    ball = trapping_radius(F2(C), lr)
    np.testing.assert_allclose(ball.r1, np.cbrt(lr / (3 * C)), rtol=1e-8)
    np.testing.assert_allclose(ball.r2, 2 * C * lr / 3 - 1 / C, rtol=1e-8)


def test_a_learning_rate_may_be_the_limit_of_a_sphere_that_was_sampled():
    found = subquadratic(f1)
    far = (found.limits > 2.01) & (found.radii < 1e5)  # nearer 0 the limits are hardly apart
    ball = trapping_radius(f1, found.limits[far])
    np.testing.assert_allclose(ball.r1, found.radii[far], rtol=1e-8)


def test_a_radial_loss_has_the_ball_of_its_profile():
    one, three = trapping_radius(f1, 6.0), trapping_radius(Radial(f1, dimension=3), 6.0)
    assert three.r1 == pytest.approx(one.r1, rel=1e-6)
    assert three.r2 == pytest.approx(one.r2, rel=1e-6)


def test_where_every_step_comes_nearer_the_ball_is_a_point():
    for f, lr in ((f1, 1.9), (f2, 0.33), (f3, 0.1)):
        assert trapping_radius(f, lr).radius == 0


def test_ball_of_f3_by_brute_force(balls_of_f3):
    """Along its two ridges, where the gradient is long and points sideways, and everywhere."""
    across = np.linspace(-0.6, 0.6, 361)[:, None]
    for lr, by_c, r1, r2 in zip(
        balls_of_f3.lr, balls_of_f3.by_c, balls_of_f3.r1, balls_of_f3.r2, strict=True
    ):
        along = np.linspace(0, 1.2 * by_c, 1000)
        first = np.stack(np.broadcast_arrays(across, along), axis=-1)
        second = np.stack(np.broadcast_arrays(along, across - along), axis=-1)
        x = np.concatenate((first.reshape(-1, 2), second.reshape(-1, 2)))
        r, landing = np.linalg.norm(x, axis=-1), np.linalg.norm(x - lr * f3.grad(x), axis=-1)
        assert 0.99 * r1 < r[landing >= r].max() <= r1 * (1 + 1e-6)
        assert 0.99 * r2 < landing[r <= r1].max() <= r2 * (1 + 1e-6)
        assert r1 <= by_c * (1 + 1e-6)


def test_no_step_leaves_the_ball_and_everybody_enters(balls_of_f3):
    rng = np.random.default_rng(3)
    starts = rng.normal(size=(2000, 2)) * 10
    for lr, radius in zip(balls_of_f3.lr[:3], balls_of_f3.radius[:3], strict=True):
        r = np.linalg.norm(descend(f3, starts, lr, 400).points, axis=-1)
        inside = r <= radius * (1 + 1e-9)
        assert np.all(inside[1:] >= inside[:-1])
        assert np.all(inside[-1])
        outside = r[:-1] > radius
        assert np.all(r[1:][outside] < r[:-1][outside])


def test_the_minimum_may_lie_elsewhere(balls_of_f3):
    at = (30.0, -4.0)
    ball = trapping_radius(Moved(at), 1.0, minimum=at)
    assert ball.r1 == pytest.approx(balls_of_f3.r1[1], rel=1e-6)
    assert ball.r2 == pytest.approx(balls_of_f3.r2[1], rel=1e-6)
    worst = subquadratic(Moved(at), minimum=at).worst_point - at
    assert abs(worst) == pytest.approx(abs(subquadratic(f3).worst_point), abs=0.1)


def test_numbers_give_numbers_and_arrays_arrays():
    ball = trapping_radius(f1, 3)
    assert all(isinstance(n, float) for n in (ball.lr, ball.by_c, ball.r1, ball.r2, ball.radius))
    grid = trapping_radius(f1, [[3.0, 4.0], [5.0, 6.0]])
    assert grid.radius.shape == grid.r1.shape == (2, 2)
    assert grid.r1[0, 0] == ball.r1


def test_alone_or_in_a_sweep_the_same(balls_of_f3):
    assert trapping_radius(f3, 1.0).radius == balls_of_f3.radius[1]


def test_everybody_may_land_though_no_open_set_is_crushed_to_a_point():
    """Landing beside a bowl: at η = 1 the step is singular on strips, which go to a segment."""
    loss = separable([Landing(), Scaled(0.5, f1)], np.eye(2))
    assert subquadratic(loss).satisfies_definition
    starts = np.random.default_rng(0).uniform(-2, 2, (10_000, 2))
    ends = descend(loss, starts, 1.0, 300, every=300).points[-1]
    assert np.all(np.linalg.norm(ends, axis=-1) < 1e-12)
    ends = descend(loss, starts, 1.01, 300, every=300).points[-1]  # not an exceptional rate
    assert np.all(np.linalg.norm(ends, axis=-1) > 1e-12)


@pytest.mark.parametrize(
    "loss", [Quadratic(), QUARTIC, ISOTROPIC, Sum((f1, Quadratic(0.1)))], ids=repr
)
def test_a_loss_that_grows_too_fast_is_refused(loss):
    with pytest.raises(ValueError, match=r"not subquadratic: .*grad.* does not tend to 0"):
        trapping_radius(loss, 1.0)


@pytest.mark.parametrize("minimum", [0.0, 1.0])
def test_a_double_well_is_refused_at_its_top_and_at_its_bottoms(minimum):
    with pytest.raises(ValueError, match="not subquadratic.*does not point away from the minimum"):
        trapping_radius(DoubleWell(), 1.0, minimum=minimum)


def test_a_valley_of_minima_is_refused():
    with pytest.raises(ValueError, match="not subquadratic"):
        trapping_radius(Sum((Ridge(f1, (1, 0)),)), 1.0)
    with pytest.raises(ValueError, match="not subquadratic"):
        trapping_radius(valley, 1.0)


@pytest.mark.parametrize("loss", [Staircase(), Radial(Staircase(), dimension=2)], ids=repr)
def test_a_second_point_without_gradient_is_refused(loss):
    found = subquadratic(loss)
    assert found.satisfies_definition
    distance = np.linalg.norm(np.atleast_1d(found.critical)) / np.pi
    assert distance == pytest.approx(round(distance), abs=1e-3)
    assert round(distance) % 2 == 1
    with pytest.raises(ValueError, match="the gradient vanishes at .*only at the minimum"):
        trapping_radius(loss, 1.0)


def test_a_level_plain_is_refused():
    with pytest.raises(ValueError, match=r"the gradient vanishes at 2\.\d+ too"):
        trapping_radius(Plateau(), 1.0)


def test_a_place_that_is_no_minimum_is_refused():
    with pytest.raises(ValueError, match=r"does not vanish at .*pass .* as minimum="):
        subquadratic(f1, minimum=2.0)


@pytest.mark.parametrize("minimum", [0.0, [0.0], [0.0, 0.0, 0.0], [[0.0, 0.0], [1.0, 1.0]]])
def test_a_minimum_of_the_wrong_length_is_refused(minimum):
    with pytest.raises(ValueError, match="cannot reshape array"):
        trapping_radius(f3, 1.0, minimum=minimum)


def test_a_minimum_is_finite_and_may_be_a_tensor(torch):
    with pytest.raises(ValueError, match="the gradient does not vanish at nan"):
        subquadratic(f1, minimum=np.nan)
    at = torch.tensor([30.0, -4.0], requires_grad=True)
    assert subquadratic(Moved([30.0, -4.0]), at).c == subquadratic(Moved([30.0, -4.0]), [30, -4]).c


@pytest.mark.parametrize("lr", [0.0, -1.0, np.nan, np.inf, [1.0, 0.0]])
def test_a_learning_rate_is_positive_and_finite(lr):
    with pytest.raises(ValueError, match="must be positive and finite, not"):
        trapping_radius(f3, lr)


def test_a_ball_beyond_what_is_sampled_is_refused():
    with pytest.raises(ValueError, match="larger than what is sampled"):
        trapping_radius(f1, 1e7)


@pytest.mark.parametrize("lr", [4.93, 4.95, 5.0, 5.02])
def test_the_higher_of_two_landings_is_found_where_both_are_nearly_as_far(lr):
    """On f1, that from the two-cycle and that from lr - 1, which is farther beyond 4.9215."""
    farthest = lr * np.log(lr) - lr + 1
    assert trapping_radius(f1, lr).r2 == pytest.approx(farthest, rel=1e-9)
