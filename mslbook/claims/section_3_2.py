"""Section 3.2, the separate scales structure: measured on the recorded runs on CIFAR-10.

Only points at which descent has been under way are looked at; the initial one is none of its own
making. Of two directions only the angle matters: a principal component has no sign.
"""

import numpy as np

from mslbook.claims.claim import FAILS, HOLDS, RESERVED, Claim, verdict
from mslbook.experiments import recorded
from mslbook.probes import scales

SHARPER = 10  # times as curved as what lies around it: a well within a well
KINKS = 0.1  # of a slope, by which those of ReLU and pooling may make it fall
NETWORKS = {"fig3_2_landscape": "without BatchNorm", "fig3_2_normalised": "with it"}
APART = 60  # degrees between very different directions; 30 between directions that merely differ


def _lines(recipe, *names):
    """The distances, and the recorded lines of these names through every point but the initial."""
    run = recorded(recipe, "cifar10", "reduced")
    rows = [run[name][1:].reshape(-1, len(run["distances"])) for name in names]
    return run["distances"], np.concatenate(rows)


def convex(distances, losses):
    """Whether the slope rises outwards from the minimum of a line, the scatter of kinks aside.

    Nearer than a hundredth of the range lies the smaller domain, that of figure 3.1.
    """
    found = scales(distances, losses)
    for away, bends in zip(found.distances, found.curvatures, strict=True):
        far = away > distances[-1] / 100
        slopes = np.diff((bends * away**2)[far]) / np.diff(away[far])
        if np.any(slopes < (1 - KINKS) * np.maximum.accumulate(slopes)):
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
    return number, verdict(all(bent), RESERVED if any(bent) else FAILS)


def _separations(recipe, *names):
    """How many times the curvature falls on the way out, both sides of every line."""
    distances, lines = _lines(recipe, *names)
    return np.array([scales(distances, line).separations for line in lines])


def _well_in_a_well(*names):
    """How much the curvature falls; of every network the side where it falls least counts."""
    held, numbers = [], []
    for recipe, label in NETWORKS.items():
        falls = _separations(recipe, *names)
        numbers.append(f"{falls.min():.1f} to {falls.max():.1f}-fold {label}")
        held.append(falls.min() >= SHARPER)
    number = "the curvature falls " + ", ".join(numbers)
    return number, verdict(all(held), RESERVED if any(held) else FAILS)


def _along_the_gradient():
    return _well_in_a_well("descent")


def _along_random_directions():
    return _well_in_a_well("random", "filtered")


def _paths():
    return recorded("fig3_2_paths", "cifar10", "reduced")


def angles(cosines):
    """The angles between lines of no sign, in degrees, 0 to 90."""
    return np.degrees(np.arccos(np.clip(np.abs(cosines), 0, 1)))


def _how_different(degrees):
    least = degrees.min()
    return verdict(least >= APART, RESERVED if least >= APART / 2 else FAILS)


def _written(degrees):
    return ", ".join(f"{angle:.0f}°" for angle in degrees)


def _before_and_after():
    degrees = angles(_paths()["cosines"][0, 1:])
    return _written(degrees) + " after the three decays", _how_different(degrees)


def _different_decays():
    degrees = angles(_paths()["cosines"][1:, 1:][np.triu_indices(3, 1)])
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


def without_decay(run):
    """The cosine of the first branch's direction with the run that was not decayed then.

    That run's way leads from the first decay to halfway between its last two points before the
    last decay, so that most of the bouncing from wall to wall cancels. Its length follows from the
    recorded distances.
    """
    last = run["decays"][-1]
    end = run["projections"][-1][last - 1 : last + 1].mean(axis=0)
    far, step = run["away"][-1][last - 1 : last + 1], run["moves"][-1][last - 1]
    length = np.sqrt(np.mean(far**2) - step**2 / 4)
    return float(end @ leading(run)[1] / length)


def _fine_structure():
    cosine = without_decay(_paths())
    degrees = angles(np.array([cosine]))
    return _written(degrees) + " to where the undecayed run goes", _how_different(degrees)


def _one_direction_each():
    run = _paths()
    shares, walks = run["shares"], run["walk_shares"]
    number = ", ".join(f"{share:.0%}" for share in shares) + f"; a random walk {walks[0]:.0%}"
    return number, verdict(np.all(shares > walks + 0.1))


def _orthogonal_axes():
    kept = np.abs(np.diagonal(leading(_paths())[[0, 1, 3]]))
    number = "of its own direction each axis keeps " + ", ".join(f"{part:.0%}" for part in kept)
    return number, verdict(kept.min() >= 0.95, RESERVED if kept.min() >= 0.5 else FAILS)


CLAIMS = (
    Claim(
        "3.2-nonconvex",
        "journal 3.2, preprint 3.2",
        "in a larger domain the loss inevitably behaves in a non-convex way",
        "—",
        _non_convex,
        "ten per cent of a slope, for the kinks of ReLU; all lines",
        RESERVED,
    ),
    Claim(
        "3.2-gradient-well",
        "journal fig. 3.2 left, preprint fig. 3 left",
        "along the gradient the minimum lies in a small sharp well within a large flat one",
        "—",
        _along_the_gradient,
        f"{SHARPER}-fold on both sides of every line; on one of the networks with a reservation",
        RESERVED,
    ),
    Claim(
        "3.2-random-well",
        "journal fig. 3.2 middle, preprint fig. 3 middle",
        "and so it does along a random direction",
        "—",
        _along_random_directions,
        f"{SHARPER}-fold on both sides of every line; on one of the networks with a reservation",
        FAILS,
    ),
    Claim(
        "3.2-one-direction",
        "journal fig. 3.2 right, preprint fig. 3 right",
        "the leading principal component stands for a whole segment of the path",
        "—",
        _one_direction_each,
        "ten per cent of the variance more than of an aimless walk as long",
        HOLDS,
    ),
    Claim(
        "3.2-before-after",
        "journal fig. 3.2 right, preprint fig. 3 right",
        "after the decay the parameters move along another direction than before",
        "—",
        _before_and_after,
        f"{APART}° holds, half of it with a reservation",
        RESERVED,
    ),
    Claim(
        "3.2-different-decays",
        "journal 3.2, preprint 3.2",
        "decays at different epochs lead along very different directions",
        "—",
        _different_decays,
        f"{APART}° holds, half of it with a reservation",
        FAILS,
    ),
    Claim(
        "3.2-axes",
        "journal fig. 3.2 right, preprint fig. 3 right",
        "the axes of the picture are the directions of the segments, orthogonalised",
        "—",
        _orthogonal_axes,
        "95 % of each holds, half with a reservation",
        RESERVED,
    ),
    Claim(
        "3.2-fine-scale",
        "journal 3.2, preprint 3.2",
        "the fine structure that the decay shows differs from the large-scale one",
        "—",
        _fine_structure,
        f"{APART}° holds, half of it with a reservation",
        RESERVED,
    ),
)
