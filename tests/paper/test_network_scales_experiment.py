"""The recipe of figure 3.2's wide lines: losses as the model itself computes them, zoomable."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")
from tiny import assert_identical, choose  # noqa: E402

from mslbook import data  # noqa: E402
from mslbook.networks import vgg11  # noqa: E402
from mslbook.paper import experiments, recording  # noqa: E402
from mslbook.paper.network_scales import experiment as wide_range  # noqa: E402
from mslbook.paper.subquadratic_growth.experiment import BATCHNORM, Descent  # noqa: E402

IMAGES = data.load("digits")
SETTINGS = Descent(12, 1 / 32, lr=0.1, points=(0, 3, 5))


def shrink(patch):
    choose(patch, "fig3_2_landscape", SETTINGS)
    patch.setattr(wide_range, "PER_DECADE", 2)


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        shrink(patch)
        folder = tmp_path_factory.mktemp("uninterrupted")
        return recording.load(experiments.run("fig3_2_landscape", folder=folder, progress=False))


def test_lines_are_the_losses_of_a_displaced_model(found):
    """By the model itself, in double precision, from its initial parameters."""
    images = IMAGES.train_images[:12].astype(float)
    images = ((images - images.mean()) / images.std()).repeat(4, axis=2).repeat(4, axis=3)
    x = torch.tensor(images.astype(np.float32)).double().expand(-1, 3, -1, -1)
    one_hot = torch.eye(10).double()[torch.tensor(IMAGES.train_labels[:12])]
    model = vgg11(10, 1 / 32).double()
    theta = torch.nn.utils.parameters_to_vector(model.parameters()).detach()

    def loss(point):
        torch.nn.utils.vector_to_parameters(point, model.parameters())
        return ((model(x) - one_hot) ** 2).sum() / 24

    grads = torch.autograd.grad(loss(theta), model.parameters())
    descent = -torch.cat([grad.reshape(-1) for grad in grads])
    random = torch.tensor(np.random.default_rng(1).standard_normal(len(theta))).float().double()
    for name, direction in (("descent", descent), ("random", random)):
        unit = direction / direction.norm()
        recorded = found[name][0] if name == "descent" else found[name][0, 1]
        for i in range(0, len(recorded), 3):
            exact = loss(theta + found["distances"][i] * unit).item()
            assert recorded[i] == pytest.approx(exact, rel=1e-3), (name, i)


def test_distances_can_be_zoomed_into_and_reach_beyond_the_length_of_the_parameters(found):
    distances = found["distances"]
    np.testing.assert_allclose(distances, -distances[::-1])
    assert distances[-1] == pytest.approx(10 * found["theta_norms"][0], rel=1e-6)
    out = distances[len(distances) // 2 + 1 :]
    assert out[-1] / out[0] == pytest.approx(1e5)
    np.testing.assert_allclose(out[1:] / out[:-1], np.sqrt(10))


def test_all_lines_meet_in_their_point_of_descent(found):
    middle = len(found["distances"]) // 2
    for name in ("descent", "random", "filtered"):
        lines = found[name].reshape(3, -1, 23)
        np.testing.assert_allclose(lines[:, :, middle].T, [found["values"]] * lines.shape[1])
    np.testing.assert_allclose(found["values"], found["losses"][[0, 3, 5]], rtol=1e-4)
    assert found["losses"].shape == (6,)
    # Downhill is to the right, by as much as the gradient says.
    step = found["distances"][middle + 1]
    slope = (found["descent"][:, middle + 1] - found["values"]) / step
    np.testing.assert_allclose(slope, -found["gradient_norms"], rtol=0.05)


def test_shapes_and_provenance_are_those_promised(found):
    assert found["points"].tolist() == [0, 3, 5]
    assert found["descent"].shape == (3, 23)
    assert found["random"].shape == found["filtered"].shape == (3, 2, 23)
    assert found["filtered_norms"].shape == (3, 2)
    assert (found["filtered_norms"] <= found["theta_norms"][:, None] * 1.001).all()
    assert found["descent"].dtype == np.float64
    assert found.provenance["settings"]["points"] == [0, 3, 5]
    assert found.provenance["data"] == "digits, training rows 0-11"
    assert found.provenance["steps"] == 5


def test_a_run_killed_between_two_lines_draws_none_of_them_twice(tmp_path, monkeypatch, found):
    shrink(monkeypatch)
    drawn, line = [], wide_range.line

    def counted(*of):
        drawn.append(of)
        if len(drawn) == 8:  # the third line of the second point
            raise KeyboardInterrupt
        return line(*of)

    monkeypatch.setattr(wide_range, "line", counted)
    with pytest.raises(KeyboardInterrupt):
        experiments.run("fig3_2_landscape", folder=tmp_path, progress=False)
    path = experiments.run("fig3_2_landscape", folder=tmp_path, progress=False)
    assert_identical(recording.load(path), found)
    assert len(drawn) == 8 + 15 - 7


@pytest.mark.parametrize("size", experiments.SIZES)
@pytest.mark.parametrize("name", ["fig3_2_landscape", "fig3_2_normalised"])
def test_settings_fit_together(name, size):
    settings = experiments.experiment(name).settings_for("cifar10", size)
    assert list(settings.points) == sorted(set(settings.points))
    assert settings.points[0] == 0


def test_with_batchnorm_it_is_the_same_but_for_the_network(tmp_path, monkeypatch):
    monkeypatch.setattr(wide_range, "PER_DECADE", 2)
    settings = Descent(12, 1 / 32, lr=0.02, points=(0, 2), network=BATCHNORM)
    choose(monkeypatch, "fig3_2_normalised", settings)
    path = experiments.run("fig3_2_normalised", folder=tmp_path, progress=False)
    found = recording.load(path)
    assert found.provenance["recipe"] == "fig3_2_normalised"
    assert found.provenance["network"].startswith("VGG11 with BatchNorm")
    assert found["descent"].shape == (2, 23)
    # Far out along a filter-normalised direction, which leaves BatchNorm's own parameters alone.
    assert found["filtered"][-1, 0, -1] < 100 * found["filtered"][-1, 0, -3]
