"""Section 3.2, the separate scales structure: measured on the recorded runs on CIFAR-10.

Only points at which descent has been under way are looked at; the initial one is none of its own
making. Of two directions only the angle matters: a principal component has no sign.
"""

import numpy as np

from mslbook.paper.experiments import recorded
from mslbook.paper.ledger import FAILS, HOLDS, RESERVED, claim, graded, listed, verdict, weakest
from mslbook.probes import curvature_profile
from mslbook.probes.line_growth import PLATEAU_TOL

SHARPER = 10  # times as curved as what lies around it: a well within a well
DIP = 1.5  # an exponent clearly below the 2 of a plateau
PLATEAU = 2  # times farther out than it begins a plateau ends, at least
KINKS = 0.1  # of a slope, by which those of ReLU and pooling may make it fall
NETWORKS = {"fig3_2_landscape": "without BatchNorm", "fig3_2_normalised": "with it"}
DESCENTS = {
    "squared error": "fig3_2_paths",
    "cross-entropy": "fig3_2_paths_cross_entropy",
    "minibatches": "fig3_2_paths_minibatches",
}
APART = 60  # degrees between very different directions; 30 between directions that merely differ
WELL = (
    f"{SHARPER}-fold, an exponent below {DIP} and then 2 within {PLATEAU_TOL} over a doubling of "
    "the distance, on both sides of every line; with a reservation where it is so in one network "
    "only; a line at whose end C still falls does not show it"
)
ANGLE = f"{APART}° holds, half of it with a reservation; the least of all three settings"


def recorded_lines(*kinds):
    """The recorded lines of these kinds, (distances, losses), at all points but the initial."""
    found = {}
    for experiment, network in NETWORKS.items():
        run = recorded(experiment, "cifar10", "reduced")
        rows = np.concatenate([run[kind][1:].reshape(-1, run["distances"].size) for kind in kinds])
        found[network] = [(run["distances"], row) for row in rows]
    return found


def convex(distances, losses):
    """Whether the slope rises outwards from the minimum of a line, the scatter of kinks aside.

    Only beyond a thousandth of the range: nearer lies the smaller domain, that of figure 3.1.
    """
    found = curvature_profile(distances, losses)
    for away, bends in zip(found.distances, found.curvatures, strict=True):
        slopes = np.diff(bends * away**2) / np.diff(away)
        falls = slopes < (1 - KINKS) * np.maximum.accumulate(slopes)
        if np.any(falls & (away[1:] > distances[-1] / 1000)):
            return False
    return True


@claim(
    "3.2-nonconvex",
    RESERVED,
    "all lines, to 10 % of a slope, for kinks; beyond a hundredth of the parameters' length",
)
def non_convex():
    """In a larger domain the loss inevitably behaves in a non-convex way."""
    lines = recorded_lines("descent", "random", "filtered")
    bent = {network: [not convex(*one) for one in each] for network, each in lines.items()}
    counts = (f"{sum(each)} of {len(each)} lines {network}" for network, each in bent.items())
    every = sum(bent.values(), [])
    return f"non-convex are {', '.join(counts)}", graded(all(every), any(every))


def well_in_a_well(found):
    """Whether C falls on both sides of a `CurvatureProfile`, from one plateau to another.

    RESERVED is what is not decided: the exponent is on its way back when the line ends.
    """
    sides = zip(found.separations, found.dips, found.plateaus, found.exponents, strict=True)
    return weakest(side(fall, dip, plateau, p[-1]) for fall, dip, plateau, p in sides)


def side(fall, dip, plateau, end):
    """The verdict on one side of a line."""
    if dip >= DIP:
        return FAILS
    if plateau >= PLATEAU:
        return verdict(fall >= SHARPER)
    return graded(False, dip + PLATEAU_TOL <= end <= 2 + PLATEAU_TOL)


def wells(kind):
    """Whether there is a well in a well on every line of a kind, of both networks."""
    held, numbers = [], []
    for network, lines in recorded_lines(kind).items():
        found = [curvature_profile(*line) for line in lines]
        each = [well_in_a_well(its) for its in found]
        falls = np.array([its.separations for its in found])
        open_ones = f", not decided on {each.count(RESERVED)}" if RESERVED in each else ""
        numbers.append(
            f"{network}: on {each.count(HOLDS)} of {len(each)} lines{open_ones} "
            f"(C falls {falls.min():.1f} to {falls.max():.1f}-fold)"
        )
        held.append(weakest(each))
    return "; ".join(numbers), graded(set(held) == {HOLDS}, HOLDS in held)


@claim("3.2-gradient-well", RESERVED, WELL, place="fig. 3.2 left")
def along_the_gradient():
    """Along the gradient the minimum lies in a small sharp well within a large flat one."""
    return wells("descent")


@claim("3.2-random-well", FAILS, WELL, place="fig. 3.2 middle")
def along_random_directions():
    """Along a random direction, too, the minimum lies in a small sharp well within a flat one."""
    return wells("random")


@claim("3.2-any-curvature", HOLDS, "10 orders of magnitude; lines are continuous", place="3")
def any_curvature():
    """Almost any curvature can be found somewhere in the space of parameters."""
    lines = sum(recorded_lines("descent", "random", "filtered").values(), [])
    bends = np.concatenate([c for line in lines for c in curvature_profile(*line).curvatures])
    least, most = bends.min(), bends.max()
    return f"C from {least:.1g} to {most:.1g}", verdict(most >= 1e10 * least)


def paths():
    """The recorded paths, by what was descended."""
    return {name: recorded(recipe, "cifar10", "reduced") for name, recipe in DESCENTS.items()}


def angles(cosines):
    """The angles between lines of no sign, in degrees, 0 to 90."""
    return np.degrees(np.arccos(np.minimum(np.abs(cosines), 1)))


def how_different(degrees):
    """The verdict on angles that ought to be very different."""
    return graded(degrees.min() >= APART, degrees.min() >= APART / 2)


@claim("3.2-before-after", RESERVED, ANGLE, place="fig. 3.2 right", runs=paths)
def before_and_after(run):
    """After the decay the parameters move along another direction than before."""
    degrees = angles(run["cosines"][0, 1:])
    return f"{listed(degrees, '{:.0f}°')} after the three decays", how_different(degrees)


@claim("3.2-different-decays", FAILS, ANGLE, runs=paths)
def different_decays(run):
    """Decays at different epochs lead along very different directions."""
    degrees = angles(run["cosines"][1:, 1:][np.triu_indices(3, 1)])
    return f"{listed(degrees, '{:.0f}°')} between the branches", how_different(degrees)


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


@claim("3.2-fine-scale", FAILS, ANGLE, runs=paths)
def fine_structure(run):
    """The fine structure that the decay shows differs from the large-scale one."""
    steps = horizons(run)
    degrees = angles(np.array([without_decay(run, n) for n in steps]))
    number = f"{listed(degrees, '{:.0f}°')} to the undecayed run's next {listed(steps)} steps"
    return number, how_different(degrees)
