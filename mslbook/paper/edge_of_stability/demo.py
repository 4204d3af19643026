"""The demos of chapter 2.1: a network at the edge, and one iterate on a parabola."""

from pathlib import Path

import numpy as np

from mslbook.descent import descend
from mslbook.losses import Quadratic
from mslbook.paper.demo import Curve, Demo, Panel, Rule, Slider, Trail
from mslbook.paper.demo.frames import written

STEPS = 20
SCRIPT = Path(__file__).with_suffix(".js")


def at_the_edge(run):
    """Make the demo of a recorded run: sharpness and loss in time, and the loss if quadratic."""
    times = np.arange(run["probe_steps"].shape[1]) / 2

    def frame(lr):
        i = int(abs(run["lrs"] - lr).argmin())
        lr, steps, branch = run["lrs"][i], run["probe_steps"][i], run["branch_steps"][i]
        after = steps - branch  # the quadratic begins where the sharpness has passed the edge
        quadratic = run["quadratic_losses"][i]
        inside = (after >= 0) & (after < len(quadratic))
        values = np.where(inside, quadratic[np.clip(after, 0, len(quadratic) - 1)], np.nan)
        return {
            "edge": 2 / lr,
            "sharpness": (lr * steps, run["eigenvalues"][i, :, 0]),
            "quadratic": (lr * steps, values),
            "network": (lr * steps, run["losses"][i, steps]),
            "caption": f"At η = {lr:g} the edge is 2/η = {2 / lr:.0f}. The sharpness rises past it "
            "and stays just above; the loss goes on falling, where a quadratic one would shoot up.",
        }

    left = [Rule("edge", "y", label="2/η"), Trail("sharpness", label="")]
    right = [
        Trail("quadratic", label="if it were quadratic", colour="blue"),
        Trail("network", label="the network"),
    ]
    alt = "Left, the sharpness of a network rises during training until it passes the line 2/η, "
    alt += (
        "and stays just above it. Right, the loss keeps falling; on a quadratic it would shoot up."
    )
    lr = Slider("lr", "learning rate η", np.sort(run["lrs"]), value=0.0125)
    panels = [
        Panel("Sharpness", "time ηt", "", left, ylim=(0, 260)),
        Panel("Training loss", "time ηt", "", right, ylim=(0.01, 10), yscale="log"),
    ]
    return Demo(frame, [lr], panels, alt=alt, count="time ηt", times=times)


def frame(product, start):
    """Descend on a parabola of curvature λ = 1, where each step multiplies x by 1 - ηλ."""
    path = descend(Quadratic(), start, product, STEPS)
    factor = round(1 - product, 2)
    if product < 1:
        fate = f"each step leaves {factor:.0%} of x: decay"
    elif product == 1:
        fate = "one step lands on the minimum"
    elif product < 2:
        fate = f"each step flips x and leaves {-factor:.0%} of it: decay, from side to side"
    elif product == 2:
        fate = "each step flips x, and descent goes on for ever"
    else:
        fate = f"each step flips x and makes it {-factor:g} times as large: an explosion"
    return {
        "on the parabola": (path.points, path.values),
        "iterates": (path.steps, path.points),
        "caption": f"At ηλ = {product:g} the factor is 1 − ηλ = {written(factor)}: {fate}.",
    }


def flip():
    """Make the demo of one iterate on a parabola: decay, flip, explosion."""
    x = np.linspace(-4, 4, 81)
    parabola = Curve("parabola", x, x**2 / 2, label="", colour="ink")
    walk = Trail("on the parabola", label="", colour="blue", drag=["start"])
    in_time = [
        Rule("minimum", "y", value=0, label="", dash="dotted"),
        Trail("iterates", label="", colour="blue", drag=["start"]),
    ]
    product = Slider("product", "ηλ", np.arange(5, 301) / 100, value=2.1)
    start = Slider("start", "start x₀", np.arange(-35, 36) / 10, value=0.5)
    left = Panel("On the parabola", "x", "λx²/2", [parabola, walk], (-4, 4), (0, 8))
    right = Panel("Step by step", "step", "x", in_time, (0, STEPS), (-4, 4))
    alt = "Left, an iterate on a parabola flips from side to side, each time farther out. Right, "
    alt += "its position step by step."
    return Demo(frame, [product, start], [left, right], alt=alt, script=SCRIPT, losses=["parabola"])
