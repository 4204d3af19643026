"""Section 2.2, learning rate decay: measured on the recorded runs on CIFAR-10, and on quadratics.

The branches of a run are, in order, the early decay, the late one, and none. The paper does not
say its batch and its loss: every setting that was recorded counts. By the full batch an epoch is a
step.
"""

import numpy as np
from scipy.stats import t

from mslbook.descent import decays, descend
from mslbook.losses import Quadratic, Ridge, Sum
from mslbook.paper.experiments import recorded
from mslbook.paper.ledger import HOLDS, RESERVED, UNSEEN, claim, listed, seen, verdict

EARLY, LATE, NEVER = range(3)
END = 50  # the last epochs, over which what is left in the end is averaged
BEFORE = 100  # the epochs before a decay, along which a slope is fitted
SETTLED = 50  # epochs after a decay, from which on the slope after it is fitted
BOWL = Sum(Ridge(Quadratic(c), p) for c, p in ((1.0, (1, 0, 0)), (0.02, (0, 1, 0))))  # x3 is flat
START, ENDS = (1.0, 1.0, 1.0), (0.0, 0.0, 1.0)  # and its projection on the minimisers
LR, STEPS = 1.5, 4000  # the rate is stable on the bowl: below 2
RIGHT = "fig. 2.1 right"
SETTINGS = {
    "full batch, three seeds": "fig2_1_right",
    "full batch, cross-entropy": "fig2_1_right_cross_entropy",
    "minibatches": "fig2_1_right_minibatches",
    "minibatches, cross-entropy": "fig2_1_right_sgd",
}


def settings():
    """The recorded runs, by their batch and loss."""
    return {name: recorded(which, "cifar10", "reduced") for name, which in SETTINGS.items()}


def recorded_run():
    """The recorded run of full-batch descent."""
    return recorded("fig2_1_right", "cifar10", "reduced")


def run_on():
    """Its early branch run on, until its time Σ η is that of the late one in the end."""
    return recorded("fig2_1_right_equal_time", "cifar10", "reduced")


def at_the_end(run, name):
    """The means over the last epochs for each seed: early, late, never."""
    return run[name][..., run["epochs"] > run["epochs"][-1] - END].mean(axis=-1, dtype=float).T


def slopes(values, first, last):
    """By how much each row of values, one an epoch, grows in 100 epochs, by a straight line."""
    epochs = np.arange(first, last)
    return 100 * np.polyfit(epochs, values[:, first:last].T.astype(float), 1)[0]


@claim("2.2-loss", RESERVED, "with every seed lower than without decay, in the end; with a "
       "reservation if only in the hundred epochs after each decay", place=RIGHT,
       runs=settings)  # fmt: skip
def lower_loss(run):
    """Decaying the learning rate finds parameters of lower training loss."""
    losses = run["batch_losses"]
    after = [losses[..., at : at + BEFORE].mean(axis=2) for at in run["decays"][:NEVER]]
    at_first = all(np.all(means[:, i] < means[:, NEVER]) for i, means in enumerate(after))
    *decayed, never = at_the_end(run, "train_losses")
    last = decayed / never
    number = f"{'lower' if at_first else 'not lower'} at first; in the end "
    number += f"{listed(last.mean(axis=1), '{:.2f}')} × after the early and the late decay"
    return number, seen(last.max() < 1, at_first)


def gains(run, other, points):
    """By how many points the late decay ends ahead of another branch, and the verdict."""
    ends = 100 * at_the_end(run, "test_accuracy")
    ahead = np.round(ends[LATE] - ends[other], 1) + 0.0  # no -0.0
    return f"{listed(ahead, '{:+.1f}')} points", seen(np.all(ahead > points))


@claim("2.2-later", RESERVED, "with every seed by more than {points_gained:g} point of test "
       "accuracy, mean of the last 50 epochs", place=RIGHT, runs=settings)  # fmt: skip
def later_is_better(run, points_gained=1.0):
    """The later decay leads to the better generalisation."""
    return gains(run, EARLY, points_gained)


@claim("2.2-proper", RESERVED, "the late decay against none: with every seed by more than "
       "{points_gained:g} point of test accuracy", runs=settings)  # fmt: skip
def proper_time(run, points_gained=1.0):
    """Decaying the learning rate benefits generalisation if it is done at a proper time."""
    return gains(run, NEVER, points_gained)


@claim("2.2-equal-time", UNSEEN, "Student's 95 % interval over three seeds is above 0, by the full "
       "batch", place="5", ours=True)  # fmt: skip
def equal_time():
    """The later decay generalises better after as much time Σ η, too."""
    late = 100 * recorded_run()["test_accuracy"][:, LATE, -1].astype(float)
    ahead = late - 100 * run_on()["test_accuracy"][:, EARLY, -1]
    half = t.ppf(0.975, len(ahead) - 1) * ahead.std(ddof=1) / len(ahead) ** 0.5
    return f"by {ahead.mean():+.1f} ± {half:.1f} points", seen(ahead.mean() > half)


