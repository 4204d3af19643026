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
DECADES = 10  # that curvatures must span to be "almost any"
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


def recorded_lines(recipe, *names):
    """The distances, and the recorded lines of these names through every point but the initial."""
    run = recorded(recipe, "cifar10", "reduced")
    rows = [run[name][1:].reshape(-1, len(run["distances"])) for name in names]
    return run["distances"], np.concatenate(rows)


def convex(distances, losses):
    """Whether the slope rises outwards from the minimum of a line, the scatter of kinks aside.

    It is judged beyond a thousandth of the range, a hundredth of the length of the parameters:
    nearer lies the smaller domain, that of figure 3.1.
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
    (
        "ten per cent of a slope, for the kinks of ReLU; beyond a hundredth of the length of the "
        "parameters; all lines"
    ),
)
def non_convex():
    """In a larger domain the loss inevitably behaves in a non-convex way."""
    bent, numbers = [], []
    for recipe, label in NETWORKS.items():
        distances, lines = recorded_lines(recipe, "descent", "random", "filtered")
        found = [not convex(distances, line) for line in lines]
        numbers.append(f"{sum(found)} of {len(found)} lines {label}")
        bent += found
    number = "non-convex are " + ", ".join(numbers)
    return number, graded(all(bent), any(bent))


def well_in_a_well(found):
    """Whether the `Scales` of a line are separate, in the sense of the chapter, on both sides.

    HOLDS: C falls, the exponent dips, and farther out there is a second plateau. RESERVED where the
    exponent is on its way back from its dip when the line ends: how far C falls in the end, and
    whether to a plateau, is not decided. FAILS otherwise.
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


def wells(*names):
    """Whether there is a well in a well on every line, of both networks."""
    held, numbers = [], []
    for recipe, label in NETWORKS.items():
        distances, lines = recorded_lines(recipe, *names)
        found = [curvature_profile(distances, line) for line in lines]
        each = [well_in_a_well(its) for its in found]
        falls = [fall for its in found for fall in its.separations]
        said = f"{label}: on {each.count(HOLDS)} of {len(each)} lines"
        said += f", not decided on {each.count(RESERVED)}" if RESERVED in each else ""
        numbers.append(f"{said} (C falls {min(falls):.1f} to {max(falls):.1f}-fold)")
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


@claim(
    "3.2-any-curvature",
    HOLDS,
    f"{DECADES} orders of magnitude; in between all occur, as the lines are continuous",
    place="3",
)
def any_curvature():
    """Almost any curvature can be found somewhere in the space of parameters.

    The curvatures of the recorded lines; a line has all between its smallest and its largest.
    """
    found = []
    for recipe in NETWORKS:
        distances, lines = recorded_lines(recipe, "descent", "random", "filtered")
        found += [c for line in lines for c in curvature_profile(distances, line).curvatures]
    least, most = min(map(np.min, found)), max(map(np.max, found))
    return f"C from {least:.1g} to {most:.1g}", verdict(most >= 10**DECADES * least)


def paths():
    """The recorded paths, by what was descended."""
    return {name: recorded(recipe, "cifar10", "reduced") for name, recipe in DESCENTS.items()}


def angles(cosines):
    """The angles between lines of no sign, in degrees, 0 to 90."""
    return np.clip(np.degrees(np.arccos(np.minimum(np.abs(cosines), 1))), 0, 90)


def how_different(degrees):
    """The verdict on angles that ought to be very different."""
    least = degrees.min()
    return graded(least >= APART, least >= APART / 2)


@claim("3.2-before-after", RESERVED, ANGLE, place="fig. 3.2 right", runs=paths)
def before_and_after(run):
    """After the decay the parameters move along another direction than before."""
    degrees = angles(run["cosines"][0, 1:])
    return listed(degrees, "{:.0f}°") + " after the three decays", how_different(degrees)


@claim("3.2-different-decays", FAILS, ANGLE, runs=paths)
def different_decays(run):
    """Decays at different epochs lead along very different directions."""
    degrees = angles(run["cosines"][1:, 1:][np.triu_indices(3, 1)])
    return listed(degrees, "{:.0f}°") + " between the branches", how_different(degrees)


def leading(run):
    """The leading directions of trunk and branches (4, 3) in the recorded axes.

    NaN for the second branch, which is no axis and may leave their span.
    """
    trunk, first, last = (run["cosines"][row] for row in (0, 1, 3))
    y = np.sqrt(1 - trunk[1] ** 2)
    across = (first[3] - trunk[1] * trunk[3]) / y
    z = np.sqrt(max(1 - trunk[3] ** 2 - across**2, 0.0))
    unknown = [np.nan] * 3
    return np.array([[1, 0, 0], [trunk[1], y, 0], unknown, [last[0], across, z]])


def without_decay(run, steps):
    """The cosine of the first branch's direction with the way of the run that was not decayed then.

    That way leads from the first decay to halfway between the last two of so many points after it,
    no more than there are before the last decay, so that most of the bouncing from wall to wall
    cancels. Its length follows from the recorded distances.
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
    away = ", ".join(map(str, steps))
    number = f"{listed(degrees, '{:.0f}°')} to the undecayed run's next {away} steps"
    return number, how_different(degrees)
