"""Section 3.2, the separate scales structure: measured on the recorded runs on CIFAR-10.

Only points at which descent has been under way are looked at; the initial one is none of its own
making. Of two directions only the angle matters: a principal component has no sign.
"""

import numpy as np

from mslbook.paper.experiments import recorded
from mslbook.paper.gradient_lines import BATCHNORM, PLAIN, variants
from mslbook.paper.ledger import HOLDS, RESERVED, UNSEEN, claim, listed, seen
from mslbook.probes import curvature_profile

SHARPER = 10  # times as curved as what lies around it: a well within a well
DIP = 1.5  # an exponent clearly below the 2 of a plateau
PLATEAU = 2  # times farther out than it begins a plateau ends, at least
DESCENTS = {
    "squared error": "fig3_2_paths",
    "cross-entropy": "fig3_2_paths_cross_entropy",
    "minibatches": "fig3_2_paths_minibatches",
}
WELL = (
    "from one plateau of the exponent 2 to another, on both sides of every line, the curvature "
    "falls {times_sharper}-fold or more; with a reservation if on some of the lines"
)


def networks():
    """The recorded runs of two networks, one of them from three seeds more, on other images."""
    longer, plain, pairs = (
        recorded(f"fig3_2_{name}", "cifar10", "reduced")
        for name in ("normalised", "landscape", "pairs")
    )
    seeds = {n: run for n, run in variants(pairs).items() if n.startswith(BATCHNORM)}
    return {BATCHNORM: longer, **seeds, PLAIN: plain}


def paths():
    """The recorded paths, by what was descended."""
    return {name: recorded(which, "cifar10", "reduced") for name, which in DESCENTS.items()}


def recorded_lines(run, *kinds):
    """The recorded losses of the lines of these kinds, (lines, D), at all but the initial point."""
    trained = slice(1, None) if run["values"].ndim else ...  # an ablation has its end alone
    shape = -1, run["distances"].size
    return np.concatenate([run[kind][trained].reshape(shape) for kind in kinds])


def convex(distances, losses, kinks):
    """Whether the slope rises outwards from the minimum of a line, the scatter of kinks aside.

    Only beyond a thousandth of the range: nearer lies the smaller domain, that of figure 3.1.
    """
    found = curvature_profile(distances, losses)
    for away, bends in zip(found.distances, found.curvatures, strict=True):
        slopes = np.diff(bends * away**2) / np.diff(away)
        falls = slopes < (1 - kinks) * np.maximum.accumulate(slopes)
        if np.any(falls & (away[1:] > distances[-1] / 1000)):
            return False
    return True


@claim(
    "3.2-nonconvex",
    RESERVED,
    "on every line of every network, beyond a hundredth of the parameters' length, the slope falls "
    "by more than the {fall_by_kinks:.0%} that kinks may make it fall",
    runs=networks,
)
def non_convex(run, fall_by_kinks=0.1):
    """In a larger domain the loss inevitably behaves in a non-convex way."""
    lines = recorded_lines(run, "descent", "random", "filtered")
    bent = [not convex(run["distances"], line, fall_by_kinks) for line in lines]
    return f"{sum(bent)} of {len(bent)} lines", seen(all(bent), any(bent))


def well_in_a_well(found, times_sharper=SHARPER):
    """Whether C falls so much on both sides of a `CurvatureProfile`, between two plateaus."""
    sides = zip(found.separations, found.dips, found.plateaus, strict=True)
    return all(
        fall >= times_sharper and dip < DIP and plateau >= PLATEAU for fall, dip, plateau in sides
    )


def wells(run, kind, times_sharper):
    """Whether there is a well in a well on every line of a kind."""
    found = [curvature_profile(run["distances"], line) for line in recorded_lines(run, kind)]
    held = [well_in_a_well(its, times_sharper) for its in found]
    falls = [fall for its in found for fall in its.separations]
    number = f"on {sum(held)} of {len(held)} lines, C falls {min(falls):.1f} to {max(falls):.1f}"
    return f"{number}-fold", seen(all(held), any(held))


@claim("3.2-gradient-well", HOLDS, WELL, place="fig. 3.2 left", runs=networks, beside=PLAIN)
def along_the_gradient(run, times_sharper=SHARPER):
    """Along the gradient the minimum lies in a small sharp well within a large flat one."""
    return wells(run, "descent", times_sharper)


@claim("3.2-random-well", RESERVED, WELL, place="fig. 3.2 middle", runs=networks, beside=PLAIN)
def along_random_directions(run, times_sharper=SHARPER):
    """Along a random direction, too, the minimum lies in a small sharp well within a flat one."""
    return wells(run, "random", times_sharper)


def angles(cosines):
    """The angles between lines of no sign, in degrees, 0 to 90."""
    return np.degrees(np.arccos(np.minimum(np.abs(cosines), 1)))


@claim(
    "3.2-before-after", HOLDS, "all by {different_degrees}° at least", place="1 and 3.2", runs=paths
)
def before_and_after(run, different_degrees=30):
    """After the decay the parameters move along another direction than before."""
    found = angles(run["cosines"][0, 1:])
    number = f"{listed(found, '{:.0f}°')} after the three decays"
    return number, seen(found.min() >= different_degrees)


@claim(
    "3.2-different-decays",
    UNSEEN,
    "all by {very_different_degrees}° at least; with a reservation if some pair is",
    place="fig. 3.2 right",
    runs=paths,
)
def different_decays(run, very_different_degrees=60):
    """Decays at different epochs lead along very different directions."""
    found = angles(run["cosines"][1:, 1:][np.triu_indices(3, 1)])
    number = f"{listed(found, '{:.0f}°')} between the branches"
    least, most = found.min(), found.max()
    return number, seen(least >= very_different_degrees, most >= very_different_degrees)


def leading(run):
    """The leading directions of trunk and branches (4, 3) in the recorded axes.

    NaN for the second branch, which is no axis. Orthogonalised, they are a Cholesky factor.
    """
    axes = [0, 1, 3]
    found = np.full((4, 3), np.nan)
    found[axes] = np.linalg.cholesky(run["cosines"][np.ix_(axes, axes)])
    return found


def without_decay(run, steps):
    """The cosine of the first branch's direction with the way of the run that was not decayed then.

    That way ends halfway between the last two of so many points after the first decay, so that most
    of the bouncing cancels; its length follows from the recorded distances.
    """
    last = run["decays"][0] + steps
    end = run["projections"][-1][last - 1 : last + 1].mean(axis=0)
    far, step = run["away"][-1][last - 1 : last + 1], run["moves"][-1][last - 1]
    length = np.sqrt(np.mean(far**2) - step**2 / 4)
    return float(end @ leading(run)[1] / length)


def horizons(run):
    """All of the steps from the first decay to the last, the half of them, and a quarter."""
    return [int(run["decays"][-1] - run["decays"][0]) // part for part in (1, 2, 4)]


@claim(
    "3.2-fine-scale",
    RESERVED,
    "the way after the first decay lies {different_degrees}° at least from the next steps of the "
    "undecayed run",
    runs=paths,
)
def fine_structure(run, different_degrees=30):
    """The fine structure that the decay shows differs from the large-scale one."""
    steps = horizons(run)
    found = angles(np.array([without_decay(run, n) for n in steps]))
    number = f"{listed(found, '{:.0f}°')} to its next {listed(steps)} steps"
    return number, seen(found.min() >= different_degrees)
