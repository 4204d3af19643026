"""The figures of chapter 4.1."""

import matplotlib.pyplot as plt

from mslbook.paper import style
from mslbook.paper.style import BLUE, GREY, ONE_PANEL, VERMILLION


def descent_over_time(path, decay_steps):
    """Journal fig. 4.1, preprint fig. 4: the iterates of one variable, and the loss, by step."""
    figure, panels = style.stacked(2)
    drawn = {"iterate $x_t$": path.points, "loss $f(x_t)$": path.values}
    for axes, (label, values) in zip(panels, drawn.items(), strict=True):
        axes.plot(path.steps, values, ".", markersize=3, color=VERMILLION)
        axes.set_ylabel(label)
        style.mark_steps(axes, decay_steps)
    panels[-1].set_xlabel("step")
    return figure


def cycle_by_learning_rate(lrs, cycle, end_lrs, ends, stable):
    """The two-cycle x_η by learning rate, predicted (lines), and the last iterates (dots)."""
    figure, axes = plt.subplots(figsize=ONE_PANEL)
    axes.plot(lrs, cycle, "-", color=BLUE, label="predicted $\\pm x_\\eta$")
    axes.plot(lrs, -cycle, "-", color=BLUE)
    axes.plot(end_lrs, ends, ".", color=VERMILLION, label="where descent ended")
    axes.axvline(stable, color=GREY, linestyle=":", label="$2/f''(0)$")
    style.label_axes(axes, "learning rate $\\eta$", "$x$", legend="lower right", ylim=(-16, 10))
    return figure


def contraction(distances, late):
    """Distances to the two-cycle by step: a column for each start, and a `late` one (dashed)."""
    figure, axes = plt.subplots(figsize=ONE_PANEL)
    axes.plot(distances, "-", color=VERMILLION, linewidth=1)
    axes.plot(late, "--", color=VERMILLION)
    style.label_axes(axes, "step", "distance to $\\pm x_\\eta$", log="y", ylim=(1e-16, None))
    return figure
