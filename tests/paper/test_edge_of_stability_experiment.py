"""The experiment of figure 2.1 (left): its numbers are those of gradient descent by hand."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")
from tiny import SETTINGS, STEPS, run, shrink  # noqa: E402

from mslbook import data  # noqa: E402
from mslbook.paper import experiments, recording  # noqa: E402
from mslbook.paper.edge_of_stability import experiment as edge_of_stability  # noqa: E402

IMAGES = data.load("digits")


@pytest.fixture
def tiny(monkeypatch):
    shrink(monkeypatch)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """The recording of a run."""
    with pytest.MonkeyPatch.context() as patch:
        shrink(patch)
        return recording.load(run(tmp_path_factory.mktemp("runs")))


def test_the_numbers_are_those_of_gradient_descent_by_hand(finished, tiny):
    """The loss and its dense Hessian, with torch's own optimiser and eigenvalues."""
    lr, steps = SETTINGS.lrs[0], STEPS[0]
    images = IMAGES.train_images[:60].astype(float).reshape(60, -1)
    spread = images.std(axis=0)
    x = torch.tensor((images - images.mean(axis=0)) / np.where(spread > 0, spread, 1)).float()
    labels = torch.tensor(IMAGES.train_labels[:60])
    one_hot = torch.eye(10)[labels]
    model = edge_of_stability.fully_connected([64, 16, 16, 10], "tanh", seed=0)
    parameters = dict(model.named_parameters())
    optimiser = torch.optim.SGD(model.parameters(), lr=lr)
    losses, accuracy = [], []

    def loss_of(*tensors):
        state = dict(zip(parameters, tensors, strict=True))
        outputs = torch.func.functional_call(model, state, x)
        return ((outputs - one_hot) ** 2).sum() / (2 * 60)

    for step in range(steps + 1):
        if step % (steps // SETTINGS.probes) == 0:
            accuracy.append((model(x).argmax(1) == labels).float().mean().item())
        if step == steps:
            blocks = torch.autograd.functional.hessian(loss_of, tuple(parameters.values()))
            sizes = [p.numel() for p in parameters.values()]
            rows = [
                torch.cat([b.reshape(n, m) for b, m in zip(row, sizes, strict=True)], dim=1)
                for row, n in zip(blocks, sizes, strict=True)
            ]
            dense = torch.cat(rows).double().numpy()
            largest = np.linalg.eigvalsh((dense + dense.T) / 2)[::-1][:3]
        optimiser.zero_grad()
        loss = loss_of(*parameters.values())
        losses.append(loss.item())
        loss.backward()
        optimiser.step()
    np.testing.assert_allclose(finished["losses"][0, : steps + 1], losses, rtol=1e-4)
    np.testing.assert_allclose(finished["accuracy"][0], accuracy, atol=1e-6)
    np.testing.assert_allclose(finished["eigenvalues"][0, -1], largest, rtol=1e-2)


def test_shapes_are_those_promised(finished):
    np.testing.assert_array_equal(finished["lrs"], SETTINGS.lrs)
    assert finished["losses"].shape == (2, 51)
    assert np.isfinite(finished["losses"]).sum(axis=1).tolist() == [31, 51]
    for name in ("probe_steps", "accuracy", "hvps"):
        assert finished[name].shape == (2, 11)
    for name in ("eigenvalues", "residuals"):
        assert finished[name].shape == (2, 11, 3)
    assert finished["probe_steps"].tolist() == [list(range(0, 31, 3)), list(range(0, 51, 5))]
    assert finished["residuals"].max() <= edge_of_stability.TOL


def test_the_quadratic_continuation_sets_off_at_the_edge_and_blows_up(finished):
    ratio = finished["eigenvalues"][:, :, 0] * finished["lrs"][:, None] / 2
    first = int(np.argmax(ratio[0] > edge_of_stability.PAST_EDGE))
    assert finished["branch_steps"].tolist() == [finished["probe_steps"][0, first], -1]
    branch = finished["branch_steps"][0]
    quadratic = finished["quadratic_losses"]
    assert quadratic.shape == (2, 21)
    np.testing.assert_allclose(quadratic[0, 0], finished["losses"][0, branch], rtol=1e-6)
    np.testing.assert_allclose(quadratic[0, 1], finished["losses"][0, branch + 1], rtol=2e-2)
    assert np.isnan(quadratic[1]).all()


def test_provenance_says_what_was_run(finished):
    about = finished.provenance
    assert about["data"] == "digits, training rows 0-59"
    assert about["settings"] == {
        "images": 60, "lrs": [0.8, 0.5], "time": 24, "probes": 10, "seed": 0
    }  # fmt: skip
    assert about["steps"] == STEPS
    assert about["network"].startswith("fully connected 64-16-16-10 tanh")
    assert [stay["training"] for stay in about["environments"]] == ["lr-0.8", "lr-0.5"]
    assert repr(finished) == "Recording(fig2_1_left on digits, training rows 0-59, small)"


@pytest.mark.parametrize("size", ["small", "paper"])
@pytest.mark.parametrize("name", ["digits", "cifar10"])
def test_settings_fit_together(name, size):
    settings = experiments.experiment("fig2_1_left").settings_for(name, size)
    for lr in settings.lrs:
        assert settings.steps(lr) % settings.probes == 0
        assert settings.steps(lr) * lr == pytest.approx(settings.time, rel=0.05)
    assert list(settings.lrs) == sorted(settings.lrs, reverse=True)
