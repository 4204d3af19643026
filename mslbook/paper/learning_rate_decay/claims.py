"""Section 2.2, learning rate decay: measured on the recorded run on CIFAR-10, and on quadratics.

The run is descended by the full batch, so that an epoch is a step. Its branches are, in order, the
early decay, the late one, and none.
"""

import numpy as np
from scipy.stats import t

from mslbook.descent import decays, descend
from mslbook.losses import Quadratic, Ridge, Sum
from mslbook.paper.experiments import recorded
from mslbook.paper.ledger import HOLDS, RESERVED, claim, graded, listed, verdict

EARLY, LATE, NEVER = range(3)
END = 50  # the last epochs, over which what is left in the end is averaged
BEFORE = 100  # the epochs before a decay, along which a slope is fitted
SETTLED = 50  # epochs after a decay, from which on the slope after it is fitted
BOWL = Sum(Ridge(Quadratic(c), p) for c, p in ((1.0, (1, 0, 0)), (0.02, (0, 1, 0))))  # x3 is flat
START, ENDS = (1.0, 1.0, 1.0), (0.0, 0.0, 1.0)  # and its projection on the minimisers
LR, STEPS = 1.5, 4000  # the rate is stable on the bowl: below 2
RIGHT = "fig. 2.1 right"
INTERVAL = "95 % interval of Student's t over three seeds"


def recorded_run():
    """The recorded run of full-batch descent."""
    return recorded("fig2_1_right", "cifar10", "reduced")


def run_on():
    """The early branch run on, until its time Σ η is that of the late one in the end."""
    return recorded("fig2_1_right_equal_time", "cifar10", "reduced")


def at_the_end(run, name):
    """The means over the last epochs for each seed: early, late, never."""
    return run[name][..., run["epochs"] > run["epochs"][-1] - END].mean(axis=-1, dtype=float).T


def slopes(epochs, values, first, last):
    """By how much each row of values (S, E) grows in 100 of these epochs, by a straight line."""
    part = (epochs >= first) & (epochs <= last)
    return 100 * np.polyfit(epochs[part], values[:, part].T.astype(float), 1)[0]


def mean_gain(gains):
    """The mean with Student's 95 % interval in words, and whether all of that is above 0."""
    half = t.ppf(0.975, len(gains) - 1) * gains.std(ddof=1) / len(gains) ** 0.5
    return f"{gains.mean():+.1f} ± {half:.1f}", gains.mean() > half


@claim("2.2-loss", RESERVED, "none: every seed, after each decay and in the end", place=RIGHT)
def lower_loss():
    """Decaying the learning rate finds parameters of lower training loss."""
    run = recorded_run()
    following = [
        run["batch_losses"][..., at : at + BEFORE].mean(axis=2, dtype=float)
        for at in run["decays"][:NEVER]
    ]
    first = max((means[:, i] / means[:, NEVER]).max() for i, means in enumerate(following))
    *decayed, never = at_the_end(run, "train_losses")
    last = decayed / never
    number = (
        f"in the {BEFORE} epochs after it at most {first:.2f} × that without decay; in the end "
        f"{listed(last.mean(axis=1), '{:.2f}')} × after the early and the late one"
    )
    return number, graded(first < 1 and last.max() < 1, first < 1)


@claim("2.2-later", HOLDS, f"{INTERVAL}, last 50 epochs", place=RIGHT)
def later_is_better():
    """The later decay leads to the better generalisation."""
    early, late, _ = 100 * at_the_end(recorded_run(), "test_accuracy")
    mean, above = mean_gain(late - early)
    return f"{listed(late - early, '{:+.1f}')} points, mean {mean}", verdict(above)


@claim("2.2-proper", HOLDS, f"{INTERVAL}, last 50 epochs, for the late decay")
def proper_time():
    """Decaying the learning rate benefits generalisation if it is done at a proper time."""
    _, late, never = 100 * at_the_end(recorded_run(), "test_accuracy")
    mean, above = mean_gain(late - never)
    number = f"late against no decay {listed(late - never, '{:+.1f}')} points, mean {mean}"
    return number, verdict(above)


@claim("2.2-early", RESERVED, f"{INTERVAL}, after as many epochs and as much time", place="5")
def too_early():
    """Generalisation suffers if the rate is decayed too early."""
    run, on = (
        100 * run["test_accuracy"][..., -1].astype(float) for run in (recorded_run(), run_on())
    )
    epochs, in_epochs = mean_gain(run[:, LATE] - run[:, EARLY])
    time, in_time = mean_gain(run[:, LATE] - on[:, EARLY])
    number = f"late minus early {epochs} points after 700 epochs, {time} after equal time Σ η"
    return number, graded(in_epochs and in_time, in_epochs)


@claim("2.2-longer", HOLDS, "with every seed more than twice as many epochs", place="5")
def more_epochs():
    """Decayed too early, descent has to go on at the small rate, which can cost much more time."""
    run, on = recorded_run(), run_on()
    below = on["train_losses"][:, EARLY] <= run["train_losses"][:, [LATE], -1]
    reached = np.where(below.any(axis=1), on["epochs"][below.argmax(axis=1)], np.inf)
    last = run["epochs"][-1]
    number = f"the late one's training loss after {last} epochs is reached after {listed(reached)}"
    return number, verdict(np.all(reached > 2 * last))


