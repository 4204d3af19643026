"""Section 2.1, the edge of stability: measured on the recorded run on CIFAR-10.

The last quarter of a run is where it has settled.
"""

from functools import partial

import numpy as np

from mslbook.descent import descend
from mslbook.losses import Quadratic
from mslbook.paper.experiments import recorded
from mslbook.paper.gradient_lines import late, lines, recordings
from mslbook.paper.ledger import FAILS, HOLDS, RESERVED, Claim, graded, of_each, verdict


def _edge_run():
    run = recorded("fig2_1_left", "cifar10")
    return run, 2 / run["lrs"], run["eigenvalues"][:, :, 0]


def _rises():
    _, edge, sharpness = _edge_run()
    start, top = sharpness[:, 0], sharpness.max(axis=1)
    number = f"from {start[0]:.0f} to " + ", ".join(f"{t:.0f}" for t in top)
    return number, verdict(np.all(start < edge) and np.all(top >= edge))


def _settles():
    _, edge, sharpness = _edge_run()
    last = sharpness[:, -sharpness.shape[1] // 4 :]
    ratio = last.mean(axis=1) / edge
    number = ", ".join(f"{r:.2f}" for r in ratio) + " × 2/η"
    return number, verdict(np.all(abs(ratio - 1) < 0.1))


def _keeps_falling():
    run, edge, sharpness = _edge_run()
    ratios = []
    for losses, steps, arrived in zip(
        run["losses"], run["probe_steps"], (sharpness >= edge[:, None]).argmax(axis=1), strict=True
    ):
        losses = losses[np.isfinite(losses)]
        ratios.append(losses[-100:].mean() / losses[steps[arrived]])
    number = "to " + ", ".join(f"{100 * r:.0f} %" for r in ratios) + " of the loss at arrival"
    return number, verdict(np.all(sharpness.max(axis=1) >= edge) and max(ratios) < 1)


def _three_fates():
    lrs = np.array([1.99, 2.0, 2.01])
    ends = abs(descend(Quadratic(curvature=1.0), 1.0, lrs, 2000, every=2000).points[-1])
    number = f"from 1, λ = 1: |x| = {ends[0]:.0e}, {ends[1]:g}, {ends[2]:.0e} at η = 1.99, 2, 2.01"
    return number, verdict(ends[0] < 1e-6 and abs(ends[1] - 1) < 1e-9 and ends[2] > 1e6)


def _quadratic_blows_up():
    run, _, _ = _edge_run()
    growth = [
        quadratic[-1] / losses[step : step + len(quadratic)].max()
        for quadratic, losses, step in zip(
            run["quadratic_losses"], run["losses"], run["branch_steps"], strict=True
        )
    ]
    steps = run["quadratic_losses"].shape[1] - 1
    number = f"at least {min(growth):.0e} × the true loss after {steps} steps"
    return number, verdict(min(growth) > 10)


def _in_edges(run):
    return run["sharpness"] * run["lr"] / 2


def _rises_too(run):
    first, most = _in_edges(run)[0], _in_edges(run).max()
    return f"from {first:.2f} to {most:.2f} × 2/η", graded(first < 1 < most, most > 1)


def _stays(run):
    """The median over the second half of the run, and of what its steps feel."""
    settled, felt = (
        np.median(_in_edges(run)[late(run)]),
        np.median(lines(run, late(run)).step_curvature),
    )
    off = abs(settled - 1)
    return f"{settled:.2f}, felt {felt:.2f} × 2/η", graded(off < 0.1, off < 0.5)


CLAIMS = (
    Claim(
        "2.1-rises",
        "journal 2.1, preprint 2.1",
        "under gradient descent the sharpness rises until it reaches 2/η",
        "2/η",
        _rises,
        "none: it must cross",
        HOLDS,
    ),
    Claim(
        "2.1-settles",
        "journal fig. 2.1 left, preprint fig. 1 left",
        "once at 2/η, the sharpness hovers near it",
        "1 × 2/η",
        _settles,
        "10 %: it oscillates about a level a little above",
        HOLDS,
    ),
    Claim(
        "2.1-falls",
        "journal fig. 2.1 left, preprint fig. 1 left",
        "past 2/η the loss still goes down",
        "—",
        _keeps_falling,
        "none: it must be lower, mean of the last 100 steps",
        HOLDS,
    ),
    Claim(
        "2.1-fates",
        "journal 2.1, preprint 2.1",
        "on a quadratic loss descent converges or blows up, unless η is exactly 2/λ",
        "2/λ",
        _three_fates,
        "six orders of magnitude either way in 2000 steps; at 2/λ 10⁻⁹, rounding",
        HOLDS,
    ),
    Claim(
        "2.1-quadratic",
        "journal 2.1, preprint 2.1",
        "on a quadratic loss the same descent would blow up exponentially",
        "—",
        _quadratic_blows_up,
        "ten times the true loss within 600 steps",
        HOLDS,
    ),
    Claim(
        "2.1-networks",
        "journal 2.1 and fig. 3.1, preprint 2.1 and fig. 2",
        "networks of other kinds sharpen up to 2/η as well",
        "2/η",
        partial(of_each, recordings, _rises_too),
        "none: each must begin below and pass it; with a reservation if it begins above",
        RESERVED,
    ),
    Claim(
        "2.1-near",
        "journal 2.1 and fig. 3.1, preprint 2.1 and fig. 2",
        "the sharpness of networks of other kinds stays near 2/η",
        "1 × 2/η",
        partial(of_each, recordings, _stays),
        "10 % at the median of the second half; with a reservation if within a half",
        FAILS,
    ),
)
