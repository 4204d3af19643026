"""Section 3.2, the separate scales structure: measured on the recorded runs on CIFAR-10.

Only points at which descent has been under way are looked at; the initial one is none of its own
making. Of two directions only the angle matters: a principal component has no sign.
"""

from functools import partial

import numpy as np

from mslbook.paper.experiments import recorded
from mslbook.paper.ledger import FAILS, HOLDS, RESERVED, Claim, graded, of_each, verdict, weakest
from mslbook.probes import scales
from mslbook.probes.wells import LEVEL

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


def _lines(recipe, *names):
    """The distances, and the recorded lines of these names through every point but the initial."""
    run = recorded(recipe, "cifar10", "reduced")
    rows = [run[name][1:].reshape(-1, len(run["distances"])) for name in names]
    return run["distances"], np.concatenate(rows)


def convex(distances, losses):
    """Whether the slope rises outwards from the minimum of a line, the scatter of kinks aside.

    It is judged beyond a thousandth of the range, a hundredth of the length of the parameters:
    nearer lies the smaller domain, that of figure 3.1.
    """
    found = scales(distances, losses)
    for away, bends in zip(found.distances, found.curvatures, strict=True):
        slopes = np.diff(bends * away**2) / np.diff(away)
        falls = slopes < (1 - KINKS) * np.maximum.accumulate(slopes)
        if np.any(falls & (away[1:] > distances[-1] / 1000)):
            return False
    return True


def _non_convex():
    bent, numbers = [], []
    for recipe, label in NETWORKS.items():
        distances, lines = _lines(recipe, "descent", "random", "filtered")
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
    return weakest(_side(fall, dip, plateau, p[-1]) for fall, dip, plateau, p in sides)


def _side(fall, dip, plateau, end):
    if dip >= DIP:
        return FAILS
    if plateau >= PLATEAU:
        return verdict(fall >= SHARPER)
    return graded(False, dip + LEVEL <= end <= 2 + LEVEL)


def _wells(*names):
    """Whether there is a well in a well on every line, of both networks."""
    held, numbers = [], []
    for recipe, label in NETWORKS.items():
        distances, lines = _lines(recipe, *names)
        found = [scales(distances, line) for line in lines]
        each = [well_in_a_well(its) for its in found]
        falls = [fall for its in found for fall in its.separations]
        said = f"{label}: on {each.count(HOLDS)} of {len(each)} lines"
        said += f", not decided on {each.count(RESERVED)}" if RESERVED in each else ""
        numbers.append(f"{said} (C falls {min(falls):.1f} to {max(falls):.1f}-fold)")
        held.append(weakest(each))
    return "; ".join(numbers), graded(set(held) == {HOLDS}, HOLDS in held)


def _along_the_gradient():
    return _wells("descent")


def _along_random_directions():
    return _wells("random")


def _along_filtered_directions():
    return _wells("filtered")


def _any_curvature():
    """The curvatures of the recorded lines; a line has all between its smallest and its largest."""
    found = []
    for recipe in NETWORKS:
        distances, lines = _lines(recipe, "descent", "random", "filtered")
        found += [bends for line in lines for bends in scales(distances, line).curvatures]
    least, most = min(map(np.min, found)), max(map(np.max, found))
    return f"C from {least:.1g} to {most:.1g}", verdict(most >= 10**DECADES * least)


def _paths():
    return {name: recorded(recipe, "cifar10", "reduced") for name, recipe in DESCENTS.items()}


def angles(cosines):
    """The angles between lines of no sign, in degrees, 0 to 90."""
    return np.clip(np.degrees(np.arccos(np.minimum(np.abs(cosines), 1))), 0, 90)


def _how_different(degrees):
    least = degrees.min()
    return graded(least >= APART, least >= APART / 2)


def _written(degrees):
    return ", ".join(f"{angle:.0f}°" for angle in degrees)


def _before_and_after(run):
    degrees = angles(run["cosines"][0, 1:])
    return _written(degrees) + " after the three decays", _how_different(degrees)


def _different_decays(run):
    degrees = angles(run["cosines"][1:, 1:][np.triu_indices(3, 1)])
    return _written(degrees) + " between the branches", _how_different(degrees)


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


def _fine_structure(run):
    steps = horizons(run)
    degrees = angles(np.array([without_decay(run, n) for n in steps]))
    away = ", ".join(map(str, steps))
    return f"{_written(degrees)} to the undecayed run's next {away} steps", _how_different(degrees)


WELL = (
    f"{SHARPER}-fold, an exponent below {DIP} and then 2 within {LEVEL} over a doubling of the "
    "distance, on both sides of every line; with a reservation where it is so in one network only; "
    "a line at whose end C still falls does not show it"
)

ANGLE = f"{APART}° holds, half of it with a reservation; the least of all three settings"

CLAIMS = (
    Claim(
        "3.2-nonconvex",
        "journal 3.2, preprint 3.2",
        "in a larger domain the loss inevitably behaves in a non-convex way",
        "—",
        _non_convex,
        "ten per cent of a slope, for the kinks of ReLU; beyond a hundredth of the length of the "
        "parameters; all lines",
        RESERVED,
    ),
    Claim(
        "3.2-any-curvature",
        "journal 3, preprint 3",
        "almost any curvature can be found somewhere in the space of parameters",
        "—",
        _any_curvature,
        f"{DECADES} orders of magnitude; in between, all occur, since the lines are continuous",
        HOLDS,
    ),
    Claim(
        "3.2-gradient-well",
        "journal fig. 3.2 left, preprint fig. 3 left",
        "along the gradient the minimum lies in a small sharp well within a large flat one",
        "—",
        _along_the_gradient,
        WELL,
        RESERVED,
    ),
    Claim(
        "3.2-random-well",
        "journal fig. 3.2 middle, preprint fig. 3 middle",
        "along a random direction, too, the minimum lies in a small sharp well within a flat one",
        "—",
        _along_random_directions,
        WELL,
        FAILS,
    ),
    Claim(
        "3.2-filtered-well",
        "journal fig. 3.2 middle, preprint fig. 3 middle",
        "along a random direction brought to the scale of the network's filters, of which the "
        "paper does not speak, the minimum lies in a small sharp well within a flat one",
        "—",
        _along_filtered_directions,
        WELL,
        RESERVED,
    ),
    Claim(
        "3.2-before-after",
        "journal fig. 3.2 right, preprint fig. 3 right",
        "after the decay the parameters move along another direction than before",
        "—",
        partial(of_each, _paths, _before_and_after),
        ANGLE,
        RESERVED,
    ),
    Claim(
        "3.2-different-decays",
        "journal 3.2, preprint 3.2",
        "decays at different epochs lead along very different directions",
        "—",
        partial(of_each, _paths, _different_decays),
        ANGLE,
        FAILS,
    ),
    Claim(
        "3.2-fine-scale",
        "journal 3.2, preprint 3.2",
        "the fine structure that the decay shows differs from the large-scale one",
        "—",
        partial(of_each, _paths, _fine_structure),
        ANGLE,
        FAILS,
    ),
)