@claim(
    "2.2-elsewhere",
    RESERVED,
    "with every seed the early one is never as good; in full only if by more than the seeds "
    "differ: a solution is told apart by little else here, as no run has converged",
    place="1",
)
def elsewhere():
    """A decay makes the trajectory converge to a different solution."""
    run, on = recorded_run(), run_on()
    both = np.isin(run["epochs"], on["epochs"])  # as often measured as the early one
    late = run["test_losses"][:, LATE, both].min(axis=1)
    early = on["test_losses"][:, EARLY].min(axis=1)
    above = early / late - 1
    number = (
        f"the early one's lowest test loss, given equal time, is {above.min():.1%} to "
        f"{above.max():.1%} higher; the seeds differ by {late.max() / late.min() - 1:.1%}"
    )
    worse, clearly = np.all(early > late), np.all(early - late > np.ptp(late))
    return number, graded(worse and clearly, worse)


@claim("2.2-stable", RESERVED, "mean growth below half of the change at the decay", place=RIGHT)
def nearly_stable():
    """Both decays come when the test accuracy is nearly stable and increases very slowly."""
    run = recorded_run()
    epochs, growth, jumps = run["epochs"], [], []
    for branch, at in enumerate(run["decays"][:NEVER]):
        accuracy, since = 100 * run["test_accuracy"][:, branch].astype(float), epochs - at
        growth.append(slopes(epochs, accuracy, at - BEFORE, at).mean())
        following = accuracy[:, (since > 0) & (since <= SETTLED)].mean()
        jumps.append(following - accuracy[:, (since > -SETTLED) & (since <= 0)].mean())
    before, after = listed(growth, "{:+.1f}"), listed(jumps, "{:+.1f}")
    number = f"{before} points in the {BEFORE} epochs before the decay, {after} across it"
    slow = np.array(growth) < np.array(jumps) / 2
    return number, graded(slow.all(), slow.any())


@claim("2.2-slow", HOLDS, "it must still fall, with less than half the slope before", place=RIGHT)
def slow_after():
    """After the decay the training loss decreases very slowly."""
    run, ratios = recorded_run(), []
    epochs = np.arange(run["batch_losses"].shape[2])
    for branch, at in enumerate(run["decays"][:NEVER]):
        losses = run["batch_losses"][:, branch]
        before = slopes(epochs, losses, at - BEFORE, at - 1)
        ratios.append(slopes(epochs, losses, at + SETTLED, epochs[-1]) / before)
    least, most = np.min(ratios), np.max(ratios)
    return f"{least:.2f} to {most:.2f} × the slope before", verdict(least > 0 and most < 0.5)


@claim("2.2-beyond", RESERVED, "one step in ten must raise the loss; none for the order")
def beyond_quadratics():
    """What the time of the decay does cannot be explained by a quadratic loss."""
    run = recorded_run()
    early, late, _ = run["decays"]
    rises = (np.diff(run["batch_losses"][:, NEVER, early - BEFORE : late]) > 0).mean()
    quadratic = [bowl({0: LR, int(at): LR / 10}, 700).values[-1] for at in (early, late)]
    number = (
        f"{rises:.0%} of the steps before the decays raise the loss, which no stable rate does on "
        f"a quadratic; but there, too, the late decay is ahead at step 700, by a factor "
        f"{quadratic[0] / quadratic[1]:.0e}"
    )
    return number, graded(rises > 0.1 and quadratic[0] < quadratic[1], rises > 0.1)


def bowl(rates, steps):
    """Descent on the bowl."""
    return descend(BOWL, START, decays(rates), steps)


def schedules():
    """On the bowl: the rate held, decayed at 300, at 100, and begun above 2."""
    never, late, early = {0: LR}, {0: LR, 300: LR / 10}, {0: LR, 100: LR / 10}
    unstable = {0: 2.1, 100: LR, 300: LR / 10}
    return [bowl(rates, STEPS) for rates in (never, late, early, unstable)]


def arrival(path):
    """The step from which on a path on the bowl is at its end, to 1e-6; infinity for not yet."""
    near = np.linalg.norm(path.points - ENDS, axis=-1) < 1e-6
    return np.argmax(near) if near.any() else np.inf


@claim("2.2-slower", RESERVED, "none: the order must be that")
def slower():
    """On a quadratic loss decay makes convergence slower."""
    counts = [arrival(path) for path in schedules()[:3]]
    held, decayed = (arrival(bowl(rates, STEPS)) for rates in ({0: 1.999}, {0: 1.999, 100: 0.1999}))
    number = (
        f"steps to 1e-6 at η = {LR:g}: {listed(counts, '{}')}, decayed never, at 300, at 100; "
        f"at η = 1.999: {held if held < STEPS else f'over {STEPS}'}, decayed at 100 {decayed}"
    )
    slower = counts == sorted(set(counts))
    return number, graded(slower and held <= decayed, slower)


@claim("2.2-same", HOLDS, "1e-6 after 4000 steps")
def same_end():
    """On a quadratic loss the iterates end at the same solution, so they generalise alike."""
    away = max(np.linalg.norm(path.points[-1] - ENDS) for path in schedules())
    number = f"four schedules, one unstable at first: to {10 ** np.ceil(np.log10(away)):.0e}"
    return number, verdict(away < 1e-6)
