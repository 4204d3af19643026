"""The ledger of section 2.1: what is recorded decides the verdict."""

import numpy as np
import pytest

from mslbook.claims import FAILS, HOLDS, RESERVED
from mslbook.claims import section_2_1 as claims
from mslbook.experiments.recording import Recording


@pytest.mark.parametrize(
    ("measure", "name", "tampered"),
    [
        (claims._rises, "eigenvalues", lambda array: array / 3),
        (claims._settles, "eigenvalues", lambda array: array * 1.2),
        (claims._keeps_falling, "losses", lambda array: array[:, ::-1]),
        (claims._quadratic_blows_up, "quadratic_losses", np.zeros_like),
    ],
)
def test_the_recorded_run_decides_the_verdict(monkeypatch, measure, name, tampered):
    assert measure()[1] == HOLDS
    run = claims.recorded("fig2_1_left", "cifar10")
    other = Recording(run.arrays | {name: tampered(run[name])}, run.provenance)
    monkeypatch.setattr(claims, "recorded", lambda *_: other)
    assert measure()[1] == FAILS


@pytest.mark.parametrize(("factor", "verdict"), [(1.0, HOLDS), (1.3, RESERVED), (0.7, FAILS)])
def test_where_the_other_networks_settle_decides_their_verdict(monkeypatch, factor, verdict):
    run = Recording(
        {"lr": 0.05, "sharpness": np.full(6, 40 * factor), "probe_steps": np.arange(6)}, {}
    )
    monkeypatch.setattr(claims, "recordings", lambda: {"one": run, "another": run})
    number, found = claims._other_networks()
    assert found == verdict
    assert f"one {factor:.2f} × 2/η" in number
