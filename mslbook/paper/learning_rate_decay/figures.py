"""The figures of chapter 2.2: the early decay is blue, the late one vermillion, none is green.

Thin lines are the seeds, thick lines their means. Panels are stacked: so they fit a telephone.
"""

import matplotlib.pyplot as plt
import numpy as np

from mslbook.paper import style
from mslbook.paper.style import DOTTED, THREE_LINES

WIDTH = 5.2  # inches
THIN_DASHED = {"linestyle": "--", "linewidth": 1}


def decays_by_epoch(run):
    """Journal fig. 2.1 right, preprint fig. 1 right: training loss and test accuracy by epoch."""
    epochs, decays, last = run["epochs"], run["decays"], run["epochs"][-1]
    late = epochs >= 0.05 * last  # the first fall would flatten everything else
    names = [f"decay at {decay}" if decay < last else "never" for decay in decays]
    names, looks = names[::-1], list(THREE_LINES)[len(names) - 1 :: -1]  # the early decay on top
    accuracy = 100 * run["test_accuracy"]
    measured = {"training loss": run["train_losses"], "test accuracy (%)": accuracy}
    for title, values in measured.items():
        measured[title] = dict(zip(names, values.swapaxes(0, 1)[::-1, :, late], strict=True))
    x = dict.fromkeys(names, epochs[late])
    figure, panels = _runs(x, measured, decays[decays < last], looks, reverse=True)
    panels[-1].set(xlabel="epoch", xlim=(0, None))
    return figure


def around_decays(decays, epochs, losses, window):
    """The training loss (S, D, E) around each decay, `window` epochs before and after it."""
    figure, panels = plt.subplots(len(decays), 1, figsize=(WIDTH, 4.8), sharey=True)
    each = zip(panels, decays, np.swapaxes(losses, 0, 1), THREE_LINES, strict=False)
    for axes, decay, seeds, look in each:
        shown = (epochs >= decay - window[0]) & (epochs <= decay + window[1])
        axes.plot(epochs[shown], seeds[:, shown].T, "-", color=look["color"], linewidth=0.8)
        style.mark_steps(axes, [decay], **THIN_DASHED)
        axes.set(title=f"decay at {decay}", ylabel="training loss")
    panels[-1].set_xlabel("epoch")
    return figure


def quadratic_decays(paths, end):
    """Descent on a quadratic with a flat direction: loss, and distance to the common `end`."""
    figure, (above, below) = plt.subplots(2, 1, figsize=(WIDTH, 4.8))
    for (name, path), look in zip(paths.items(), THREE_LINES, strict=True):
        above.plot(path.steps[:701], path.values[:701], **look)
        below.plot(path.steps, np.linalg.norm(path.points - end, axis=-1), label=name, **look)
    style.label_axes(above, "", "loss", log="y")
    style.label_axes(below, "step", "distance to the end", log="y", ylim=(1e-9, 1e4))
    style.legend_outside(figure, below)
    return figure


def live_decays(steps, losses, accuracies, decays, budget):
    """Training loss and test accuracy (S, T) of each run by its steps (T,), up to the budget."""
    measured = {"training loss": losses, "test accuracy (%)": accuracies}
    figure, (above, below) = _runs(steps, measured, decays)
    above.axvline(budget, **DOTTED)
    below.axvline(budget, **DOTTED)
    above.set(xscale="log", yscale="log", ylim=(0.03, 0.4))
    style.plain_ticks(above, y=[0.03, 0.1, 0.3])
    below.set(xlabel="step", ylim=(50, None))
    return figure


def by_time(times, measured, decays):
    """Each quantity measured, a dictionary of runs (S, T), by the time Σ η of each run (T,)."""
    figure, panels = _runs(times, measured, decays)
    panels[-1].set(xlabel="time $\\Sigma\\,\\eta$", xlim=(0, None), xticks=[0, *decays])
    return figure


def _runs(x, measured, decays, looks=THREE_LINES, **order):
    """A panel for each quantity: the seeds (S, T) of each run over its x (T,), mean and decays."""
    size = (WIDTH, 0.6 + 2.1 * len(measured))
    figure, panels = plt.subplots(len(measured), 1, figsize=size, sharex=True)
    for axes, (title, runs) in zip(panels, measured.items(), strict=True):
        for (name, seeds), look in zip(runs.items(), looks, strict=False):
            axes.plot(x[name], seeds.T, "-", color=look["color"], linewidth=0.5, alpha=0.6)
            axes.plot(x[name], seeds.mean(axis=0), label=name, **look)
        style.mark_steps(axes, decays, **THIN_DASHED)
        axes.set_ylabel(title)
    style.legend_outside(figure, panels[-1], **order)
    return figure, panels
