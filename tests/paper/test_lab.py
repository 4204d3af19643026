"""The lab: what it runs, and that the widget is made, runs, and says what it cannot run."""

import numpy as np
import pytest

from mslbook.losses import f1
from mslbook.paper.lab import NETWORK, SLICE, STARTS, Lab, explore
from mslbook.theory import two_cycle


def test_above_the_edge_descent_bounces():
    run = explore("f1", lr=5.0, steps=100)
    np.testing.assert_allclose(run["losses"][-1], f1.value(two_cycle(f1, 5.0)), rtol=1e-9)
    assert run["edges"][0] == 2 / 5
    assert (run["sharpness"][-5:] < run["edges"][-5:]).all()  # at the flat ends of the swing
    assert len(run["slice"]) == len(SLICE)


@pytest.mark.parametrize("name", [*STARTS, NETWORK])
@pytest.mark.parametrize("optimizer", ["momentum 0.9", "Adam"])
def test_every_choice_runs(name, optimizer):
    run = explore(name, optimizer, lr=0.01, schedule="tenfold decay halfway", steps=20)
    assert run["losses"][-1] < run["losses"][0]
    np.testing.assert_allclose(run["edges"][-1], 10 * run["edges"][0])
    assert np.isfinite(run["sharpness"]).all()


def test_a_run_that_explodes_ends_there():
    run = explore("parabola", lr=3.0, steps=2000)
    assert 10 < len(run["losses"]) < 100


def test_the_widget_runs_what_is_chosen():
    lab = Lab("f1", 5.0)
    lab.steps.value = 20
    lab.button.click()
    assert lab.progress.value == 21
    assert "live kernel" in repr(lab)
    data = lab._repr_mimebundle_()
    assert "live kernel" in data["text/html"]
    assert "application/vnd.jupyter.widget-view+json" in data


def test_what_cannot_be_run_says_why(capsys):
    lab = Lab("f1", 5.0)
    lab.lr.value = -1.0
    lab.run()
    assert "learning rate" in capsys.readouterr().out
