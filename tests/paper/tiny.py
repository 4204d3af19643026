"""Experiments made small enough for tests, and how they are stopped on the way."""

from dataclasses import replace
from itertools import count

import numpy as np
import pytest

from mslbook.losses.network import NetworkLoss
from mslbook.paper import experiments
from mslbook.paper import run as runs
from mslbook.paper.edge_of_stability import experiment as edge
from mslbook.paper.recording import load

SETTINGS = edge.Settings(60, (0.8, 0.5), time=24, probes=10)
STEPS = [30, 50]


def choose(patch, name, settings):
    """Make an experiment run with these settings, whatever the data and the size."""
    known = experiments.experiment
    changed = replace(known(name), settings={"small": settings}, digits=None)
    patch.setattr(experiments, "experiment", lambda one: changed if one == name else known(one))


def tiny_recording(folder, name, settings, *changes):
    """What an experiment records with these settings and other attributes: owner, name, value."""
    with pytest.MonkeyPatch.context() as patch:
        choose(patch, name, settings)
        for change in changes:
            patch.setattr(*change)
        return load(experiments.run(name, folder=folder, progress=False))


def shrink(patch):
    """Make fig2_1_left tiny, with a checkpoint at every step.

    It passes 2/η with the first learning rate and never with the second.
    """
    patch.setattr(edge, "HIDDEN", (16, 16))
    patch.setattr(edge, "QUADRATIC_STEPS", 20)
    choose(patch, "fig2_1_left", SETTINGS)
    patch.setattr(runs, "SAVE_EVERY", -1.0)


def run(folder, **changes):
    """Run fig2_1_left in a folder; returns the path of the recording."""
    return experiments.run("fig2_1_left", folder=folder, progress=False, **changes)


def stop_at(patch, where, moment):
    """Interrupt the `moment`-th call of a method of NetworkLoss, or of the writing of a file."""
    owner = np if where == "savez_compressed" else NetworkLoss
    method, calls = getattr(owner, where), count(1)

    def interrupted(*args, **kwargs):
        if next(calls) == moment:
            if where == "savez_compressed":
                args[0].write(b"half a file")
            raise KeyboardInterrupt
        return method(*args, **kwargs)

    patch.setattr(owner, where, interrupted)
    patch.setattr("mslbook.losses.network.check_network", lambda loss: None)  # makes calls, too


def assert_identical(one, other):
    """Two recordings of the same numbers."""
    assert one.arrays.keys() == other.arrays.keys()
    for name, array in one.arrays.items():
        assert array.dtype == other[name].dtype
        np.testing.assert_array_equal(array, other[name], err_msg=name)
    for name in one.provenance.keys() - {"wall_seconds"}:
        assert one.provenance[name] == other.provenance[name], name


def everything_in(folder):
    """The paths of all that is in a folder."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))
