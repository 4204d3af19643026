"""The demo of chapter 4.1: where the average curvature meets 2/η, descent finds its two-cycle."""

from pathlib import Path

import numpy as np

from mslbook.descent import descend
from mslbook.losses import f1
from mslbook.paper.demo import Curve, Demo, Panel, Points, Rule, Slider, Trail
from mslbook.theory import two_cycle

STEPS = 20
SCRIPT = Path(__file__).with_suffix(".js")
X = np.linspace(-8, 8, 161)


def average_curvature(x):
    """Return f₁'(x) / x: the curvature of f₁ averaged between the minimum and x."""
    x = np.where(x == 0, 1e-12, x)
    return f1.grad(x) / x


def frame(lr, start):
    """Draw the level 2/η, the two-cycle where it crosses the average curvature, and a descent."""
    level = 2 / lr
    size = two_cycle(f1, lr) if lr > 2 else np.nan
    swing = size * np.array([-1, 1])
    path = descend(f1, start, lr, STEPS).points
    to = np.append(path[:1], np.repeat(path[1:], 2))  # a cobweb turns twice in each step
    if start == 0:
        fate = "but a start at exactly 0 stays there"
    elif lr > 2:
        fate = (
            f"crossing the curve at ±{size:.2f}: between these two points descent ends up jumping"
        )
    elif lr == 2:
        fate = "touching the curve at its top: descent settles, slowly"
    else:
        fate = "above the whole curve: descent settles at the minimum"
    return {
        "level": level,
        "swing": (swing, np.full(2, level)),
        "crossing": (swing, np.full(2, level)),
        "descent": (to, average_curvature(to)),
        "map": (X, X - lr * f1.grad(X)),
        "cycle": (swing, -swing),
        "cobweb": (np.repeat(path, 2)[:-1], to),
        "caption": f"At η = {lr:g} the level 2/η is {level:.4g}, {fate}.",
    }


def dance():
    """Make the demo: the average curvature of f₁ with the level 2/η, and the cobweb."""
    looks = {"colour": "blue", "marker": "diamond"}
    left = [
        Curve("swing", label="the swing", colour="blue", shade=True),
        Curve("average", X, average_curvature(X), label="f₁′(x)/x", colour="ink"),
        Rule("level", "y", label="2/η", colour="blue"),
        Trail("descent", drag=["start"]),
        Points("crossing", label="±x_η", **looks),
    ]
    right = [
        Curve("diagonal", X, X, label="", colour="ink", dash="dotted"),
        Curve("map", label="x − η f₁′(x)", colour="ink"),
        Trail("cobweb", label="", drag=["start"]),
        Points("cycle", label="", **looks),
    ]
    lr = Slider("lr", "learning rate η", np.arange(50, 701, 5) / 100, value=5)
    start = Slider("start", "start x₀", np.arange(-75, 76) / 10, value=1)
    panels = [
        Panel("Average curvature", "x", "", left, (-8, 8), (0, 1.2)),
        Panel("From one iterate to the next", "x_t", "x_{t+1}", right, (-8, 8), (-8, 8)),
    ]
    alt = "Left, the average curvature falls on both sides of the minimum and crosses the level "
    alt += "2/η at two points, between which descent ends up jumping. Right, the same as a cobweb."
    times = np.append(0, np.repeat(np.arange(1, STEPS + 1), 2))
    return Demo(frame, [lr, start], panels, alt=alt, times=times, script=SCRIPT, losses=["f1"])
