"""Figure 3.2 (right), preprint figure 3 (right): where the path turns when the rate decays."""

from dataclasses import replace
from itertools import pairwise

import numpy as np

from mslbook.paper.learning_rate_decay.experiment import DESCENT, branches, measured, variant
from mslbook.probes import orthogonalise, principal_directions, project, random_walk_shares


def record(run):
    """Train with every decay, keep a snapshot of every epoch (35 GB at paper size), and project.

    The axes are the leading principal directions of the whole trunk, the first branch and the last
    one, orthogonalised in this order; the origin is the point of the first decay.

    Arrays, with D decays at E epochs, and the D + 1 segments trunk and branches: those of
    fig2_1_right, without the seeds; ``projections`` (D, E + 1, 3); ``away`` (D, E + 1), the
    distances of the snapshots from the origin, and ``moves`` (D, E), from one to the next; of each
    segment's leading direction the explained ``shares`` (D + 1,), those of a random walk as long,
    ``walk_shares``, and the ``cosines`` (D + 1, D + 1) of the angles between them.
    """
    settings = run.settings
    trainings = branches(run, seed=0, snapshots=True)
    segments, paths = _segments(run, settings.decays)
    leading = [principal_directions(segment, 1) for segment in segments]
    directions = np.concatenate([pca.directions for pca in leading])
    axes, origin = orthogonalise(directions[[0, 1, -1]]), np.array(segments[1][0])
    return measured(settings, trainings) | {
        "projections": [project(path, origin, axes) for path in paths],
        "away": [[np.linalg.norm(point - origin) for point in path] for path in paths],
        "moves": [[np.linalg.norm(b - a) for a, b in pairwise(path)] for path in paths],
        "shares": [pca.shares[0] for pca in leading],
        "walk_shares": [random_walk_shares(len(segment), 1)[0] for segment in segments],
        "cosines": (directions @ directions.T).tolist(),
        "decays": settings.decays,
        "epochs": range(0, settings.epochs + 1, settings.every),
    }


def _segments(run, decays):
    """The trunk and the branches, and each whole path; lists of rows that stay in their files."""
    trunk, branches, paths = [], [], []
    for epoch in decays:
        trunk += list(run.snapshots(f"seed-0-trunk-{epoch}"))[bool(trunk) :]
        branches.append(list(run.snapshots(f"seed-0-decayed-{epoch}")))
        paths.append(trunk + branches[-1][1:])
    return [trunk, *branches], paths


PATHS = replace(
    variant(DESCENT, "fig3_2_paths", decays=(250, 300, 350), epochs=500, seeds=1), record=record
)
# What the paper leaves open, one factor changed at a time.
PATHS_CROSS_ENTROPY = variant(PATHS, "fig3_2_paths_cross_entropy", loss="cross-entropy")
PATHS_MINIBATCHES = variant(PATHS, "fig3_2_paths_minibatches", batch=128)
