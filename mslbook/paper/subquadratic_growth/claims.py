"""Section 3.1, the subquadratic growth: measured on the recorded runs of three networks.

The second half of a run is where it oscillates; curvatures are in units of 2/η, distances in steps.
"""

from functools import partial

import numpy as np

from mslbook.paper.gradient_lines import edge, late, lines, recordings
from mslbook.paper.ledger import FAILS, HOLDS, RESERVED, claim, graded, listed

MOST = 0.9  # of the lines

claim_of_each = partial(claim, runs=recordings)
claim_of_figure = partial(claim_of_each, place="fig. 3.1")


def second_half(run):
    """The lines of the second half of a run, its losses, and the share of probes beyond 2/η."""
    here = late(run)
    losses = run["losses"][len(run["losses"]) // 2 :]
    return lines(run, here), losses, (run["sharpness"][here] > edge(run)).mean()


def fall(losses):
    """To which part of itself the loss falls."""
    return losses[-20:].mean() / losses[:20].mean()


@claim_of_figure(
    "3.1-oscillates", RESERVED, "minimum 0.4 to 0.6 steps ahead; a loss that falls by 5 % at most"
)
def oscillates(run):
    """When the loss hardly falls any more, descent oscillates around a minimum."""
    found, losses, _ = second_half(run)
    ahead, left = np.nanmedian(found["minimum"]), fall(losses)
    rises = (np.diff(losses) > 0).mean()
    number = (
        f"minimum {ahead:.2f} steps ahead, {rises:.0%} of the steps raise the loss, but it falls "
        f"to {left:.0%}"
    )
    around = 0.4 < ahead < 0.6 and rises > 0.25
    return number, graded(around and left > 0.95, around)


@claim_of_figure(
    "3.1-convex", RESERVED, "on 90 % of the lines; with a reservation if only from 0 to 1"
)
def convex(run):
    """Around the minimum the line along the gradient is convex."""
    found, *_ = second_half(run)
    bends_up = found.second_differences > 0
    whole = bends_up.all(axis=1).mean()
    between = bends_up[:, abs(found.steps[1:-1] - 0.5) <= 0.5].all(axis=1).mean()
    number = f"{whole:.0%} of the lines from -2 to 3, {between:.0%} from 0 to 1"
    return number, graded(whole >= MOST, between >= MOST)


@claim_of_figure(
    "3.1-subquadratic",
    RESERVED,
    "exponent below 2 and a curvature that falls by a tenth, on both sides of 90 % of the lines; "
    "with a reservation if on one side of most",
    number="exponents below 2",
)
def subquadratic(run):
    """Along the gradient the loss grows more slowly than a quadratic, as its second differences
    show.
    """
    found, *_ = second_half(run)
    slower, exponents = found.is_subquadratic, found["exponents"]
    (uphill, downhill), both = slower.mean(axis=0), slower.all(axis=1).mean()
    before, beyond = np.nanmedian(exponents, axis=0)
    number = (
        f"{uphill:.0%} of {len(exponents)} lines uphill, {downhill:.0%} downhill, {both:.0%} on "
        f"both sides, exponents {before:.1f} and {beyond:.1f}"
    )
    return number, graded(both >= MOST, max(uphill, downhill) > 0.5)


@claim_of_each(
    "3.1-explains",
    FAILS,
    "curvature above 2/η at the minimum, below it on both walls; with a reservation if only in "
    "some quarters of the run, or on one wall",
    number="2/η between",
)
def explains(run):
    """The learning rate is too large close to the minimum and not farther out."""
    quarters = np.array_split(lines(run)["curvature"], 4)
    bottoms = np.array([np.nanmedian(part) for part in quarters])
    found, *_ = second_half(run)
    walls = [
        np.median(found.second_differences[abs(found.offsets - side) < 0.25])
        for side in (-1.5, 1.5)
    ]
    number = (
        f"at the minimum {listed(bottoms, '{:.2f}')} by quarter of the run, {walls[0]:.2f} and "
        f"{walls[1]:.2f} 1.5 steps away"
    )
    sharp = bottoms > 1
    return number, graded(sharp.all() and max(walls) < 1, sharp.any() and min(walls) < 1)


@claim_of_each(
    "3.1-bounded",
    RESERVED,
    "in the second half sharper than 2/η at 90 % of the probes, and never above the first loss; "
    "at a level, if the loss falls by 5 % at most",
)
def bounded(run):
    """Where growth is subquadratic, descent can only oscillate at a certain level, and need not
    blow up.
    """
    _, losses, share = second_half(run)
    ratio, left = losses.max() / run["losses"][0], fall(losses)
    number = (
        f"sharper than 2/η at {share:.0%} of the probes; in the second half the loss is at most "
        f"{ratio:.0%} of the first, and falls to {left:.0%}"
    )
    bounded = share >= MOST and ratio < 1
    return number, graded(bounded and left > 0.95, bounded)


@claim_of_each("3.1-small", HOLDS, "the curvature is off by a tenth within one step of the minimum")
def small_region(run):
    """The quadratic approximation holds in a very small region only."""
    core = np.median(second_half(run)[0].quadratic_radius)
    return f"{core:.1f} steps", graded(core < 1, core < 2)


@claim_of_figure(
    "3.1-differences",
    RESERVED,
    "divided by the spacing squared, a quarter of a step, equal to 10 %; with a reservation if "
    "the middle half lies within a factor of 1.5 of another ratio",
)
def not_the_derivative(run):
    """Second differences are proportional, not equal, to the second derivative."""
    found, *_ = second_half(run)
    second = found.second_differences[:, abs(found.steps[1:-1]).argmin()] * edge(run)
    low, ratio, high = np.quantile(second / run["curvature"][late(run)], (0.25, 0.5, 0.75))
    number = f"{ratio:.2f} × v·Hv (middle half {low:.2f} to {high:.2f})"
    return number, graded(abs(ratio - 1) < 0.1, high < 1.5 * ratio < 2.25 * low)


@claim_of_each(
    "3.1-cause",
    RESERVED,
    "at the edge, and slower than a parabola on both sides of 90 % of the lines; with a "
    "reservation if on one side of them; it tests what goes together, not which is the cause",
    place="2.1 and 3.1",
)
def goes_with(run):
    """It is growth slower than a quadratic that causes the edge of stability."""
    found, _, sharp = second_half(run)
    slower = found.is_subquadratic
    both, some = slower.all(axis=1).mean(), slower.any(axis=1).mean()
    number = (
        f"slower on both sides on {both:.0%} of the lines, on one at least on {some:.0%}, sharper "
        f"than 2/η at {sharp:.0%} of the probes"
    )
    return number, graded(both >= MOST and sharp >= MOST, some >= MOST and sharp >= MOST)
