"""The demo of chapter 4.4: descent bounces across a valley, and walks along it."""

from pathlib import Path

import numpy as np

from mslbook.descent import descend
from mslbook.losses import Reciprocal, Ridge, Valley, f1
from mslbook.paper.demo import Curve, Demo, Panel, Rule, Slider, Trail
from mslbook.theory import quasistatic, stable_lr

STEPS = 168
SCRIPT = Path(__file__).with_suffix(".js")


def frame(lr, opening, x1, x2):
    """Descend in a valley that opens, and follow the slow motion from the same place along it."""
    valley = Valley(f1, h=Ridge(Reciprocal(), (opening,)))
    edge = (np.sqrt(lr / 2) - 1) / opening
    path = descend(valley, (x1, x2), lr, STEPS)
    at = f"after {STEPS} steps descent is at x₁ = {path.points[-1, 0]:.2f}"
    if lr * valley.h.value([x1]) ** 2 > stable_lr(f1):
        slow = quasistatic(valley, x1, lr, STEPS)
        x, y = slow.points[:, 0], slow.amplitudes
        fate = f"{at}, and the slow motion at {x[-1]:.2f}"
    else:
        x = y = np.full(STEPS + 1, np.nan)
        fate = f"a start beyond it has no two-cycle. The swing dies out; {at}"
    return {
        "edge": edge,
        "rails": (np.r_[x, np.nan, x], np.r_[y, np.nan, -y]),
        "descent": tuple(path.points.T),
        "slow": (path.steps, x),
        "walk": (path.steps, path.points[:, 0]),
        "caption": f"The edge is at x₁ = {edge:.2f}: {fate}.",
    }


def slow_walk():
    """Make the demo: a descent in the valley from above, and along the valley in time."""
    above = [
        Rule("edge", "x", label="the edge"),
        Trail("descent", drag=["x1", "x2"]),
        Curve("rails", label="the two-cycle, eq. (4.7)", dash="dashed"),
    ]
    along = [
        Rule("edge", "y", label="edge"),
        Trail("walk", label="descent"),
        Curve("slow", label="the slow motion, eq. (4.8)", dash="dashed"),
    ]
    sliders = [
        Slider("lr", "learning rate η", np.arange(210, 401, 2) / 100, value=3),
        Slider("opening", "opening of the valley", np.arange(50, 201, 2) / 1000, value=0.05),
        Slider("x1", "start x₁", np.arange(81) / 10, value=0),
        Slider("x2", "start x₂", np.arange(-30, 31) / 10, value=1),
    ]
    left = Panel("The valley from above", "x₁, along", "x₂, across", above, (-0.5, 9), (-4, 4))
    right = Panel("Along the valley", "step", "x₁", along, (0, STEPS), (0, 9))
    alt = "Left, descent bounces between two rails that close in on the edge. Right, it moves "
    alt += "along the valley ever more slowly, as the slow motion does."
    return Demo(frame, sliders, [left, right], alt=alt, script=SCRIPT, losses=["f1"])
