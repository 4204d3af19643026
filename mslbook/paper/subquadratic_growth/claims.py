"""Section 3.1, the subquadratic growth: measured on the recorded runs of three networks.

The second half of a run is where it oscillates; curvatures are in units of 2/η, distances in steps.
"""

from functools import partial

import numpy as np

from mslbook.paper.gradient_lines import late, lines, recordings
from mslbook.paper.ledger import FAILS, HOLDS, RESERVED, Claim, graded, of_each

MOST = 0.9  # of the lines


def _late_lines(run):
    return lines(run, late(run))


def _sees(run):
    there = abs(run["slice_steps"] - 1).argmin()
    nexts = run["losses"][run["probe_steps"][:-1] + 1]
    off = abs(run["slices"][:-1, there] / nexts - 1).max()
    return f"off by {off:.0e} at most", graded(off < 1e-4, False)


def _oscillates(run):
    ahead = np.nanmedian(_late_lines(run)["minimum"])
    losses = run["losses"][len(run["losses"]) // 2 :]
    rises, left = (np.diff(losses) > 0).mean(), losses[-20:].mean() / losses[:20].mean()
    number = f"minimum {ahead:.2f} steps ahead, {rises:.0%} of the steps raise the loss, "
    number += f"but it falls to {left:.0%}"
    around = 0.4 < ahead < 0.6 and rises > 0.25
    return number, graded(around and left > 0.95, around)


def _convex(run):
    found = _late_lines(run)
    swing = abs(found.steps[1:-1] - 0.5) <= 0.5
    whole = (found.second_differences > 0).all(axis=1).mean()
    between = (found.second_differences[:, swing] > 0).all(axis=1).mean()
    number = f"{whole:.0%} of the lines from -2 to 3, {between:.0%} from 0 to 1"
    return number, graded(whole >= MOST, between >= MOST)


def _subquadratic(run):
    found = _late_lines(run)
    uphill, downhill = found.is_subquadratic.mean(axis=0)
    both = found.is_subquadratic.all(axis=1).mean()
    exponents = np.nanmedian(found["exponents"], axis=0)
    number = f"{uphill:.0%} of {len(found.is_subquadratic)} lines uphill, {downhill:.0%} downhill, "
    number += f"{both:.0%} on both sides,"
    number += f" exponents {exponents[0]:.1f} and {exponents[1]:.1f}"
    return number, graded(both >= MOST, max(uphill, downhill) > 0.5)


def _explains(run):
    quarters = np.array_split(lines(run)["curvature"], 4)
    bottoms = np.array([np.nanmedian(part) for part in quarters])
    found = _late_lines(run)
    walls = [
        np.median(found.second_differences[abs(found.offsets - side) < 0.25])
        for side in (-1.5, 1.5)
    ]
    number = "at the minimum " + ", ".join(f"{bottom:.2f}" for bottom in bottoms)
    number += f" by quarter of the run, {walls[0]:.2f} and {walls[1]:.2f} 1.5 steps away"
    too_sharp = bottoms > 1
    return number, graded(too_sharp.all() and max(walls) < 1, too_sharp.any() and min(walls) < 1)


def _bounded(run):
    half = len(run["losses"]) // 2
    ratio = run["losses"][half:].max() / run["losses"][0]
    share = (run["sharpness"][late(run)] * run["lr"] > 2).mean()
    stays = run["losses"][-20:].mean() / run["losses"][half : half + 20].mean()
    number = (
        f"sharper than 2/η at {share:.0%} of the probes; in the second half the loss is at most "
    )
    number += f"{ratio:.0%} of the first, and falls to {stays:.0%}"
    bounded = share >= MOST and ratio < 1
    return number, graded(bounded and stays > 0.95, bounded)


def _small_region(run):
    core = np.median(_late_lines(run).quadratic_radius)
    return f"{core:.1f} steps", graded(core < 1, core < 2)


def _not_the_derivative(run):
    found = _late_lines(run)
    second = found.second_differences[:, abs(found.steps[1:-1]).argmin()] * 2 / run["lr"]
    low, ratio, high = np.quantile(second / run["curvature"][late(run)], (0.25, 0.5, 0.75))
    number = f"{ratio:.2f} × v·Hv (middle half {low:.2f} to {high:.2f})"
    return number, graded(abs(ratio - 1) < 0.1, high < 1.5 * ratio < 2.25 * low)


def _goes_with(run):
    slower = _late_lines(run).is_subquadratic
    both, some = slower.all(axis=1).mean(), slower.any(axis=1).mean()
    sharp = (run["sharpness"][late(run)] * run["lr"] > 2).mean()
    number = f"slower on both sides on {both:.0%} of the lines, on one at least on {some:.0%}, "
    number += f"sharper than 2/η at {sharp:.0%} of the probes"
    return number, graded(both >= MOST and sharp >= MOST, some >= MOST and sharp >= MOST)


CLAIMS = (
    Claim(
        "3.1-sees",
        "journal 3.1, preprint 3.1",
        "the line along the gradient is the landscape that descent sees",
        "—",
        partial(of_each, recordings, _sees),
        "the line at one step and the next loss agree to the rounding of a sum, 1e-4",
        HOLDS,
    ),
    Claim(
        "3.1-oscillates",
        "journal fig. 3.1, preprint fig. 2",
        "when the loss hardly falls any more, descent oscillates around a minimum",
        "—",
        partial(of_each, recordings, _oscillates),
        "the minimum half-way to the next iterate, within 0.1; a loss that falls by 5 % at most",
        RESERVED,
    ),
    Claim(
        "3.1-convex",
        "journal fig. 3.1, preprint fig. 2",
        "around the minimum the line along the gradient is convex",
        "—",
        partial(of_each, recordings, _convex),
        "on 90 % of the lines; with a reservation if only as far as one step goes",
        RESERVED,
    ),
    Claim(
        "3.1-subquadratic",
        "journal fig. 3.1, preprint fig. 2",
        "along the gradient the loss grows more slowly than a quadratic, as its second differences "
        "show",
        "exponents below 2",
        partial(of_each, recordings, _subquadratic),
        "exponent below 2 and a curvature that falls by a tenth, on both sides of 90 % of the "
        "lines; with a reservation if on one side of most",
        RESERVED,
    ),
    Claim(
        "3.1-explains",
        "journal 3.1, preprint 3.1",
        "the learning rate is too large close to the minimum and not farther out",
        "2/η between",
        partial(of_each, recordings, _explains),
        "curvature above 2/η at the minimum, below it on both walls; with a reservation if only in "
        "some quarters of the run, or on one wall",
        FAILS,
    ),
    Claim(
        "3.1-bounded",
        "journal 3.1, preprint 3.1",
        "where growth is subquadratic, descent can only oscillate at a certain level, and need not "
        "blow up",
        "—",
        partial(of_each, recordings, _bounded),
        "in the second half sharper than 2/η at 90 % of the probes, and never above the first "
        "loss; at a level, if the loss falls by 5 % at most",
        RESERVED,
    ),
    Claim(
        "3.1-small",
        "journal 3.1, preprint 3.1",
        "the quadratic approximation holds in a very small region only",
        "—",
        partial(of_each, recordings, _small_region),
        "the curvature is off by a tenth within one step of the minimum",
        HOLDS,
    ),
    Claim(
        "3.1-differences",
        "journal fig. 3.1, preprint fig. 2",
        "second differences are proportional, not equal, to the second derivative",
        "—",
        partial(of_each, recordings, _not_the_derivative),
        "divided by the spacing squared, a quarter of a step, equal to 10 %; with a reservation if "
        "the middle half lies within a factor of 1.5 of another ratio",
        RESERVED,
    ),
    Claim(
        "3.1-cause",
        "journal 2.1 and 3.1, preprint 2.1 and 3.1",
        "it is growth slower than a quadratic that causes the edge of stability",
        "—",
        partial(of_each, recordings, _goes_with),
        "at the edge, and slower than a parabola on both sides of 90 % of the lines; with a "
        "reservation if on one side of them; it tests what goes together, not which is the cause",
        RESERVED,
    ),
)
