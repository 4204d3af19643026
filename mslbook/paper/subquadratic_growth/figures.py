"""The figures of chapters 3.1 and 3.1b. Curvatures along lines of descent are in units of 2/η.

Panels stand in two columns: so they fit a telephone.
"""

import matplotlib.pyplot as plt
import numpy as np

from mslbook.paper import style
from mslbook.paper.style import BLUE, DASHED, GREY, ONE_PANEL, THREE_LINES, VERMILLION

WIDTH = 5.2  # inches
DOWNHILL = "steps downhill"
CURVATURE = "curvature, in 2/η"
PARABOLA = {"color": GREY, "linestyle": ":", "linewidth": 1.5, "label": "parabola of its bottom"}


def along_the_gradient(lines):
    """Journal fig. 3.1, preprint fig. 2: the last of the `Lines` of each network, a row each.

    Left the loss, in units of the rise from the bottom to the iterate, and the parabola of its
    bottom; right the second differences.
    """
    figure, rows = plt.subplots(len(lines), 2, figsize=(WIDTH, 0.8 + 2 * len(lines)), sharex=True)
    for (left, right), (name, found) in zip(rows, lines.items(), strict=True):
        steps, bottom = found.steps, found.growths[-1]
        rise, parabola = found.losses[-1] - bottom.value, (steps - bottom.minimum) ** 2
        here = rise[abs(steps).argmin()]
        left.plot(steps, rise / here, "-", color=BLUE, label="the loss")
        left.plot(steps, bottom.curvature / 2 * parabola / here, **PARABOLA)
        for place, fill, label in ((0, "none", "iterate"), (1, "full", "next one")):
            look = {"color": VERMILLION, "fillstyle": fill, "markersize": 8, "label": label}
            left.plot(place, rise[abs(steps - place).argmin()] / here, "o", **look)
        left.set(title=name, ylabel="rise", ylim=(None, 1.1 * rise.max() / here))
        right.plot(steps[1:-1], found.second_differences[-1], ".-", color=BLUE, linewidth=1.5)
        right.axhline(1, label="2/η", **DASHED)
        right.set_ylabel("curvature")
    for axes in rows[-1]:
        axes.set_xlabel(DOWNHILL)
    style.legend_outside(figure, *rows[0], ncols=3)
    return figure


def many_lines(runs):
    """Median and middle half of the curvature along many lines, by run and by part of the run."""
    figure, panels = _grid(runs, sharex=True, sharey=True)
    for axes, parts in zip(panels, runs.values(), strict=True):
        for (part, lines), look in zip(parts.items(), THREE_LINES, strict=False):
            steps = lines.steps[1:-1]
            low, middle, high = np.quantile(lines.second_differences, (0.25, 0.5, 0.75), axis=0)
            axes.fill_between(steps, low, high, color=look["color"], alpha=0.2, linewidth=0)
            axes.plot(steps, middle, label=part, **look)
        axes.axhline(1, label="2/η", **DASHED)
    style.legend_outside(figure, panels[0])
    return figure


def two_lines(steps, second_differences, labels):
    """Curvature along two labelled lines through the last iterate of each network."""
    figure, panels = _grid(second_differences)
    for axes, rows in zip(panels, second_differences.values(), strict=True):
        style.plot_each(axes, steps[1:-1], dict(zip(labels, rows, strict=True)))
        axes.axhline(1, label="2/η", **DASHED)
    style.legend_outside(figure, panels[0], ncols=2)
    return figure


def spectra(grid, shares):
    """The share of the Hessian's eigenvalues above each value, for every network."""
    figure, axes = plt.subplots(figsize=ONE_PANEL)
    style.plot_each(axes, grid, {name: np.where(y > 0, y, np.nan) for name, y in shares.items()})
    axes.axvline(1, label="2/η", **DASHED)
    style.label_axes(axes, "eigenvalue, in 2/η", "share above", log="xy")
    style.legend_outside(figure, axes, ncols=2)
    return figure


def live_line(steps, losses, parabola, second_differences):
    """Loss and curvature along one line, and the parabola that fits its minimum."""
    figure, (above, below) = plt.subplots(2, 1, figsize=(WIDTH, 4.8), sharex=True)
    above.plot(steps, losses, "-", color=BLUE, label="the loss")
    above.plot(steps, parabola, **PARABOLA)
    below.plot(steps[1:-1], second_differences, "-", color=BLUE)
    below.axhline(1, label="2/η", **DASHED)
    style.label_axes(above, "", "loss", legend="upper center")
    style.label_axes(below, DOWNHILL, CURVATURE, ylim=(None, 1.2), legend="upper right")
    return figure


def _grid(titles, **options):
    """A panel of curvature for each title, in rows of two."""
    rows = -(-len(titles) // 2)
    size = (WIDTH, 0.8 + 2 * rows)
    figure, panels = plt.subplots(rows, 2, figsize=size, squeeze=False, **options)
    for axes, title in zip(panels.flat, titles, strict=False):
        axes.set_title(title)
    for unused in panels.flat[len(titles) :]:
        unused.remove()
    figure.supxlabel(DOWNHILL, fontsize="medium")
    figure.supylabel(CURVATURE, fontsize="medium")
    return figure, panels.flat[: len(titles)]
