"""Section 2.1, the edge of stability: measured on the recorded runs on CIFAR-10."""

import numpy as np

from mslbook.descent import descend
from mslbook.losses import Quadratic
from mslbook.optimizers import GradientDescent
from mslbook.paper.experiments import recorded
from mslbook.paper.gradient_lines import edge, settings
from mslbook.paper.ledger import HOLDS, claim, listed, seen, verdict


def edge_run():
    """The recorded run, its edges 2/η and its sharpness."""
    run = recorded("fig2_1_left", "cifar10")
    return run, GradientDescent(run["lrs"]).edge(), run["eigenvalues"][:, :, 0]


@claim("2.1-rises", HOLDS, "it crosses 2/η at every rate", number="2/η")
def rises():
    """Under gradient descent the sharpness rises until it reaches 2/η."""
    _, edge, sharpness = edge_run()
    start, top = sharpness[:, 0], sharpness.max(axis=1)
    number = f"from {start[0]:.0f} to {listed(top, '{:.0f}')}"
    return number, seen(np.all(start < edge) and np.all(top >= edge))


@claim("2.1-settles", HOLDS, "the mean of the last quarter of each run within "
       "{distance_from_edge:.0%} of 2/η", place="fig. 2.1 left", number="1 × 2/η")  # fmt: skip
def settles(distance_from_edge=0.1):
    """Once at 2/η, the sharpness hovers near it."""
    _, edge, sharpness = edge_run()
    ratio = sharpness[:, -sharpness.shape[1] // 4 :].mean(axis=1) / edge
    return f"{listed(ratio, '{:.2f}')} × 2/η", seen(np.all(abs(ratio - 1) < distance_from_edge))


@claim("2.1-falls", HOLDS, "lower than at arrival, mean of the last 100 steps",
       place="fig. 2.1 left")  # fmt: skip
def keeps_falling():
    """Past 2/η the loss still goes down."""
    run, edge, sharpness = edge_run()
    past = sharpness >= edge[:, None]
    arrival = run["probe_steps"][range(len(past)), past.argmax(axis=1)]
    ends = [losses[np.isfinite(losses)][-100:].mean() for losses in run["losses"]]
    left = ends / run["losses"][range(len(past)), arrival]
    number = f"to {listed(100 * left, '{:.0f} %')} of the loss at arrival"
    return number, seen(past.any(axis=1).all() and max(left) < 1)


@claim("2.1-fates", HOLDS, "10⁶-fold either way in 2000 steps; 10⁻⁹ at 2/λ", number="2/λ")
def three_fates():
    """On a quadratic loss descent converges or blows up, unless η is exactly 2/λ."""
    lrs = np.array([1.99, 2.0, 2.01])
    ends = abs(descend(Quadratic(curvature=1.0), 1.0, lrs, 2000, every=2000).points[-1])
    number = f"from 1, λ = 1: |x| = {ends[0]:.0e}, {ends[1]:g}, {ends[2]:.0e} at η = 1.99, 2, 2.01"
    return number, verdict(ends[0] < 1e-6 and abs(ends[1] - 1) < 1e-9 and ends[2] > 1e6)


@claim("2.1-quadratic", HOLDS, "on the quadratic approximation, made where the sharpness has "
       "passed 2/η, the loss grows by one factor above 1 every 60 steps in the end, to "
       "{spread_of_factors:.0%}")  # fmt: skip
def quadratic_blows_up(spread_of_factors=0.1):
    """On a quadratic loss the same descent would blow up exponentially."""
    losses = edge_run()[0]["quadratic_losses"][:, [-121, -61, -1]]
    before, now = (losses[:, 1:] / losses[:, :-1]).T
    number = f"by a factor of {listed(now, '{:.2g}')} every 60 steps"
    return number, seen(np.all(now > 1) and np.all(abs(now / before - 1) < spread_of_factors))


@claim("2.1-networks", HOLDS, "it rises, and to 2/η at least; where it is above 2/η from the "
       "start, by the rate we chose, that alone is no objection", number="2/η",
       runs=settings)  # fmt: skip
def rises_too(run):
    """Networks of other kinds sharpen up to 2/η as well."""
    in_edges = run["sharpness"] / edge(run)
    first, most = in_edges[0], in_edges.max()
    return f"from {first:.2f} to {most:.2f} × 2/η", seen(first < most and most >= 1)
