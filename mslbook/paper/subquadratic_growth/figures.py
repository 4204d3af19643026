"""The figures of chapter 3.1. Second differences along lines of descent are in units of 2/η."""

import matplotlib.pyplot as plt
import numpy as np

from mslbook.paper import style
from mslbook.paper.gradient_lines import edge
from mslbook.paper.style import BLUE, DASHED, GREY, ONE_PANEL, THREE_LINES, VERMILLION

DOWNHILL = "distance downhill, in steps"
CURVATURE = "curvature, in 2/η"


def along_the_gradient(runs, probes, second_differences):
    """Journal fig. 3.1, preprint fig. 2: loss and second differences along one line of each run."""
    size = (7.0, 5.0)
    figure, rows = plt.subplots(2, len(runs), figsize=size, sharex=True, squeeze=False)
    figure.supxlabel(DOWNHILL, fontsize="medium")
    for (upper, lower), (name, run) in zip(rows.T, runs.items(), strict=True):
        steps, losses = run["slice_steps"], run["slices"][probes[name]]
        upper.plot(steps, losses, "-", color=BLUE)
        for place, fill, label in ((0, "none", "iterate"), (1, "full", "next one")):
            look = {"color": VERMILLION, "fillstyle": fill, "markersize": 8, "label": label}
            upper.plot(place, losses[abs(steps - place).argmin()], "o", **look)
        upper.set(title=name)
        lower.plot(steps[::4][1:-1], second_differences[name], ".-", color=BLUE, linewidth=1.5)
        lower.axhline(edge(run), label="2/η", **DASHED)
    rows[0, 0].set_ylabel("loss")
    rows[1, 0].set_ylabel("second difference")
    style.legend_outside(figure, *rows[:, 0])
    return figure


def many_lines(runs):
    """Median and middle half of the curvature along many lines, by run and by part of the run."""
    figure, panels = style.small_multiples(runs, "", CURVATURE, sharex=True, sharey=True)
    figure.supxlabel(DOWNHILL, fontsize="medium")
    for axes, parts in zip(panels, runs.values(), strict=True):
        for (part, lines), look in zip(parts.items(), THREE_LINES, strict=False):
            steps = lines.steps[1:-1]
            low, middle, high = np.quantile(lines.second_differences, (0.25, 0.5, 0.75), axis=0)
            axes.fill_between(steps, low, high, color=look["color"], alpha=0.2, linewidth=0)
            axes.plot(steps, middle, label=part, **look)
        _edge(axes)
    style.legend_outside(figure, panels[0])
    return figure


def two_lines(steps, second_differences, labels):
    """Curvature along two labelled lines through the last iterate of each network."""
    figure, panels = style.small_multiples(second_differences, "", CURVATURE)
    figure.supxlabel(DOWNHILL, fontsize="medium")
    for axes, rows in zip(panels, second_differences.values(), strict=True):
        style.plot_each(axes, steps[1:-1], dict(zip(labels, rows, strict=True)))
        _edge(axes)
    style.legend_outside(figure, panels[0])
    return figure


def spectra(grid, shares):
    """The share of the Hessian's eigenvalues above each value, for every network."""
    figure, axes = plt.subplots(figsize=ONE_PANEL)
    style.plot_each(axes, grid, {name: np.where(y > 0, y, np.nan) for name, y in shares.items()})
    axes.axvline(1, **DASHED)
    axes.text(0.9, 0.95, "2/η", ha="right", transform=axes.get_xaxis_transform())
    style.label_axes(axes, "eigenvalue, in 2/η", "share above", log="xy", legend="lower left")
    return figure


def live_line(steps, losses, parabola, second_differences):
    """Loss and curvature along one line, and the parabola that fits its minimum."""
    figure, (left, right) = plt.subplots(1, 2)
    left.plot(steps, losses, "-", color=BLUE, label="loss")
    left.plot(steps, parabola, "--", color=GREY, linewidth=1.2, label="parabola")
    right.plot(steps[1:-1], second_differences, "-", color=BLUE)
    _edge(right)
    style.label_axes(left, DOWNHILL, "loss", legend="upper center")
    style.label_axes(right, DOWNHILL, CURVATURE)
    return figure


def _edge(axes):
    """Mark the level 2/η where curvatures are counted in it."""
    axes.axhline(1, **DASHED)
    axes.text(0.98, 1, "2/η", ha="right", va="bottom", transform=axes.get_yaxis_transform())