@claim("2.2-longer", HOLDS, "by the full batch, with every seed {times_as_long} times as many "
       "epochs or more", place="5")  # fmt: skip
def more_epochs(times_as_long=2):
    """Decayed too early, descent has to go on at the small rate, which can cost much more time."""
    run, on = recorded_run(), run_on()
    below = on["train_losses"][:, EARLY] <= run["train_losses"][:, [LATE], -1]
    reached = np.where(below.any(axis=1), on["epochs"][below.argmax(axis=1)], np.inf)
    last = run["epochs"][-1]
    number = f"the late one's training loss after {last} epochs is reached after {listed(reached)}"
    return number, seen(np.all(reached > times_as_long * last))


@claim("2.2-elsewhere", RESERVED, "by the full batch, given equal time, the early one's test loss "
       "is with no seed ever as low; with a reservation if by less than the seeds differ: no run "
       "has converged, and little else tells solutions apart", place="1")  # fmt: skip
def elsewhere():
    """A decay makes the trajectory converge to a different solution."""
    run, on = recorded_run(), run_on()
    both = np.isin(run["epochs"], on["epochs"])  # as often measured as the early one
    late = run["test_losses"][:, LATE, both].min(axis=1)
    early = on["test_losses"][:, EARLY].min(axis=1)
    above = early / late - 1
    number = f"the early one's lowest test loss is {above.min():.1%} to {above.max():.1%} higher; "
    number += f"the seeds differ by {late.max() / late.min() - 1:.1%}"
    return number, seen(np.all(early - late > np.ptp(late)), np.all(early > late))


@claim("2.2-slow", RESERVED, "it still falls, with {slope_left:.0%} of the slope before at most",
       place=RIGHT, runs=settings)  # fmt: skip
def slow_after(run, slope_left=0.5):
    """After the decay the training loss decreases very slowly."""
    ratios = []
    for branch, at in enumerate(run["decays"][:NEVER]):
        losses = run["batch_losses"][:, branch]
        before = slopes(losses, at - BEFORE, at)
        ratios.append(slopes(losses, at + SETTLED, losses.shape[1]) / before)
    least, most = np.min(ratios), np.max(ratios)
    return f"{least:.2f} to {most:.2f} × the slope before", seen(least > 0 and most < slope_left)


@claim("2.2-beyond", RESERVED, "by the full batch more than {rising_steps:.0%} of the steps before "
       "the decays raise the loss, which no stable rate does on a quadratic; with a reservation if "
       "there, too, the late one is ahead")  # fmt: skip
def beyond_quadratics(rising_steps=0.1):
    """What the time of the decay does cannot be explained by a quadratic loss."""
    run = recorded_run()
    early, late, _ = run["decays"]
    rises = (np.diff(run["batch_losses"][:, NEVER, early - BEFORE : late]) > 0).mean()
    quadratic = [bowl({0: LR, int(at): LR / 10}, 700).values[-1] for at in (early, late)]
    number = f"{rises:.0%} of the steps; after 700 the late one is ahead on a quadratic, by a "
    number += f"factor of {quadratic[0] / quadratic[1]:.0e}"
    return number, seen(rises > rising_steps and quadratic[0] < quadratic[1], rises > rising_steps)


def bowl(rates, steps, every=1):
    """Descent on the bowl."""
    return descend(BOWL, START, decays(rates), steps, every)


def arrival(path):
    """The step from which on a path on the bowl is at its end, to 1e-6; infinity for not yet."""
    near = np.linalg.norm(path.points - ENDS, axis=-1) < 1e-6
    return np.argmax(near) if near.any() else np.inf


@claim("2.2-slower", RESERVED, "a rate close to 2/λ has to be excepted: there a decay makes it "
       "faster")  # fmt: skip
def slower():
    """On a quadratic loss decay makes convergence slower."""
    schedules = {0: LR}, {0: LR, 300: LR / 10}, {0: LR, 100: LR / 10}
    counts = [arrival(bowl(rates, STEPS)) for rates in schedules]
    held, decayed = (arrival(bowl(rates, STEPS)) for rates in ({0: 1.999}, {0: 1.999, 100: 0.1999}))
    number = f"steps to 1e-6 at η = {LR:g}: {listed(counts, '{}')}, decayed never, at 300, at 100; "
    number += f"at η = 1.999: {held if held < STEPS else f'over {STEPS}'}, decayed at 100 {decayed}"
    in_order = counts == sorted(set(counts))
    return number, verdict(in_order and held <= decayed, in_order)


@claim("2.2-same", HOLDS, "1e-6 after 4000 steps, by four schedules, one unstable at first")
def same_end():
    """On a quadratic loss the iterates end at the same solution, so they generalise alike."""
    schedules = {0: LR}, {0: LR, 300: 0.15}, {0: LR, 100: 0.15}, {0: 2.1, 100: LR, 300: 0.15}
    ends = (bowl(rates, STEPS, every=STEPS).points[-1] for rates in schedules)
    away = max(np.linalg.norm(end - ENDS) for end in ends)
    return f"apart by {10 ** np.ceil(np.log10(away)):.0e}", verdict(away < 1e-6)
