"""The figures of chapter 2.2."""

import matplotlib.pyplot as plt
import numpy as np

from mslbook.paper.style import GREY, THREE_LINES, TWO_PANELS


def decays_by_epoch(run):
    """Journal fig. 2.1 right, preprint fig. 1 right: training loss and test accuracy by epoch.

    `run` is a recording of `fig2_1_right`. Thin lines are the seeds, thick ones their means;
    upright lines mark the decays. A decay at the last epoch is none.
    """
    figure, (left, right) = plt.subplots(1, 2, figsize=TWO_PANELS)
    epochs, decays = run["epochs"], run["decays"]
    settled = epochs >= 0.05 * epochs[-1]  # the first fall would flatten everything else
    for axes, name, scale in ((left, "train_losses", 1), (right, "test_accuracy", 100)):
        branches = zip(decays, scale * np.swapaxes(run[name], 0, 1), THREE_LINES, strict=False)
        for decay, seeds, (colour, dash) in reversed(list(branches)):  # the early one on top
            label = "never" if decay == epochs[-1] else f"decay at {decay}"
            _seeds(axes, epochs[settled], seeds[:, settled], colour, dash, label)
        _mark(axes, decays[decays < epochs[-1]])
    left.set(xlabel="epoch", ylabel="training loss", xlim=(0, None))
    right.set(xlabel="epoch", ylabel="test accuracy (%)", xlim=(0, None))
    return _with_legend(figure, reverse=True)


def around_decays(decays, epochs, losses, window):
    """The training loss at every step around each decay: seeds, and their straight lines before.

    `losses` (S, D, E) belong to `epochs` (E,); `window` is how many epochs before and after a decay
    are shown, (2,).
    """
    figure, panels = plt.subplots(1, len(decays), figsize=TWO_PANELS, sharey=True)
    for axes, decay, seeds in zip(panels, decays, np.swapaxes(losses, 0, 1), strict=True):
        shown = (epochs >= decay - window[0]) & (epochs <= decay + window[1])
        for seed, (values, (colour, dash)) in enumerate(zip(seeds, THREE_LINES, strict=True)):
            axes.plot(epochs[shown], values[shown], dash, color=colour, linewidth=1.2)
            axes.lines[-1].set_label(f"seed {seed}")
        axes.axvline(decay, color=GREY, linestyle="--", linewidth=1)
        axes.set(xlabel="epoch", title=f"decay at {decay}")
    panels[0].set_ylabel("training loss")
    panels[0].legend(loc="upper right")
    return figure


def quadratic_decays(paths, end):
    """Descent on a quadratic with a flat direction: loss, and distance to where all of them end.

    `paths` maps the name of each schedule to its path; `end` is the projection of the start.
    """
    figure, (left, right) = plt.subplots(1, 2, figsize=TWO_PANELS)
    for (name, path), (colour, dash) in zip(paths.items(), THREE_LINES, strict=True):
        distance = np.linalg.norm(path.points - end, axis=-1)
        left.plot(path.steps[:701], path.values[:701], dash, color=colour)
        right.plot(path.steps, distance, dash, color=colour, label=name)
    left.set(xlabel="step", ylabel="loss", yscale="log")
    right.set(xlabel="step", ylabel="distance to the end", yscale="log")
    right.set_ylim(1e-9, 1e4)
    return _with_legend(figure)


def live_decays(steps, losses, accuracies, decays, budget):
    """Small runs of one recipe: loss and test accuracy by step, seeds thin and means thick.

    `steps`, `losses` and `accuracies` map the name of each run to its steps (T,) and its numbers
    (S, T); upright lines mark the two `decays` and the `budget` of steps.
    """
    figure, (left, right) = plt.subplots(1, 2, figsize=TWO_PANELS)
    for axes, curves in ((left, losses), (right, accuracies)):
        _runs(axes, steps, curves)
        _mark(axes, decays)
        axes.axvline(budget, color=GREY, linestyle=":", linewidth=1.5)
    left.set(xlabel="step", ylabel="training loss", xscale="log", yscale="log", ylim=(0.03, 0.4))
    left.set_yticks([0.03, 0.1, 0.3], labels=["0.03", "0.1", "0.3"])
    left.minorticks_off()
    right.set(xlabel="step", ylabel="test accuracy (%)", xscale="log", ylim=(50, None))
    return _with_legend(figure)


def by_time(times, measured, decays):
    """Runs of one recipe by the time Σ η, a panel for each thing measured: seeds thin, means thick.

    `times` maps the name of each run to its times (T,), `measured` the title of each panel to a
    dictionary of the runs' numbers (S, T); upright lines mark the times of the `decays`.
    """
    figure, panels = plt.subplots(1, len(measured), figsize=TWO_PANELS)
    for axes, (title, curves) in zip(panels, measured.items(), strict=True):
        _runs(axes, times, curves)
        _mark(axes, decays)
        axes.set(title=title, xlabel="time $\\Sigma\\,\\eta$", xlim=(0, None), xticks=[0, *decays])
    return _with_legend(figure)


def _runs(axes, x, curves):
    """Draw the seeds (S, P) of each run against its x (P,), runs by their name."""
    for (name, seeds), (colour, dash) in zip(curves.items(), THREE_LINES, strict=False):
        _seeds(axes, x[name], seeds, colour, dash, name)


def _seeds(axes, x, seeds, colour, dash, label):
    """Draw one line for each of the seeds (S, P), and their mean, which alone is labelled."""
    axes.plot(x, seeds.T, "-", color=colour, linewidth=0.5, alpha=0.6)
    axes.plot(x, seeds.mean(axis=0), dash, color=colour, label=label)


def _with_legend(figure, **order):
    """One legend for both panels, above them, where there is no line that it could touch."""
    handles, labels = figure.axes[-1].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=len(labels), **order)
    return figure


def _mark(axes, steps):
    for step in steps:
        axes.axvline(step, color=GREY, linestyle="--", linewidth=1)
