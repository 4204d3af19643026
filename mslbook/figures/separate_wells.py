"""The figures of chapter 3.2."""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.ticker import MaxNLocator

from mslbook.figures import BLUE, GREY, PURPLE, THREE_LINES, TWO_PANELS, VERMILLION

LOOKS = (*((colour, dash) for colour, dash in THREE_LINES), (PURPLE, "--"))


def by_distance(curves, floor=None):
    """Curvature and local exponent by distance from a line's minimum, on logarithmic axes.

    `curves` maps a label to (distances, curvatures, exponents); `floor` is the least curvature
    shown, where some of it is only noise or falls without end.
    """
    figure, (left, right) = plt.subplots(1, 2, figsize=TWO_PANELS)
    for (colour, dash), (label, (away, bends, exponents)) in zip(
        LOOKS, curves.items(), strict=False
    ):
        left.plot(away, bends, dash, color=colour, label=label)
        right.plot(away, exponents, dash, color=colour)
    right.axhline(2, color=GREY, linestyle=":", linewidth=1.2)
    left.set(xlabel="distance", ylabel="curvature", xscale="log", yscale="log")
    right.set(xlabel="distance", ylabel="exponent", xscale="log")
    if floor is not None:
        left.set_ylim(bottom=floor)
    left.legend(loc="best")
    return figure


def wide_lines(distances, descent, random, ranges):
    """Journal fig. 3.2 left and middle, preprint fig. 3: the same two lines over each range.

    `descent` and `random` are the losses at `distances`; each row of panels shows them between
    plus and minus a range, on linear axes.
    """
    figure, panels = plt.subplots(
        2, len(ranges), figsize=(TWO_PANELS[0], 4.4), sharex="col", squeeze=False
    )
    for row, (name, losses, colour) in zip(
        panels, (("gradient", descent, BLUE), ("random", random, VERMILLION)), strict=True
    ):
        for axes, reach in zip(row, ranges, strict=True):
            shown = np.abs(distances) <= reach
            axes.plot(distances[shown], losses[shown], color=colour)
            axes.axvline(0, color=GREY, linestyle=":", linewidth=1.2)
            axes.ticklabel_format(axis="y", scilimits=(-2, 3), useMathText=True)
        row[0].set_ylabel(f"loss, {name}")
    for axes in panels[-1]:
        axes.set_xlabel("distance")
    return figure


def decayed_paths(projections, decays, moves):
    """Journal fig. 3.2 right, preprint fig. 3 right: the paths in three directions, from two sides.

    `projections` (D, E + 1, 3) are whole paths, `decays` (D,) the epochs after which they are
    branches; `moves` (D, E) the lengths of their steps.
    """
    figure = plt.figure(figsize=(7.0, 3.6))
    rows = figure.add_gridspec(1, 2, width_ratios=(1.2, 1), wspace=0.35)
    space = figure.add_subplot(rows[0], projection="3d")
    lengths = figure.add_subplot(rows[1])
    last = decays[-1]
    space.plot(*projections[-1, : last + 1].T, color=GREY, linewidth=0.8, label="before")
    lengths.plot(np.arange(1, last + 1), moves[-1, :last], color=GREY, linewidth=0.8)
    looks = zip(THREE_LINES, "o^s", strict=True)
    for path, steps, decay, ((colour, dash), marker) in zip(
        projections, moves, decays, looks, strict=True
    ):
        branch = path[decay:]
        space.plot(*branch.T, dash, color=colour, linewidth=2)
        space.plot(*branch[:1].T, marker, color=colour, markersize=7, label=f"decay at {decay}")
        space.plot(*branch[-1:].T, marker, color=colour, markersize=7, fillstyle="none")
        lengths.plot(np.arange(decay + 1, len(path)), steps[decay:], dash, color=colour)
    lengths.set(xlabel="step", ylabel="length of a step", yscale="log")
    for axis, name in zip("xyz", ("trunk", "first branch", "last branch"), strict=True):
        getattr(space, f"set_{axis}label")(name, fontsize=10)
    space.tick_params(labelsize=8, pad=-3)
    for axis in (space.xaxis, space.yaxis, space.zaxis):
        axis.set_pane_color((0, 0, 0, 0))
        axis.set_major_locator(MaxNLocator(4))
        axis.labelpad = -4
    space.grid(visible=False)
    space.legend(loc="upper left", fontsize=9, labelspacing=0.2)
    space.set_box_aspect(None, zoom=0.9)
    return figure
