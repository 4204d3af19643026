"""The ledger of section 4.1: what is measured decides the verdict."""

import numpy as np
import pytest

from mslbook.descent import descend
from mslbook.losses import Quadratic
from mslbook.paper.one_dimension import claims


def on_a_parabola(monkeypatch):
    monkeypatch.setattr(claims, "f1", Quadratic())


def with_a_longer_step(monkeypatch):
    def longer(loss, start, lr, *rest, **options):
        return descend(loss, start, np.multiply(lr, 1.2), *rest, **options)

    monkeypatch.setattr(claims, "descend", longer)


@pytest.mark.parametrize(
    ("measure", "breakage"),
    [
        (claims.strongly_convex, on_a_parabola),
        (claims.stable_below, with_a_longer_step),
        (claims.all_reach_the_cycle, with_a_longer_step),
        (claims.contraction, with_a_longer_step),
    ],
)
def test_what_is_measured_decides_the_verdict(decides, measure, breakage):
    decides(measure, breakage)
