"""The demo of the home page: one learning rate, two losses, two fates."""

from pathlib import Path

import numpy as np

from mslbook.descent import descend
from mslbook.losses import Quadratic, f1
from mslbook.paper.demo import Curve, Demo, Panel, Slider, Trail

STEPS = 40
SCRIPT = Path(__file__).with_suffix(".js")
LOSSES = {"parabola": (Quadratic(), "blue", "dashed"), "flatter loss": (f1, "vermillion", "solid")}


def frame(lr, start):
    """Descend on both losses, whose curvature at the minimum is 1, from one start."""
    marks = {}
    for name, (loss, *_) in LOSSES.items():
        path = descend(loss, start, lr, STEPS)
        marks[f"on the {name}"] = path.points, path.values
        marks[f"of the {name}"] = path.steps, path.values
    if lr < 2:
        fate = "below 2: on both losses descent settles at the minimum"
    elif lr == 2:
        fate = "exactly 2: descent bounces on the parabola, and settles slowly on the flatter loss"
    else:
        fate = (
            "above 2: on the parabola descent flies off; on the flatter loss it keeps bouncing, "
            "and stays. Neural networks do the second"
        )
    return marks | {"caption": f"A learning rate of {lr:g} is {fate}."}


def two_fates():
    """Make the demo: gradient descent on a parabola and on f₁, at one learning rate."""
    x = np.linspace(-7, 7, 141)
    drawn, walks, falls = [], [], []
    for name, (loss, colour, dash) in LOSSES.items():
        drawn.append(Curve(name, x, loss.value(x), colour=colour, dash=dash))
        drag = ["start"] if loss is f1 else []
        walks.append(Trail(f"on the {name}", label="", colour=colour, drag=drag))
        falls.append(Trail(f"of the {name}", label=f"on the {name}", colour=colour))
    lr = Slider("lr", "learning rate η", np.arange(25, 501, 5) / 100, value=3)
    start = Slider("start", "start x₀", np.arange(-60, 61) / 10, value=1.5)
    left = Panel("Where it goes", "x", "loss", drawn + walks, (-7, 7), (0, 16))
    right = Panel("Step by step", "step", "loss", falls, (0, STEPS), (1e-9, 1e6), yscale="log")
    alt = "Left, a parabola and a loss that grows more slowly, with a descent on each. Right, "
    alt += "the two losses step by step: the parabola's shoots up, the other levels off."
    used = ["parabola", "f1"]
    return Demo(frame, [lr, start], [left, right], alt=alt, script=SCRIPT, losses=used)
