"""The figures of chapter 3.1."""

import matplotlib.pyplot as plt
import numpy as np

from mslbook.paper.style import BLUE, GREY, ONE_PANEL, THREE_LINES, TWO_PANELS, VERMILLION

DOWNHILL = "distance downhill, in steps"


def along_the_gradient(runs, probes, second_differences):
    """Journal fig. 3.1, preprint fig. 2: loss and second differences along lines of descent.

    `runs` are recordings by the name of the network; by name as well, `probes` are the indices of
    the lines to show, and `second_differences` (D - 2,) are at a quarter of a step.
    """
    size = (7.0, 5.0)
    figure, rows = plt.subplots(2, len(runs), figsize=size, sharex=True, squeeze=False)
    figure.supxlabel(DOWNHILL, fontsize="medium")
    for (upper, lower), (name, run) in zip(rows.T, runs.items(), strict=True):
        steps, losses = run["slice_steps"], run["slices"][probes[name]]
        upper.plot(steps, losses, "-", color=BLUE)
        for place, fill, label in ((0, "none", "iterate"), (1, "full", "next one")):
            height = losses[abs(steps - place).argmin()]
            look = {"color": VERMILLION, "fillstyle": fill, "linestyle": "none"}
            upper.plot(place, height, "o", markersize=8, label=label, **look)
        upper.set(title=name)
        lower.plot(steps[::4][1:-1], second_differences[name], ".-", color=BLUE, linewidth=1.5)
        lower.axhline(2 / run["lr"], color=GREY, linestyle="--", linewidth=1.5, label="2/η")
    rows[0, 0].set_ylabel("loss")
    rows[1, 0].set_ylabel("second difference")
    _legend_above(figure, *rows[:, 0])
    return figure


def many_lines(found):
    """Curvature along many lines of descent, in two parts of each run: median and middle half.

    `found` holds, by the name of the run, a dictionary of at most two
    :class:`~mslbook.paper.gradient_lines.Lines` by its part. Panels come in rows of three.
    """
    rows = -(-len(found) // 3)
    size, shared = (7.0, 1.2 + 2 * rows), {"sharex": True, "sharey": True}
    figure, panels = plt.subplots(rows, min(len(found), 3), figsize=size, squeeze=False, **shared)
    figure.supxlabel(DOWNHILL, fontsize="medium")
    for unused in panels.flat[len(found) :]:
        unused.remove()
    for axes, (name, parts) in zip(panels.flat, found.items(), strict=False):
        for (part, lines), (colour, dash) in zip(parts.items(), THREE_LINES, strict=False):
            steps = lines.steps[1:-1]
            low, middle, high = np.quantile(lines.second_differences, (0.25, 0.5, 0.75), axis=0)
            axes.fill_between(steps, low, high, color=colour, alpha=0.2, linewidth=0)
            axes.plot(steps, middle, dash, color=colour, label=part)
        _edge(axes)
        axes.set(title=name)
    for axes in panels[:, 0]:
        axes.set_ylabel("curvature, in 2/η")
    _legend_above(figure, panels[0, 0])
    return figure


def two_lines(steps, second_differences, labels):
    """Curvature along two lines through the last iterate of each network, named by two labels.

    `second_differences` holds, by the name of the network, two rows at the inner ones of `steps`,
    in units of 2/η.
    """
    figure, panels = plt.subplots(1, len(second_differences), figsize=TWO_PANELS, squeeze=False)
    figure.supxlabel(DOWNHILL, fontsize="medium")
    for axes, (name, both) in zip(panels[0], second_differences.items(), strict=True):
        for row, label, (colour, dash) in zip(both, labels, THREE_LINES, strict=False):
            axes.plot(steps[1:-1], row, dash, color=colour, label=label)
        _edge(axes)
        axes.set(title=name)
    panels[0, 0].set_ylabel("curvature, in 2/η")
    _legend_above(figure, panels[0, 0])
    return figure


def spectra(grid, shares):
    """The share of the Hessian's eigenvalues above each value, for every network."""
    figure, axes = plt.subplots(figsize=ONE_PANEL)
    for (name, share), (colour, dash) in zip(shares.items(), THREE_LINES, strict=False):
        axes.plot(grid, np.where(share > 0, share, np.nan), dash, color=colour, label=name)
    axes.axvline(1, color=GREY, linestyle="--", linewidth=1.5)
    axes.text(0.9, 0.95, "2/η", ha="right", transform=axes.get_xaxis_transform())
    axes.set(xscale="log", yscale="log", xlabel="eigenvalue, in 2/η", ylabel="share above")
    axes.legend(loc="lower left")
    return figure


def live_line(steps, losses, parabola, second_differences):
    """Loss and curvature, in 2/η, along one line, and the parabola of its bottom."""
    figure, (left, right) = plt.subplots(1, 2, figsize=TWO_PANELS)
    left.plot(steps, losses, "-", color=BLUE, label="loss")
    left.plot(steps, parabola, "--", color=GREY, linewidth=1.2, label="parabola")
    right.plot(steps[1:-1], second_differences, "-", color=BLUE)
    _edge(right)
    left.set(xlabel=DOWNHILL, ylabel="loss")
    right.set(xlabel=DOWNHILL, ylabel="curvature, in 2/η")
    left.legend(loc="upper center")
    return figure


def _legend_above(figure, *panels):
    """One legend for all columns, with what the first one shows."""
    drawn = [panel.get_legend_handles_labels() for panel in panels]
    handles, labels = (sum(parts, []) for parts in zip(*drawn, strict=True))
    figure.legend(handles, labels, loc="outside upper center", ncols=len(labels))


def _edge(axes):
    """The level 2/η where curvatures are counted in it."""
    axes.axhline(1, color=GREY, linestyle="--", linewidth=1.5)
    axes.text(0.98, 1, "2/η", ha="right", va="bottom", transform=axes.get_yaxis_transform())
