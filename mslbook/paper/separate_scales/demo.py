"""The demo of chapter 5: the step at which the learning rate decays decides when one arrives."""

from pathlib import Path

import numpy as np

from mslbook.descent import descend
from mslbook.losses import two_valleys
from mslbook.paper.demo import Curve, Demo, Image, Panel, Rule, Slider, Trail

STEPS = 2200
SCRIPT = Path(__file__).with_suffix(".js")


def first_inside(points):
    """Return at which point a descent is first in the narrow valley, or the number of points."""
    inside = abs(points[:, 0]) < 0.17
    return inside.argmax() if inside.any() else len(points)


def frame(decay, x1, x2):
    """Descend at 2.5, from the decay on at 0.25, and upon arrival at 0.05."""
    decay = round(decay)
    large = descend(two_valleys, (x1, x2), 2.5, STEPS)
    small = descend(two_valleys, large.points[decay], 0.25, STEPS - decay).points
    wait = first_inside(small)
    rest = descend(two_valleys, small[min(wait, STEPS - decay)], 0.05, STEPS - decay).points
    points = np.concatenate([large.points[:decay], small[:wait], rest])[: STEPS + 1]
    there = first_inside(large.points)
    arrives = wait < len(small)
    fate = f"arrives at step {decay + wait}" if arrives else f"has not arrived at step {STEPS}"
    alone = f"brings it there at step {there}" if there <= STEPS else "does not bring it there"
    return {
        "path": tuple(points.T),
        "loss": (large.steps, two_valleys.value(points)),
        "alone": (large.steps, np.where(large.steps <= there, large.values, np.nan)),
        "decay": decay,
        "there": there if there <= STEPS else np.nan,
        "caption": f"Decayed at step {decay}, descent {fate}. "
        f"The large learning rate alone {alone}.",
    }


def when_to_decay():
    """Make the demo: descent in two valleys that cross, and the loss by step."""
    grid = np.linspace(-21, 3, 481), np.linspace(-3.5, 3.5, 36)
    heights = two_valleys.value(np.stack(np.meshgrid(*grid), axis=-1))
    above = [
        Image("landscape", *grid, heights, label="loss", range=(0, 1.8)),
        Rule("narrow", "x", value=0, label="narrow valley"),
        Trail("path", label="descent", drag=["x1", "x2"]),
    ]
    by_step = [
        Curve("alone", label="at 2.5 until it is there", colour="ink", dash="dotted"),
        Trail("loss", label="descent"),
        Rule("decay", "x", label="decay"),
        Rule("there", "x", label="there", dash="dotted"),
    ]
    decay = Slider("decay", "decay at step", range(821), value=650)
    x1 = Slider("x1", "start x₁", np.arange(-210, 31) / 10, value=-20)
    x2 = Slider("x2", "start x₂", np.arange(-35, 36) / 10, value=3)
    left = Panel("Seen from above", "x₁", "x₂", above)
    right = Panel("Step by step", "step", "loss", by_step, (0, STEPS), (0, 0.8))
    alt = "Left, descent in a wide valley that is crossed by a narrow one. Right, the loss by "
    alt += "step, with the decay of the learning rate."
    used = ["two_valleys"]
    return Demo(frame, [decay, x1, x2], [left, right], alt=alt, script=SCRIPT, losses=used)
