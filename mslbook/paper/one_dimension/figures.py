"""The figures of chapter 4.1."""

import matplotlib.pyplot as plt

from mslbook.paper.style import BLUE, GREY, ONE_PANEL, TWO_PANELS, VERMILLION


def descent_over_time(path, decay_steps):
    """Journal fig. 4.1, preprint fig. 4: the iterates of one variable, and the loss, by step."""
    figure, (left, right) = plt.subplots(1, 2, figsize=TWO_PANELS)
    left.plot(path.steps, path.points, ".", markersize=3, color=BLUE)
    left.set(xlabel="step", ylabel="iterate $x_t$")
    right.plot(path.steps, path.values, ".", markersize=3, color=VERMILLION)
    right.set(xlabel="step", ylabel="loss $f(x_t)$")
    for axes in (left, right):
        for step in decay_steps:
            axes.axvline(step, color=GREY, linestyle=":", linewidth=1.5)
    return figure


def cycle_by_learning_rate(lrs, cycle, end_lrs, ends, stable):
    """The two-cycle by learning rate: the prediction as lines, where descent ended as dots.

    `cycle` is x_η at `lrs`; `ends` are last iterates, one for each entry of `end_lrs`.
    """
    figure, axes = plt.subplots(figsize=ONE_PANEL)
    axes.plot(lrs, cycle, "-", color=BLUE, label="predicted $\\pm x_\\eta$")
    axes.plot(lrs, -cycle, "-", color=BLUE)
    axes.plot(end_lrs, ends, ".", color=VERMILLION, label="where descent ended")
    axes.axvline(stable, color=GREY, linestyle=":", label="$2/f''(0)$")
    axes.set(xlabel="learning rate $\\eta$", ylabel="$x$", ylim=(-16, 10))
    axes.legend(loc="lower right")
    return figure


def contraction(distances, late):
    """Distances to the two-cycle by step: a column for each start, and an awkward start."""
    figure, axes = plt.subplots(figsize=ONE_PANEL)
    axes.plot(distances, "-", color=BLUE, linewidth=1)
    axes.plot(late, "--", color=VERMILLION)
    axes.set(xlabel="step", ylabel="distance to $\\pm x_\\eta$", yscale="log", ylim=(1e-16, None))
    return figure
