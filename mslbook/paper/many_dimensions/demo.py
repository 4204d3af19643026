"""The demo of chapter 4.2: two orthogonal directions, each with a dance of its own."""

from pathlib import Path

import numpy as np

from mslbook.descent import descend
from mslbook.losses import Scaled, f1, separable
from mslbook.paper.demo import Curve, Demo, Panel, Points, Slider, Trail
from mslbook.theory import stable_lr, two_cycle

STEPS = 20
SCRIPT = Path(__file__).with_suffix(".js")
STEEP_AND_FLAT = f1, Scaled(0.5, f1)
SIGNS = np.array([[1, 1], [1, -1], [-1, 1], [-1, -1]])
STARTS = np.stack(np.meshgrid(np.arange(-27, 28, 6), np.arange(-17.5, 18, 5)), -1).reshape(-1, 2)
FATES = (
    "both directions settle: no cycle",
    "the steep direction jumps: one two-cycle. The flat one settles, and counts as +",
    "both directions jump: four sign patterns, two two-cycles",
)


def rotation(degrees):
    """Return two orthonormal vectors, in rows, turned by an angle."""
    cos, sin = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return np.array([[cos, sin], [-sin, cos]])


def edges(f, lr, count=3):
    """Return the c_1 < c_2 < ... that descent on f takes to 0 in 1, 2, ... steps."""
    if lr <= stable_lr(f):
        return np.full(count, np.nan)  # there are none
    c = [0.0]
    for _ in range(count):
        x = 1e3
        for _ in range(200):  # decreases to the solution of x - lr f'(x) = c[-1]
            x = c[-1] + lr * f.grad(x)
        c.append(x)
    return np.array(c[1:])


def segments(ends):
    """Return line segments (m, 2, 2) as one curve with a gap after each: arrays x and y."""
    return tuple(np.pad(ends, [(0, 0), (0, 1), (0, 0)], constant_values=np.nan).reshape(-1, 2).T)


def frame(lr, angle, x1, x2):
    """Descend from a grid of starts, told apart by their signs in the end, and from (x1, x2)."""
    p = rotation(angle)
    loss = separable(STEEP_AND_FLAT, p)
    sizes = np.array([two_cycle(f, lr) if lr > stable_lr(f) else 0 for f in STEEP_AND_FLAT])
    corners = SIGNS * sizes @ p
    borders = []
    for f, across, along in zip(STEEP_AND_FLAT, p, p[::-1], strict=True):
        c = edges(f, lr)
        middles = np.outer([*-c, 0 * c[0], *c], across)
        borders += [(middle - 60 * along, middle + 60 * along) for middle in middles]
    marks = {
        "borders": segments(borders),
        "cycles": segments([(corner, -corner) for corner in corners[:2]]),
        "basis": segments([(-20 * one, 20 * one) for one in p]),
    }
    ends = descend(loss, STARTS, lr, STEPS, every=STEPS).points[-1] @ p.T
    signs = np.where((ends > 0) | (sizes == 0), 1, -1)
    for k, (x, y) in enumerate(corners):
        here = np.all(signs == SIGNS[k], axis=1)
        marks[f"from{k}"] = STARTS[:, 0], np.where(here, STARTS[:, 1], np.nan)
        marks[f"to{k}"] = [x], [y if here.any() else np.nan]
    marks["descent"] = marks["its end"] = tuple(descend(loss, (x1, x2), lr, STEPS).points.T)
    return marks | {"caption": f"At η = {lr:g} {FATES[np.count_nonzero(sizes)]}."}


def side_by_side():
    """Make the demo: starts by the sign pattern they reach, and the two-cycles where they end."""
    looks = [
        {"label": "+ +", "colour": "blue", "marker": "circle"},
        {"label": "+ −", "colour": "ochre", "marker": "square"},
        {"label": "− +", "colour": "sky", "marker": "diamond"},
        {"label": "− −", "colour": "vermillion", "marker": "triangle"},
    ]
    left = [
        Curve("borders", colour="ink"),
        *(Points(f"from{k}", **look) for k, look in enumerate(looks)),
        Trail("descent", label="one descent", colour="purple", drag=["x1", "x2"]),
    ]
    right = [
        Curve("basis", colour="ink", dash="dotted"),
        Curve("cycles", colour="ink", label="two-cycles"),
        Trail("its end", label="", colour="purple"),
        *(Points(f"to{k}", **look) for k, look in enumerate(looks)),
    ]
    sliders = [
        Slider("lr", "learning rate η", np.arange(100, 801, 5) / 100, value=6),
        Slider("angle", "angle of the basis", range(91), value=30, unit="°"),
        Slider("x1", "start x₁", np.arange(-290, 291) / 10, value=-14),
        Slider("x2", "start x₂", np.arange(-190, 191) / 10, value=14),
    ]
    starts = Panel("Starts", "x₁", "x₂", left, (-30, 30), (-20, 20), equal=True)
    ends = Panel("Where they end", "x₁", "x₂", right, (-12, 12), (-8, 8), equal=True)
    alt = "Left, a tilted chequerboard of starts in four marks, by the pattern that they reach. "
    alt += "Right, the four corners where the descents end, joined by two diagonals."
    return Demo(frame, sliders, [starts, ends], alt=alt, script=SCRIPT, losses=["f1"])
