"""The figures of chapter 2.1."""

import matplotlib.pyplot as plt
import numpy as np

from mslbook.optimizers import GradientDescent
from mslbook.paper import style
from mslbook.paper.gradient_lines import edge
from mslbook.paper.style import BLUE, DASHED, ONE_PANEL, THREE_LINES, VERMILLION


def edge_of_stability(run):
    """Journal fig. 2.1 left, preprint fig. 1 left: loss and sharpness by time ηt, beside 2/η."""
    figure, (above, below) = style.stacked(2)
    columns = (run[name] for name in ("lrs", "losses", "probe_steps", "eigenvalues"))
    for lr, losses, steps, eigenvalues, look in zip(*columns, THREE_LINES, strict=False):
        above.plot(lr * np.arange(len(losses)), losses, linewidth=1.2, **look)
        below.plot(lr * steps, eigenvalues[:, 0], label=f"η = {lr:g}", **look)
        below.axhline(GradientDescent(lr).edge(), color=look["color"], linestyle="--", linewidth=1)
    style.label_axes(above, "", "training loss", log="y")
    style.plain_ticks(above, y=[0.1, 0.2, 0.4])
    style.label_axes(below, "time $\\eta t$", "sharpness", legend="lower right", ylim=(0, None))
    return figure


def quadratic_continuation(run):
    """The recorded loss, and that of descent on its quadratic approximation at one of the steps."""
    figure, panels = plt.subplots(len(run["lrs"]), 1, figsize=(ONE_PANEL[0], 5.6), sharey=True)
    columns = (run[name] for name in ("lrs", "branch_steps", "losses", "quadratic_losses"))
    for axes, lr, branch, losses, quadratic in zip(panels, *columns, strict=True):
        steps = branch + np.arange(len(quadratic))
        axes.plot(steps, losses[steps], "-", color=VERMILLION, label="the network")
        axes.plot(steps, quadratic, "--", color=BLUE, label="its quadratic")
        axes.set(yscale="log", ylabel="loss", title=f"η = {lr:g}")
    panels[-1].set_xlabel("step")
    panels[0].legend(loc="upper left")
    return figure


def other_networks(runs, step_curvatures):
    """Sharpness and the curvature along each step, in 2/η, for each network of figure 3.1."""
    figure, panels = plt.subplots(len(runs), 1, figsize=(ONE_PANEL[0], 6.4))
    for axes, (name, run) in zip(panels, runs.items(), strict=True):
        axes.set(title=name, ylabel="in 2/η")
        steps, sharpness = run["probe_steps"], run["sharpness"] / edge(run)
        axes.plot(steps, sharpness, "-", color=VERMILLION, label="sharpness")
        look = {"color": BLUE, "markersize": 4, "label": "felt by the step"}
        axes.plot(steps, step_curvatures[name], "s", **look)
        axes.axhline(1, label="2/η", **DASHED)
        axes.set_ylim(bottom=-0.1)
    panels[-1].set_xlabel("step")
    style.legend_outside(figure, panels[0], loc="outside lower center")
    return figure
