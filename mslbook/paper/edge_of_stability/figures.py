"""The figures of chapter 2.1."""

import matplotlib.pyplot as plt
import numpy as np

from mslbook.optimizers import GradientDescent
from mslbook.paper import style
from mslbook.paper.gradient_lines import edge
from mslbook.paper.style import BLUE, DASHED, THREE_LINES, VERMILLION


def edge_of_stability(run):
    """Journal fig. 2.1 left, preprint fig. 1 left: loss and sharpness by time ηt, beside 2/η."""
    figure, (left, right) = plt.subplots(1, 2)
    columns = (run[name] for name in ("lrs", "losses", "probe_steps", "eigenvalues"))
    for lr, losses, steps, eigenvalues, look in zip(*columns, THREE_LINES, strict=False):
        left.plot(lr * np.arange(len(losses)), losses, linewidth=1.2, **look)
        right.plot(lr * steps, eigenvalues[:, 0], label=f"η = {lr:g}", **look)
        right.axhline(GradientDescent(lr).edge(), color=look["color"], linestyle="--", linewidth=1)
    style.label_axes(left, "time $\\eta t$", "training loss", log="y")
    style.plain_ticks(left, y=[0.1, 0.2, 0.4])
    style.label_axes(right, "time $\\eta t$", "sharpness", legend="lower right", ylim=(0, None))
    return figure


def quadratic_continuation(run):
    """The recorded loss, and that of descent on its quadratic approximation at one of the steps."""
    titles = [f"η = {lr:g}" for lr in run["lrs"]]
    figure, panels = style.small_multiples(titles, "step", "loss", sharey=True)
    columns = (run[name] for name in ("branch_steps", "losses", "quadratic_losses"))
    for axes, branch, losses, quadratic in zip(panels, *columns, strict=True):
        steps = branch + np.arange(len(quadratic))
        axes.plot(steps, losses[steps], "-", color=BLUE, label="the network")
        axes.plot(steps, quadratic, "--", color=VERMILLION, label="its quadratic")
        axes.set(yscale="log", xticks=steps[[100, -101]])
    panels[1].legend(loc="upper left")
    return figure


def other_networks(runs, step_curvatures):
    """Sharpness and the curvature along each step, in 2/η, for each network of figure 3.1."""
    figure, panels = style.small_multiples(runs, "step", "curvature, in 2/η")
    for axes, (name, run) in zip(panels, runs.items(), strict=True):
        steps, sharpness = run["probe_steps"], run["sharpness"] / edge(run)
        axes.plot(steps, sharpness, "-", color=BLUE, label="sharpness")
        look = {"color": VERMILLION, "markersize": 4, "label": "felt by the step"}
        axes.plot(steps, step_curvatures[name], "s", **look)
        axes.axhline(1, label="2/η", **DASHED)
        axes.set_ylim(bottom=-0.1)
    style.legend_outside(figure, panels[0], loc="outside lower center")
    return figure
