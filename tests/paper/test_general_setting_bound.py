"""The bound of the cosine on f3, against the cosine at random points of the boxes."""

import numpy as np
import pytest

from mslbook.losses import f3
from mslbook.paper.general_setting.f3_bound import c_of_f3_exceeds, cosine_in_boxes


def cosine_at(a, s):
    """The cosine of f3 at the points with x1 = a and x1 + x2 = s, and their distances from 0."""
    x = np.stack((a, s - a), axis=-1)
    grad, r = f3.grad(x), np.linalg.norm(x, axis=-1)
    return np.vecdot(x, grad) / r / np.linalg.norm(grad, axis=-1), r


def test_the_boxes_bound_the_cosine():
    """On many boxes, the bound is below the cosine at random points of the box."""
    rng = np.random.default_rng(0)
    half = 0.05
    a = half * (1 + 2 * rng.integers(0, 60, 4000))
    s = half * (1 + 2 * rng.integers(-60, 60, 4000))
    bound = cosine_in_boxes(a, s, half)
    for _ in range(50):
        cosine, r = cosine_at(*(x + rng.uniform(-half, half, 4000) for x in (a, s)))
        assert np.all((bound <= cosine)[(r > 0.3) & (bound < 1)])
    assert np.median(bound) > 0.3  # and not idle


def test_the_bound_of_a_small_box_is_the_cosine_there():
    rng = np.random.default_rng(1)
    a, s = (
        10 ** rng.uniform(-1, 1.2, 4000),
        rng.choice([-1, 1], 4000) * 10 ** rng.uniform(-1, 1.2, 4000),
    )
    cosine, r = cosine_at(a, s)
    bound, known = cosine_in_boxes(a, s, 1e-9), (r > 0.25) & (r < 29)
    np.testing.assert_allclose(bound[known], cosine[known], atol=1e-6)
    by_hand = cosine_in_boxes(np.array([0.05, 30.0]), np.array([0.05, 0.1]), 1e-9)
    np.testing.assert_array_equal(by_hand, 1)


@pytest.mark.parametrize(
    ("c", "proved"), [(0.24, True), (0.312, True), (0.313, False), (0.7, False)]
)
def test_the_constant_of_f3(c, proved):
    assert c_of_f3_exceeds(c) == proved
