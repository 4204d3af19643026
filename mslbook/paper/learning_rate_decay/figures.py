"""The figures of chapter 2.2. Thin lines are the seeds, thick lines their means."""

import matplotlib.pyplot as plt
import numpy as np

from mslbook.paper import style
from mslbook.paper.style import DOTTED, THREE_LINES

THIN_DASHED = {"linestyle": "--", "linewidth": 1}


def decays_by_epoch(run):
    """Journal fig. 2.1 right, preprint fig. 1 right: training loss and test accuracy by epoch."""
    epochs, decays, last = run["epochs"], run["decays"], run["epochs"][-1]
    late = epochs >= 0.05 * last  # the first fall would flatten everything else
    names = [f"decay at {decay}" if decay < last else "never" for decay in decays]
    names, looks = names[::-1], list(THREE_LINES)[len(names) - 1 :: -1]  # the early decay on top
    measured = [
        dict(zip(names, np.swapaxes(values, 0, 1)[::-1, :, late], strict=True))
        for values in (run["train_losses"], 100 * run["test_accuracy"])
    ]
    x = dict.fromkeys(names, epochs[late])
    figure, (left, right) = _runs(x, measured, decays[decays < last], looks, reverse=True)
    style.label_axes(left, "epoch", "training loss", xlim=(0, None))
    style.label_axes(right, "epoch", "test accuracy (%)", xlim=(0, None))
    return figure


def around_decays(decays, epochs, losses, window):
    """The training loss (S, D, E) around each decay, `window` epochs before and after it."""
    titles = [f"decay at {decay}" for decay in decays]
    figure, panels = style.small_multiples(titles, "epoch", "training loss", sharey=True)
    for axes, decay, seeds in zip(panels, decays, np.swapaxes(losses, 0, 1), strict=True):
        shown = (epochs >= decay - window[0]) & (epochs <= decay + window[1])
        curves = {f"seed {seed}": values[shown] for seed, values in enumerate(seeds)}
        style.plot_each(axes, epochs[shown], curves, linewidth=1.2)
        style.mark_steps(axes, [decay], **THIN_DASHED)
    panels[0].legend(loc="upper right")
    return figure


def quadratic_decays(paths, end):
    """Descent on a quadratic with a flat direction: loss, and distance to the common `end`."""
    figure, (left, right) = plt.subplots(1, 2)
    for (name, path), look in zip(paths.items(), THREE_LINES, strict=True):
        left.plot(path.steps[:701], path.values[:701], **look)
        right.plot(path.steps, np.linalg.norm(path.points - end, axis=-1), label=name, **look)
    style.label_axes(left, "step", "loss", log="y")
    style.label_axes(right, "step", "distance to the end", log="y", ylim=(1e-9, 1e4))
    style.legend_outside(figure, right)
    return figure


def live_decays(steps, losses, accuracies, decays, budget):
    """Training loss and test accuracy (S, T) of each run by its steps (T,), up to the budget."""
    figure, (left, right) = _runs(steps, (losses, accuracies), decays)
    left.axvline(budget, **DOTTED)
    right.axvline(budget, **DOTTED)
    style.label_axes(left, "step", "training loss", log="xy", ylim=(0.03, 0.4))
    style.plain_ticks(left, y=[0.03, 0.1, 0.3])
    style.label_axes(right, "step", "test accuracy (%)", log="x", ylim=(50, None))
    return figure


def by_time(times, measured, decays):
    """Each quantity measured, a dictionary of runs (S, T), by the time Σ η of each run (T,)."""
    figure, panels = _runs(times, measured.values(), decays)
    for axes, title in zip(panels, measured, strict=True):
        axes.set(title=title, xlabel="time $\\Sigma\\,\\eta$", xlim=(0, None), xticks=[0, *decays])
    return figure


def _runs(x, measured, decays, looks=THREE_LINES, **order):
    """A panel for each quantity: the seeds (S, T) of each run over its x (T,), mean and decays."""
    figure, panels = plt.subplots(1, len(measured))
    for axes, runs in zip(panels, measured, strict=True):
        for (name, seeds), look in zip(runs.items(), looks, strict=False):
            axes.plot(x[name], seeds.T, "-", color=look["color"], linewidth=0.5, alpha=0.6)
            axes.plot(x[name], seeds.mean(axis=0), label=name, **look)
        style.mark_steps(axes, decays, **THIN_DASHED)
    style.legend_outside(figure, panels[-1], **order)
    return figure, panels
