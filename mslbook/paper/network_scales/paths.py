"""Figure 3.2 (right), preprint figure 3 (right): where the path turns when the rate decays."""

import numpy as np

from mslbook.paper.experiments import Recipe, by_size, changed
from mslbook.paper.learning_rate_decay.experiment import DecayedTraining, Settings
from mslbook.probes import orthogonalise, principal_directions, project, random_walk_shares

VERSION = 1


def record(name, chosen, pictures, size, device, folder, progress):
    """Train with every decay and project the paths; returns what to record and its provenance.

    A snapshot of the parameters is kept after every epoch, in files in `folder` (35 GB at paper
    size). The axes are the leading principal directions of three segments, orthogonalised in this
    order: the whole trunk, the branch of the first decay, the branch of the last one. The origin
    is the point of the first decay.

    Arrays, with D epochs of decay, E epochs in all, P measurements, and the D + 1 segments trunk
    and branches: ``decays`` (D,), ``epochs`` (P,), ``projections`` (D, E + 1, 3); ``away``
    (D, E + 1), the distance of every snapshot from the origin, and ``moves`` (D, E), from one to
    the next; of each segment's own leading direction the explained ``shares`` (D + 1,), those of a
    random walk as long, ``walk_shares`` (D + 1,), and the ``cosines`` (D + 1, D + 1) of the angles
    between them. Losses and accuracy are those of the recipe fig2_1_right, without the seeds.
    """
    training = DecayedTraining(name, VERSION, chosen, pictures, size, device, folder)
    training.check()
    parts = training.run(0, progress, snapshots=True)
    segments, paths = _segments(training, chosen.decays)
    leading = [principal_directions(segment, 1) for segment in segments]
    directions = np.concatenate([found.directions for found in leading])
    axes, origin = orthogonalise(directions[[0, 1, -1]]), np.array(segments[1][0])
    branches = training.branches(parts)
    arrays = {
        "decays": np.array(chosen.decays),
        "epochs": np.arange(0, chosen.epochs + 1, chosen.every),
        "projections": np.array([project(path, origin, axes) for path in paths]),
        "away": np.array([[np.linalg.norm(point - origin) for point in path] for path in paths]),
        "moves": np.array(
            [[np.linalg.norm(b - a) for a, b in zip(p, p[1:], strict=False)] for p in paths]
        ),
        "shares": np.concatenate([found.shares for found in leading]),
        "walk_shares": np.concatenate([random_walk_shares(len(s), 1) for s in segments]),
        "cosines": directions @ directions.T,
        "batch_losses": training.batch_losses(branches),
        **{name: [run.rows[name] for run in branches] for name in branches[0].rows},
    }
    arrays = {
        name: np.asarray(array, dtype=None if name in ("decays", "epochs") else np.float32)
        for name, array in arrays.items()
    }
    return arrays, training.provenance([parts])


def _segments(training, decays):
    """The trunk and the branches, and each whole path; lists of rows that stay in their files."""
    trunk, branches, paths = [], [], []
    for epoch in decays:
        trunk += list(training.snapshots(0, f"trunk-{epoch}"))[bool(trunk) :]
        branches.append(list(training.snapshots(0, f"decayed-{epoch}")))
        paths.append(trunk + branches[-1][1:])
    return [trunk, *branches], paths


PATHS = Recipe(
    "fig3_2_paths",
    by_size(
        small=Settings(200, 1 / 16, None, (100, 120, 140), epochs=200, every=5, seeds=1),
        reduced=Settings(2000, 1 / 8, None, (250, 300, 350), epochs=500, every=5, seeds=1),
        paper=Settings(50_000, 1.0, None, (250, 300, 350), epochs=500, every=5, seeds=1),
    ),
    record,
)
# What the paper leaves open, one thing changed at a time.
PATHS_CROSS_ENTROPY = Recipe(
    "fig3_2_paths_cross_entropy", changed(PATHS, loss="cross-entropy"), record
)
PATHS_MINIBATCHES = Recipe("fig3_2_paths_minibatches", changed(PATHS, batch=128), record)
