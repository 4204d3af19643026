"""The figures of chapter 3.2."""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import LogNorm
from matplotlib.ticker import MaxNLocator, NullFormatter

from mslbook.paper.style import BLUE, GREY, PURPLE, THREE_LINES, VERMILLION

WIDTH = 5.2  # inches: what is stacked stays readable on a telephone
LOOKS = (*((colour, dash) for colour, dash in THREE_LINES), (PURPLE, "--"))


def by_distance(found, curvatures=None, exponents=None):
    """Curvature and local exponent by distance from a line's minimum, on logarithmic axes.

    `found` maps a label to the `CurvatureProfile` of a line, of which the side of positive
    distances is shown; `curvatures` and `exponents` limit the axes, (low, high), where some of
    them fall or climb without end.
    """
    figure, (above, below) = plt.subplots(2, 1, figsize=(WIDTH, 5.8), sharex=True)
    for (colour, dash), (label, line) in zip(LOOKS, found.items(), strict=False):
        above.plot(line.distances[1], line.curvatures[1], dash, color=colour, label=label)
        below.plot(line.distances[1], line.exponents[1], dash, color=colour)
    below.axhline(2, color=GREY, linestyle=":", linewidth=1.2)
    above.set(ylabel="curvature C", yscale="log", ylim=curvatures)
    below.set(xlabel="distance", ylabel="exponent p", xscale="log", ylim=exponents)
    figure.legend(loc="outside upper center", ncols=2 if len(found) > 3 else len(found))
    return figure


def wide_lines(runs, near):
    """Journal fig. 3.2 left and middle, preprint fig. 3: lines over a wide range, on linear axes.

    `runs` maps the name of a network to its recording. Each is a row of two panels, both of the
    last recorded point: along the gradient up to the distance `near`, and along a random line up
    to the length of the parameters.
    """
    figure, rows = plt.subplots(len(runs), 2, figsize=(WIDTH, 4.8), squeeze=False)
    for row, (name, run) in zip(rows, runs.items(), strict=True):
        distances, descent, random = run["distances"], run["descent"][-1], run["random"][-1, 0]
        shown, wide = (abs(distances) <= far for far in (near, run["theta_norms"][-1]))
        row[0].plot(distances[shown], descent[shown], color=BLUE)
        row[1].plot(distances[wide], random[wide], "-.", color=VERMILLION)
        row[0].set_ylabel(name)
        for axes in row:
            axes.ticklabel_format(axis="y", scilimits=(-2, 3), useMathText=True)
            axes.set_ylim(bottom=0)
    for axes, direction in zip(rows[-1], ("along the gradient", "at random"), strict=True):
        axes.set_xlabel(direction)
    figure.supylabel("loss", fontsize="medium")
    return figure


def decayed_paths(projections, decays, moves):
    """Journal fig. 3.2 right, preprint fig. 3 right: paths in three directions, and their steps.

    `projections` (D, E + 1, 3) are whole paths, `decays` (D,) the epochs after which they are
    branches; `moves` (D, E) the lengths of their steps. The axes in space have no numbers, only
    how far the paths reach along each, in brackets: they are stretched to the same length.
    """
    figure = plt.figure(figsize=(WIDTH, 7))
    rows = figure.add_gridspec(2, 1, height_ratios=(2, 1))
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
        space.plot(*branch.T, dash, color=colour, linewidth=2.5)
        space.plot(*branch[:1].T, marker, color=colour, markersize=9, label=f"decay at {decay}")
        space.plot(*branch[-1:].T, marker, color=colour, markersize=9, fillstyle="none")
        lengths.plot(np.arange(decay + 1, len(path)), steps[decay:], dash, color=colour)
    lengths.set(xlabel="step", ylabel="length of a step", yscale="log")
    names = ("trunk", "first branch", "last branch")
    reach = np.ptp(projections, axis=(0, 1))
    for axis, name, far in zip((space.xaxis, space.yaxis, space.zaxis), names, reach, strict=True):
        axis.set_label_text(f"{name} ({far:.2g})")
        axis.set_pane_color((0, 0, 0, 0))
        axis.set_major_locator(MaxNLocator(3, prune="both"))
        axis.set_major_formatter(NullFormatter())
        axis.labelpad = -8
    space.grid(visible=False)
    figure.legend(loc="outside upper center", ncols=2, columnspacing=1, handletextpad=0.3)
    space.set_box_aspect((1, 1, 0.8), zoom=0.95)
    return figure


def trench_and_pit(away, trench, pit):
    """Two planes through a point of training, losses (D, D) at the distances `away` (D,).

    In both the first axis is drawn to the right: of the gradient in the one, of the sharpest
    direction in the other.
    """
    figure, panels = plt.subplots(1, 2, figsize=(WIDTH, 2.9), sharex=True, sharey=True)
    levels = np.geomspace(trench.min(), max(trench.max(), pit.max()), 11)
    labels = (("along the gradient", "at random"), ("sharpest", "second sharpest"))
    for axes, losses, (right, up) in zip(panels, (trench, pit), labels, strict=True):
        shades = axes.contourf(away, away, losses.T, levels, cmap="Blues_r", norm=LogNorm())
        axes.contour(away, away, losses.T, levels, colors=[GREY], linewidths=0.6)
        axes.set(xlabel=right, ylabel=up, aspect="equal")
    bar = figure.colorbar(shades, ax=panels, label="loss", shrink=0.8)
    bar.set_ticks([0.1, 0.3, 1], labels=["0.1", "0.3", "1"])
    bar.minorticks_off()
    return figure
