"""The evidence for each figure of networks: what the paper states, and what was run for it here."""

import re
from itertools import chain

import numpy as np

from mslbook.paper.experiments import EXPERIMENTS, recordings
from mslbook.paper.ledger import Table
from mslbook.paper.recording import load

# What the paper states of each of its figures, by how the names of its experiments begin.
STATED = {
    "fig2_1_left": "2.1 left: a three-layer fully connected network, a subset of CIFAR-10",
    "fig2_1_right": "2.1 right: η = 0.1, and 0.01 from epoch 250 or 500; neither network nor batch",
    "fig3_1": "3.1: VGG11 and ResNet18 on CIFAR-10, DenseNet121 on 50 × 100 images of CIFAR-100, "
    "until the loss stops decreasing or decreases very slowly",
    "fig3_2": "3.2: VGG11 on CIFAR-10, a larger range; right, decays at epochs 250, 300 and 350",
}


def evidence():
    """What the paper states of its figures of networks, and what was recorded of each: a `Table`.

    >>> from mslbook.paper.evidence import evidence
    >>> evidence().header
    ('Figure: the paper states', 'Recorded here')
    """
    rows = []
    for start, stated in STATED.items():
        names = [name for name in EXPERIMENTS if name.startswith(start)]
        paths = chain.from_iterable(map(recordings, names))
        rows.append((stated, "<br>".join(map(_told, map(load, paths)))))
    return Table(("Figure: the paper states", "Recorded here"), rows)


def _told(run):
    """Data, images, network, steps, seeds and accuracy of a recording, in words."""
    about = run.provenance["settings"] | run.provenance
    images = int(re.search(r"training rows 0-(\d+)", about["data"])[1]) + 1
    weights = re.search(r"\d+(?= parameters)", about["network"])
    seeds = {choice.get("seed", 0) for choice in about.get("choices", ())}
    count = len(seeds or np.atleast_1d(about.get("seeds", 0)))
    names = [name for name in run.arrays if re.fullmatch("(?!test).*accuracy", name)]
    ends = [np.ravel(np.atleast_1d(run[name])[..., -1]) for name in names]
    learnt = dict.fromkeys(f"{100 * end(np.hstack(ends)):.0f}" for end in (np.min, np.max))
    parts = (
        f"`{about['recipe']}` ({about['size']}): {about['data'].partition(',')[0]}",
        f"{images:,} images",
        about["network"].partition(",")[0],
        *([f"{int(weights[0]):,} weights"] if weights else ()),
        f"{' + '.join(f'{steps:,}' for steps in np.atleast_1d(about['steps']))} steps",
        f"{count} seed{'s' * (count > 1)}",
        f"learnt {' to '.join(learnt)} %",
    )
    return ", ".join(parts)
