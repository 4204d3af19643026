"""The ledger of section 2.1: what is recorded decides the verdict."""

import numpy as np
import pytest

from mslbook.paper.edge_of_stability import claims
from mslbook.paper.ledger import HOLDS, UNSEEN
from mslbook.paper.recording import Recording


@pytest.mark.parametrize(
    ("measure", "name", "tampered"),
    [
        (claims.rises, "eigenvalues", lambda array: array / 3),
        (claims.settles, "eigenvalues", lambda array: array * 1.2),
        (claims.keeps_falling, "losses", lambda array: array[:, ::-1]),
        (claims.quadratic_blows_up, "quadratic_losses", np.ones_like),
    ],
)
def test_the_recorded_run_decides_the_verdict(monkeypatch, measure, name, tampered):
    assert measure()[1] == HOLDS
    run = claims.recorded("fig2_1_left", "cifar10")
    other = Recording(run.arrays | {name: tampered(run[name])}, run.provenance)
    monkeypatch.setattr(claims, "recorded", lambda *_: other)
    assert measure()[1] == UNSEEN


def network(sharpness):
    """A recording of a network whose steps feel 2/η, with this sharpness in units of it."""
    steps, unit = np.linspace(-2, 3, 81), 2 * 0.05  # a gradient of length 1
    arrays = {
        "lr": 0.05,
        "sharpness": 40 * np.asarray(sharpness),
        "probe_steps": np.arange(len(sharpness)),
        "gradient_norms": np.ones(len(sharpness)),
        "slice_steps": steps,
        "slices": np.tile(1 + unit * (steps - 0.5) ** 2 / 2, (len(sharpness), 1)),
    }
    return Recording(arrays, {})


@pytest.mark.parametrize(
    ("first", "most", "verdict"),
    [(0.5, 1.3, HOLDS), (1.1, 1.3, HOLDS), (0.5, 0.9, UNSEEN), (1.3, 1.3, UNSEEN)],
)
def test_other_networks_must_rise_to_the_edge(first, most, verdict):
    number, found = claims.rises_too(network(np.array([first, most, first])))
    assert found == verdict
    assert f"from {first:.2f} to {max(first, most):.2f}" in number
