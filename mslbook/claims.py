"""The ledger: what the paper claims, what we measured, and whether it holds."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from mslbook.descent import decays, descend
from mslbook.experiments import recorded
from mslbook.losses import f1, f2
from mslbook.theory import stable_lr, two_cycle

HOLDS = "holds"
RESERVED = "holds, with a reservation"
FAILS = "does not hold as stated"


@dataclass(frozen=True)
class Claim:
    """One claim of the paper and the function that puts it to the test.

    Attributes
    ----------
    id : a short name that begins with the section
    place : where the paper says it, in the journal and in the preprint
    says : the claim, in our words
    paper : the number that the paper gives, or an em dash
    measure : returns our number as text, and the verdict that it leads to
    tolerance : how far ours may be off, and why
    verdict : the verdict when the ledger was last written
    """

    id: str
    place: str
    says: str
    paper: str
    measure: Callable[[], tuple[str, str]]
    tolerance: str
    verdict: str

    @property
    def section(self):
        """The section of the paper, such as "4.1"."""
        return self.id.split("-")[0]


class Ledger:
    """Claims with their measurements, readable as text and as a Markdown table."""

    HEADER = ("Where", "The paper says", "Its number", "We measured", "Verdict")

    def __init__(self, claims):
        self.claims = tuple(claims)
        self.measured = [claim.measure() for claim in self.claims]

    @property
    def changed(self):
        """The claims whose verdict is no longer the one in the ledger."""
        return [
            claim
            for claim, (_, verdict) in zip(self.claims, self.measured, strict=True)
            if verdict != claim.verdict
        ]

    def __repr__(self):
        blocks = []
        for claim, (number, verdict) in zip(self.claims, self.measured, strict=True):
            blocks.append(
                f"{claim.id}  ({claim.place})\n"
                f"  the paper says  {claim.says}\n"
                f"  its number      {claim.paper}\n"
                f"  we measured     {number}\n"
                f"  tolerance       {claim.tolerance}\n"
                f"  verdict         {verdict}"
            )
        return "\n".join(blocks)

    def _repr_markdown_(self):
        rows = [
            (claim.place, claim.says, claim.paper, number, verdict)
            for claim, (number, verdict) in zip(self.claims, self.measured, strict=True)
        ]
        lines = [self.HEADER, ("---",) * len(self.HEADER), *rows]
        escaped = ([cell.replace("|", r"\|") for cell in cells] for cells in lines)
        return "\n".join(f"| {' | '.join(cells)} |" for cells in escaped)


def ledger(section=None):
    """The claims of one section (such as "4.1"), or all of them, measured now.

    Raises ``ValueError`` for a section without claims.

    >>> ledger("4.1").changed
    []
    """
    chosen = [claim for claim in CLAIMS if section in (None, claim.section)]
    if not chosen:
        known = sorted({claim.section for claim in CLAIMS})
        raise ValueError(f"no claims for section {section!r}: choose one of {', '.join(known)}")
    return Ledger(chosen)


def report():
    """Print the whole ledger; returns 1 if a verdict is no longer the one written down, else 0."""
    whole = ledger()
    print(whole)
    for claim in whole.changed:
        print(f"the verdict on {claim.id} was: {claim.verdict}")
    return 1 if whole.changed else 0


def _verdict(holds, otherwise=FAILS):
    return HOLDS if holds else otherwise


# Section 2.1: from the recorded run on CIFAR-10. The last quarter of a run is where it has settled.


def _edge_run():
    run = recorded("fig2_1_left", "cifar10")
    return run, 2 / run["lrs"], run["eigenvalues"][:, :, 0]


def _rises():
    _, edge, sharpness = _edge_run()
    start, top = sharpness[:, 0], sharpness.max(axis=1)
    number = f"from {start[0]:.0f} to " + ", ".join(f"{t:.0f}" for t in top)
    return number, _verdict(np.all(start < edge) and np.all(top >= edge))


def _settles():
    _, edge, sharpness = _edge_run()
    last = sharpness[:, -sharpness.shape[1] // 4 :]
    ratio = last.mean(axis=1) / edge
    number = ", ".join(f"{r:.2f}" for r in ratio) + " × 2/η"
    return number, _verdict(np.all(abs(ratio - 1) < 0.1))


def _keeps_falling():
    run, edge, sharpness = _edge_run()
    ratios = []
    for losses, steps, arrived in zip(
        run["losses"], run["probe_steps"], (sharpness >= edge[:, None]).argmax(axis=1), strict=True
    ):
        losses = losses[np.isfinite(losses)]
        ratios.append(losses[-100:].mean() / losses[steps[arrived]])
    number = "to " + ", ".join(f"{100 * r:.0f} %" for r in ratios) + " of the loss at arrival"
    return number, _verdict(max(ratios) < 1)


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
    return number, _verdict(min(growth) > 10)


# Section 4.1: run here and now.

ARRIVED = 1e-9  # a distance that counts as arrived


def _starts(count=10_000):
    return np.random.default_rng(0).uniform(-10, 10, count)


def _stable_below():
    lr = 0.95 * stable_lr(f1)
    farthest = abs(descend(f1, _starts(), lr, 1000, every=1000).points[-1]).max()
    number = f"2/f1''(0) = {stable_lr(f1):g}; at η = {lr:g}, |x| ≤ {farthest:.0e} in the end"
    return number, _verdict(farthest < ARRIVED)


def _cycle_grows():
    lrs = np.geomspace(2.001, 1e4, 1000)
    cycle = two_cycle(f1, lrs)
    number = f"x_η from {cycle[0]:.3g} to {cycle[-1]:.4g} for η from 2.001 to 10⁴"
    return number, _verdict(np.all(np.diff(cycle) > 0))


def _all_reach_the_cycle():
    cycle = two_cycle(f1, 5.0)
    distance = abs(abs(descend(f1, _starts(), 5.0, 400, every=400).points[-1]) - cycle)
    arrived = np.sum(distance < ARRIVED)
    number = f"{arrived:,} of {len(distance):,} random starts at ±{cycle:.4f} (η = 5)"
    return number, _verdict(arrived == len(distance))


def _contraction():
    distance = abs(abs(descend(f1, _starts(), 5.0, 60).points) - two_cycle(f1, 5.0))
    far = distance[:-1] > ARRIVED  # nearer, the ratio is one of rounding errors
    ratio = (distance[1:][far] / distance[:-1][far]).max()
    return f"at most {ratio:.4f}", _verdict(ratio < 1)


def _left_panel():
    x = abs(descend(f1, -5.0, decays({0: 5, 100: 3, 150: 1}), 250).points)
    levels = x[[100, 150, 250]]
    expected = *two_cycle(f1, [5.0, 3.0]), 0.0
    number = "|x| settles at " + ", ".join(f"{level:.3f}" for level in levels)
    return number, _verdict(np.allclose(levels, expected, rtol=0, atol=ARRIVED))


def _middle_panel():
    # The mean of log |dx'/dx| along a trajectory, its Lyapunov exponent, is positive in chaos.
    exponents = []
    for lr in (2.0, 0.5):
        points = descend(f2, _starts(1000) / 10, lr, 2000).points[1000:]
        exponents.append(np.log(abs(1 - lr * f2.hvp(points, 1.0))).mean())
    path = descend(f2, -5.0, decays({0: 2, 500: 0.5, 700: 0.2}), 1000)
    number = "Lyapunov exponents " + ", ".join(f"{e:.1f}" for e in exponents)
    number += f"; |x| at most {abs(path.points).max():.0f}, in the end {abs(path.points[-1]):.3f}"
    return number, _verdict(min(exponents) > 0 and abs(path.points[-1]) < ARRIVED)


def _strongly_convex():
    far = np.array([1e2, 1e4, 1e6])
    curvature = f1.hvp(far, 1.0)
    number = "f1'' = " + ", ".join(f"{c:.0e}" for c in curvature) + " at x = 10², 10⁴, 10⁶"
    return number, _verdict(curvature.min() > 1e-3)


CLAIMS = (
    Claim(
        "2.1-rises",
        "journal 2.1, preprint 2.1",
        "under gradient descent the sharpness rises until it reaches 2/η",
        "2/η = 100, 160, 200",
        _rises,
        "none: it must cross",
        HOLDS,
    ),
    Claim(
        "2.1-settles",
        "journal fig. 2.1 left, preprint fig. 1 left",
        "then it hovers near 2/η",
        "1 × 2/η",
        _settles,
        "10 %: it oscillates about a level a little above",
        HOLDS,
    ),
    Claim(
        "2.1-falls",
        "journal fig. 2.1 left, preprint fig. 1 left",
        "past that point the loss still goes down",
        "—",
        _keeps_falling,
        "none: it must be lower, mean of the last 100 steps",
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
        "4.1-stable",
        "journal 4.1, preprint 4.1",
        "below η = 2/f''(0), descent converges to the minimum",
        "2 for f1",
        _stable_below,
        "1e-9 after 1000 steps",
        HOLDS,
    ),
    Claim(
        "4.1-cycle",
        "journal lemma 4.1, preprint lemma 1",
        "above it a two-cycle ±x_η exists, for every η, and grows with η",
        "—",
        _cycle_grows,
        "none: 1000 values must increase",
        HOLDS,
    ),
    Claim(
        "4.1-converges",
        "journal theorem 4.1, preprint theorem 1",
        "from almost every start, descent converges to it",
        "—",
        _all_reach_the_cycle,
        "1e-9 after 400 steps at η = 5",
        HOLDS,
    ),
    Claim(
        "4.1-contracts",
        "journal eq. 4.2, preprint eq. 2",
        "every step brings the iterate nearer to one of ±x_η",
        "below 1",
        _contraction,
        "none: every ratio must be below 1",
        HOLDS,
    ),
    Claim(
        "4.1-left",
        "journal fig. 4.1 left, preprint fig. 4 left",
        "each drop of η, from 5 to 3 to 1, brings a smaller cycle, and at last rest",
        "—",
        _left_panel,
        "1e-9 from x_5, x_3 and 0",
        HOLDS,
    ),
    Claim(
        "4.1-middle",
        "journal fig. 4.1 middle, preprint fig. 4 middle",
        "on the non-convex f2 descent is chaotic at η = 2 and 0.5, and yet bounded",
        "—",
        _middle_panel,
        "the sign of the exponent; 1e-9 after the last decay",
        HOLDS,
    ),
    Claim(
        "4.1-convex",
        "journal 4.1, preprint 4.1",
        "the functions of this section are strongly convex",
        "f'' bounded away from 0",
        _strongly_convex,
        "none: lemma 4.1 itself asks that f'' fall to 0, which strong convexity forbids",
        FAILS,
    ),
)
