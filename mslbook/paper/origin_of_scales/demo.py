"""The demo of chapter 6: two groups of data, their loss, and how it bends."""

from pathlib import Path

import numpy as np
from scipy.stats import lognorm

from mslbook.losses import PopulationLoss, Scaled, Sum
from mslbook.paper.demo import Curve, Demo, Panel, Slider

X = np.logspace(-1.3, 3.3, 93)
W = np.geomspace(5e-4, 50, 64)
SCRIPT = Path(__file__).with_suffix(".js")


def frame(ratio, share, spread):
    """Draw the density of two log-normal groups, their loss and its average curvature."""
    groups = [(1 - share, lognorm(spread)), (share, lognorm(spread, scale=ratio))]
    loss = Sum([Scaled(part, PopulationLoss(data)) for part, data in groups])
    average = loss.grad(W) / W
    between = ratio**-0.5  # halfway between the two wells, on a log axis
    level = loss.grad(between) / between
    bottom, level, between = (
        f"{float(f'{number:.3g}'):,g}" for number in (loss.hvp(0.0, 1.0), level, between)
    )
    who = f"{share:.0%} of the data are {ratio:g} times as large as the others"
    if ratio == 1:
        who = "All the data belong to one group"
    return {
        "density": (X, sum(part * X * data.pdf(X) for part, data in groups)),
        "loss": (W, loss.value(W)),
        "average": (W, np.where(average > 1e-3, average, np.nan)),
        "caption": f"{who}. Average curvature: {bottom} at the bottom, {level} at w = {between}.",
    }


def two_groups():
    """Make the demo: two bumps of data, and the two steps of their loss."""
    density = [Curve("density", colour="green")]
    average = [Curve("average", label="average curvature", colour="vermillion")]
    log = {"xscale": "log"}
    x, w = (0.05, 2000), (5e-4, 50)
    sliders = [
        Slider("ratio", "large / small", range(1, 101), value=100),
        Slider("share", "share of the large", np.arange(5, 96) / 100, value=0.5),
        Slider("spread", "spread of each group", np.arange(30, 101) / 100, value=0.3),
    ]
    panels = [
        Panel("The data", "x", "share of data per e-fold of x", density, x, (0, 1.4), **log),
        Panel("Their loss", "w", "L(w)", [Curve("loss")], w, (0, 1.05), **log),
        Panel("How it bends", "w", "L′(w)/w", average, w, (1e-3, 1e6), "log", "log"),
    ]
    alt = "Two bumps of data; a loss with two steps; a curvature with two plateaus."
    return Demo(frame, sliders, panels, alt=alt, play="spread", script=SCRIPT)
