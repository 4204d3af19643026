"""Figure 3.1's experiments: what is recorded are the losses that descent meets."""

from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch")
from tiny import choose  # noqa: E402

from mslbook.paper import experiments, recording  # noqa: E402
from mslbook.paper.subquadratic_growth import experiment as gradient_direction  # noqa: E402
from mslbook.paper.subquadratic_growth.experiment import DENSENET121, RESNET18, VGG11  # noqa: E402
from mslbook.probes import growth  # noqa: E402

EXPERIMENTS = {one.name: one for one in (VGG11, RESNET18, DENSENET121)}
# With channels last, torch 2.15 corrupts the memory in the backward pass of ResNet's 1 x 1
# convolutions of stride 2 with fewer than 8 channels: 8 is what width 1/8 begins with.
TINY = {"width": 1 / 8, "images": 12, "points": (0, 1, 2, 3, 4), "products": 2}


def shrink(patch):
    """Make the experiments tiny."""
    patch.setattr(gradient_direction, "SLICE", np.linspace(-2, 3, 11))
    patch.setattr(gradient_direction, "FINE", np.linspace(-2, 3, 51))
    for one in EXPERIMENTS.values():
        choose(patch, one.name, replace(one.settings["small"], **TINY))


@pytest.fixture
def tiny(monkeypatch):
    shrink(monkeypatch)


def run(name, folder):
    return recording.load(experiments.run(name, folder=folder, progress=False))


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """What a run of VGG11 recorded that nothing interrupted."""
    with pytest.MonkeyPatch.context() as patch:
        shrink(patch)
        return run("fig3_1_vgg11", tmp_path_factory.mktemp("uninterrupted"))


def test_shapes_are_those_promised(found):
    assert found["losses"].shape == (5,)
    assert found["probe_steps"].tolist() == [0, 1, 2, 3, 4]
    for name in ("sharpness", "residuals", "hvps", "accuracy", "alignment", "curvature"):
        assert found[name].shape == (5,)
    assert found["slices"].shape == (5, 11)
    assert found["fine"].shape == found["fine_top"].shape == (51,)
    assert found["density_nodes"].shape == found["density_weights"].shape == (4, 2)
    assert not [name for name in found.arrays if "frozen" in name]


def test_the_line_is_that_of_descent(found):
    here, following = np.searchsorted(found["slice_steps"], [0, 1])
    np.testing.assert_allclose(found["slices"][:, here], found["losses"], rtol=1e-5)
    np.testing.assert_allclose(found["slices"][:-1, following], found["losses"][1:], rtol=1e-4)
    np.testing.assert_allclose(found["fine"][::5], found["slices"][-1], rtol=1e-5)
    step = found["lr"] * found["gradient_norms"][-1]
    np.testing.assert_allclose(found["step_length"], step, rtol=1e-5)


def test_slopes_and_curvature_fit_the_slices(found):
    """The loss falls by lr ||g||² per step at first, along the eigenvector by no more."""
    here = np.searchsorted(found["fine_steps"], 0)
    slopes = [
        np.gradient(found[name].astype(float), found["fine_steps"])[here]
        for name in ("fine", "fine_top")
    ]
    steepest = found["lr"] * found["gradient_norms"][-1] ** 2
    np.testing.assert_allclose(slopes[0], -steepest, rtol=0.1)  # a central difference
    np.testing.assert_allclose(slopes[1], -steepest * found["alignment"][-1], rtol=0.1)
    assert (found["curvature"] <= found["sharpness"] * 1.02).all()
    assert (found["alignment"] <= 1 + 1e-6).all()
    assert (found["residuals"] <= gradient_direction.TOL).all()


def test_batchnorm_is_measured_in_its_other_mode_too(tiny, tmp_path, monkeypatch):
    monkeypatch.setattr(gradient_direction, "TOL", 0.1)
    one = replace(
        experiments.experiment("fig3_1_resnet18").settings_for("digits", "small"), points=(0, 1)
    )
    choose(monkeypatch, "fig3_1_resnet18", one)
    found = run("fig3_1_resnet18", tmp_path)
    assert found["frozen_fine"].shape == (51,)
    # Frozen at this iterate, the loss is the same here, but for the N / (N - 1) of the running
    # variance, and nowhere else.
    here = np.searchsorted(found["fine_steps"], 0)
    assert abs(found["frozen_fine"][here] / found["losses"][-1] - 1) < 0.2
    assert abs(found["frozen_fine"] - found["fine"]).max() > 1e-3
    assert found["frozen_sharpness"] != found["sharpness"][-1]
    assert found.provenance["recipe"] == "fig3_1_resnet18"
    assert "ResNet18" in found.provenance["network"]


@pytest.mark.parametrize("size", experiments.SIZES)
@pytest.mark.parametrize("name", EXPERIMENTS)
def test_the_settings_can_be_run_and_recorded(name, size):
    settings = experiments.experiment(name).settings_for("cifar10", size)
    assert settings.points[0] == 0
    assert 4 * (settings.points[-1] + 100 * len(settings.points)) < 500_000  # bytes
    assert settings.network in gradient_direction.NETWORKS


def test_too_few_images_are_refused(tmp_path):
    with pytest.MonkeyPatch.context() as patch:
        choose(patch, "fig3_1_vgg11", replace(VGG11.settings_for("digits", "small"), images=5000))
        with pytest.raises(ValueError, match="1437 training images, this run needs"):
            experiments.run("fig3_1_vgg11", folder=tmp_path)


def test_the_recorded_lines_go_into_growth(found):
    answer = growth(found["fine_steps"], found["fine"])
    assert 0 < answer.minimum < 3
    assert answer.value < found["losses"][-1]
