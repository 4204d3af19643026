"""Section 3.1, the subquadratic growth: measured on the recorded runs of three networks.

Curvatures are in units of 2/η, distances in steps. The last part of a run is where it oscillates,
by default its second half.
"""

from functools import partial

import numpy as np

from mslbook.paper.gradient_lines import PLAIN, edge, late, lines, settings
from mslbook.paper.ledger import RESERVED, claim, listed, seen

WALL = 1.5  # steps from the minimum; the lines reach to 2.5

claim_of_each = partial(claim, runs=settings, beside=PLAIN)
claim_of_figure = partial(claim_of_each, place="fig. 3.1")


@claim_of_figure(
    "3.1-oscillates",
    RESERVED,
    "in the last {last_part:.0%} of a run the minimum is within {off_centre} of half a step ahead, "
    "and {rising_steps:.0%} of the steps at least raise the loss; a loss that falls "
    "meanwhile is told",
)
def oscillates(run, last_part=0.5, off_centre=0.1, rising_steps=0.25):
    """When the loss hardly falls any more, descent oscillates around a minimum."""
    losses = run["losses"][-int(last_part * len(run["losses"])) :]
    ahead = np.nanmedian(lines(run, late(run, last_part))["minimum"])
    up, left = (np.diff(losses) > 0).mean(), losses[-20:].mean() / losses[:20].mean()
    number = f"{ahead:.2f} steps ahead, {up:.0%} of the steps raise the loss, which falls to "
    return number + f"{left:.0%}", seen(abs(ahead - 0.5) < off_centre and up > rising_steps)


@claim_of_figure(
    "3.1-convex",
    RESERVED,
    "in the last {last_part:.0%} of a run on all lines but {exceptions:.0%}, from -2 to 3 steps; "
    "with a reservation if only from 0 to 1, between which descent jumps",
)
def convex(run, last_part=0.5, exceptions=0.1):
    """Around the minimum the line along the gradient is convex."""
    found = lines(run, late(run, last_part))
    bends_up = found.second_differences > 0
    whole = bends_up.all(axis=1).mean()
    between = bends_up[:, abs(found.steps[1:-1] - 0.5) <= 0.5].all(axis=1).mean()
    number = f"{whole:.0%} of the lines from -2 to 3, {between:.0%} from 0 to 1"
    return number, seen(whole >= 1 - exceptions, between >= 1 - exceptions)


@claim_of_figure(
    "3.1-subquadratic",
    RESERVED,
    "in the last {last_part:.0%} of a run the loss ends below the parabola of its minimum, two "
    "steps uphill and three downhill, on both sides of all lines but {exceptions:.0%}; with a "
    "reservation if on most lines on one side",
)
def subquadratic(run, last_part=0.5, exceptions=0.1):
    """Along the gradient the loss grows more slowly than a quadratic."""
    below = lines(run, late(run, last_part)).is_subquadratic
    (uphill, downhill), both = below.mean(axis=0), below.all(axis=1).mean()
    number = f"{uphill:.0%} of {len(below)} lines uphill, {downhill:.0%} downhill, {both:.0%} both"
    return number, seen(both >= 1 - exceptions, max(uphill, downhill) > 0.5)


@claim_of_each(
    "3.1-explains",
    RESERVED,
    "in the last {last_part:.0%} of a run the median curvature at the minimum is {below_edge:.0%} "
    "below 2/η at most, and less than that 1.5 steps away on both sides; with a reservation if on "
    "one side",
    number="2/η between",
)
def explains(run, last_part=0.5, below_edge=0.1):
    """The learning rate is too large close to the minimum and not farther out."""
    found = lines(run, late(run, last_part))
    bottom = np.nanmedian(found["curvature"])
    walls = [
        np.median(found.second_differences[abs(found.offsets - side) < 0.25])
        for side in (-WALL, WALL)
    ]
    number = f"{bottom:.2f} at the minimum, {listed(walls, '{:.2f}')} away from it"
    level = 1 - below_edge
    return number, seen(bottom > level > max(walls), bottom > level > min(walls))


@claim_of_each(
    "3.1-bounded",
    RESERVED,
    "in the last {last_part:.0%} of a run the sharpness is above 2/η on average, with which a "
    "quadratic loss blows up, and the loss never above the first",
)
def bounded(run, last_part=0.5):
    """Where growth is subquadratic, descent need not blow up at a learning rate too large."""
    sharp = (run["sharpness"][late(run, last_part)] / edge(run)).mean()
    most = run["losses"][-int(last_part * len(run["losses"])) :].max() / run["losses"][0]
    number = f"sharpness {sharp:.2f} × 2/η, loss at most {most:.0%} of the first"
    return number, seen(sharp > 1 and most <= 1)


@claim_of_each(
    "3.1-small",
    RESERVED,
    "in the last {last_part:.0%} of a run the curvature is off by a tenth within {core_steps} "
    "steps of the minimum, before descent comes to its walls",
)
def small_region(run, last_part=0.5, core_steps=0.5):
    """The quadratic approximation holds in a very small region only."""
    core = np.median(lines(run, late(run, last_part)).quadratic_radius)
    return f"{core:.2f} steps", seen(core <= core_steps)
