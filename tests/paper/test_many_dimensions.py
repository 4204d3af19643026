"""The ledger of section 4.2: what is measured decides the verdict."""

import numpy as np
import pytest

from mslbook.descent import descend
from mslbook.losses import Quadratic, Ridge, Scaled, Sum, f1, f3
from mslbook.paper.many_dimensions import claims


def not_orthogonal(monkeypatch):
    """The same sum over directions that lean a little towards the first one."""

    def leaning(functions, basis):
        return Sum(Ridge(f, p + 0.1 * basis[0]) for f, p in zip(functions, basis, strict=True))

    monkeypatch.setattr(claims, "separable", leaning)


def with_a_shorter_step(monkeypatch):
    def shorter(loss, start, lr, *rest, **options):
        return descend(loss, start, np.multiply(lr, 0.3), *rest, **options)

    monkeypatch.setattr(claims, "descend", shorter)


def convex(monkeypatch):
    everywhere = Sum((Ridge(f1, (1, 0)), Ridge(f1, (1, 1)), f3.terms[2]))
    for name, loss in (("f2", f1), ("f3", everywhere), ("g", f1)):
        monkeypatch.setattr(claims, name, loss)


def subquadratic_all_the_way(monkeypatch):
    def no_quadratic(curvature):
        return Scaled(curvature, f1)

    monkeypatch.setattr(claims, "Quadratic", no_quadratic)


def growing_too_fast(monkeypatch):
    monkeypatch.setattr(claims, "f2", Quadratic())


@pytest.mark.parametrize(
    ("measure", "breakage"),
    [
        (claims.components_converge, not_orthogonal),
        (claims.exponentially_many, with_a_shorter_step),
        (claims.exponentially_many, not_orthogonal),
        (claims.right_panel, convex),
        (claims.many_and_long_periods, convex),
        (claims.chaos_is_easy, convex),
        (claims.bounded, subquadratic_all_the_way),
        (claims.bounded, growing_too_fast),
    ],
)
def test_what_is_measured_decides_the_verdict(decides, measure, breakage):
    decides(measure, breakage)


def test_random_basis_of_the_claims_is_orthonormal():
    np.testing.assert_allclose(claims.BASIS @ claims.BASIS.T, np.eye(claims.N), atol=1e-14)
