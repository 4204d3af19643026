"""The figures of chapter 2.1."""

import matplotlib.pyplot as plt
import numpy as np

from mslbook.paper.style import BLUE, GREY, THREE_LINES, TWO_PANELS, VERMILLION


def edge_of_stability(run):
    """Journal fig. 2.1 left, preprint fig. 1 left: loss and sharpness at several learning rates.

    `run` is the recording of `fig2_1_left`. Time is η times the step, so that the curves start
    together; each dashed line is 2/η in the colour of its curve.
    """
    figure, (left, right) = plt.subplots(1, 2, figsize=TWO_PANELS)
    for lr, losses, steps, eigenvalues, (color, dash) in zip(
        run["lrs"], run["losses"], run["probe_steps"], run["eigenvalues"], THREE_LINES, strict=False
    ):
        left.plot(lr * np.arange(len(losses)), losses, dash, color=color, linewidth=1.2)
        right.plot(lr * steps, eigenvalues[:, 0], dash, color=color, label=f"η = {lr:g}")
        right.axhline(2 / lr, color=color, linestyle="--", linewidth=1)
    left.set(xlabel="time $\\eta t$", ylabel="training loss", yscale="log")
    left.set_yticks([0.1, 0.2, 0.4], labels=["0.1", "0.2", "0.4"])
    left.minorticks_off()
    right.set(xlabel="time $\\eta t$", ylabel="sharpness", ylim=(0, None))
    right.legend(loc="lower right")
    return figure


def quadratic_continuation(run):
    """The recorded loss beside that of descent on the quadratic approximation made on its way."""
    lrs = run["lrs"]
    figure, panels = plt.subplots(1, len(lrs), figsize=TWO_PANELS, sharey=True)
    for axes, lr, branch, losses, quadratic in zip(
        panels, lrs, run["branch_steps"], run["losses"], run["quadratic_losses"], strict=True
    ):
        steps = branch + np.arange(len(quadratic))
        axes.plot(steps, losses[branch:][: len(steps)], "-", color=BLUE, label="the network")
        axes.plot(steps, quadratic, "--", color=VERMILLION, label="its quadratic")
        axes.set(xlabel="step", title=f"η = {lr:g}", yscale="log", xticks=steps[[100, -101]])
    panels[0].set_ylabel("loss")
    panels[1].legend(loc="upper left")
    return figure


def other_networks(runs, felt):
    """Sharpness and the curvature that a step feels, in 2/η, for each network of figure 3.1.

    By the name of the network, `runs` are recordings and `felt` (P,) these curvatures.
    """
    figure, panels = plt.subplots(1, len(runs), figsize=TWO_PANELS, squeeze=False)
    for axes, (name, run) in zip(panels[0], runs.items(), strict=True):
        steps, sharpness = run["probe_steps"], run["sharpness"] * run["lr"] / 2
        axes.plot(steps, sharpness, "-", color=BLUE, label="sharpness")
        look = {"color": VERMILLION, "markersize": 4, "label": "felt by the step"}
        axes.plot(steps, felt[name], "s", **look)
        axes.axhline(1, color=GREY, linestyle="--", linewidth=1.5, label="2/η")
        axes.set(title=name, xlabel="step", ylim=(-0.1, None))
    panels[0, 0].set_ylabel("curvature, in 2/η")
    figure.legend(*panels[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
    return figure
