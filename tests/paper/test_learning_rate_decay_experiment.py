"""The experiments that decay the learning rate: branches like single runs, and where they lead."""

from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch")
from tiny import choose  # noqa: E402

from mslbook import data  # noqa: E402
from mslbook.networks import vgg11  # noqa: E402
from mslbook.paper import experiments, recording  # noqa: E402
from mslbook.paper.learning_rate_decay.experiment import SGD, Settings  # noqa: E402

DIGITS = data.load("digits")
IMAGES = replace(DIGITS, test_images=DIGITS.test_images[:40], test_labels=DIGITS.test_labels[:40])
SETTINGS = Settings(20, 1 / 32, 8, decays=(2, 4), epochs=6, every=2, seeds=2)
THREE = Settings(20, 1 / 32, 8, decays=(3, 4, 5), epochs=8, every=1, seeds=1)
UPDATES = 3  # 8, 8 and 4 images
NAMES = ("fig2_1_right", "fig3_2_paths")


def shrink(patch):
    """Make the experiments tiny."""
    choose(patch, "fig2_1_right", SETTINGS)
    choose(patch, "fig3_2_paths", THREE)
    patch.setattr(data, "load", lambda *args: IMAGES)


@pytest.fixture
def tiny(monkeypatch):
    shrink(monkeypatch)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Where both experiments ran, and nothing interrupted them."""
    folder = tmp_path_factory.mktemp("uninterrupted")
    with pytest.MonkeyPatch.context() as patch:
        shrink(patch)
        for name in NAMES:
            experiments.run(name, folder=folder, progress=False)
    return folder


@pytest.fixture(scope="module")
def decay(folder):
    return recording.load(folder / "fig2_1_right-digits-small.npz")


@pytest.fixture(scope="module")
def paths(folder):
    return recording.load(folder / "fig3_2_paths-digits-small.npz")


# --- training loss and test accuracy --------------------------------------------------------------


def by_hand(seed, decay, epochs):
    """The same training with torch's own optimiser; what is measured after every epoch."""
    images = IMAGES.train_images[:20].astype(float)
    mean, spread = images.mean(), images.std()

    def inputs(images):
        larger = torch.tensor((images - mean) / spread).float()
        return torch.nn.functional.interpolate(larger, scale_factor=4).expand(-1, 3, -1, -1)

    x, y = inputs(images), torch.tensor(IMAGES.train_labels[:20])
    test, labels = inputs(IMAGES.test_images), torch.tensor(IMAGES.test_labels)
    one_hot = torch.eye(10)
    model = vgg11(10, 1 / 32, seed=seed)
    optimiser = torch.optim.SGD(model.parameters(), lr=0.1)
    rows, batches = [], []
    for epoch in range(epochs + 1):
        with torch.no_grad():
            train_loss = ((model(x) - one_hot[y]) ** 2).sum().item() / 40
            correct = (model(test).argmax(1) == labels).float().mean().item()
        rows.append((train_loss, correct))
        if epoch == decay:
            optimiser.param_groups[0]["lr"] = 0.01
        losses = []
        for batch in np.split(np.random.default_rng((seed, epoch)).permutation(20), [8, 16]):
            optimiser.zero_grad()
            loss = ((model(x[batch]) - one_hot[y[batch]]) ** 2).sum() / (2 * len(batch))
            loss.backward()
            optimiser.step()
            losses.append(loss.item())
        batches.append(np.mean(losses))
    return np.array(rows), np.array(batches[:epochs])


@pytest.mark.parametrize(("seed", "branch"), [(0, 0), (1, 1)])
def test_the_numbers_are_those_of_sgd_by_hand(decay, seed, branch):
    rows, batches = by_hand(seed, SETTINGS.decays[branch], SETTINGS.epochs)
    np.testing.assert_allclose(decay["train_losses"][seed, branch], rows[::2, 0], rtol=1e-3)
    np.testing.assert_allclose(decay["test_accuracy"][seed, branch], rows[::2, 1], atol=0.03)
    np.testing.assert_allclose(decay["batch_losses"][seed, branch], batches, rtol=1e-3)


def test_branches_share_their_trunk_and_part_where_one_decays(decay):
    early, late = decay["batch_losses"].swapaxes(0, 1)
    np.testing.assert_array_equal(early[:, :2], late[:, :2])
    # The first minibatch after the decay is met at the same point, the later ones are not.
    assert (early[:, 2:] != late[:, 2:]).all()
    assert (decay["batch_losses"][0] != decay["batch_losses"][1]).all()  # another seed


def test_shapes_and_provenance_are_those_promised(decay):
    assert decay["decays"].tolist() == [2, 4]
    assert decay["epochs"].tolist() == [0, 2, 4, 6]
    for name in ("train_losses", "train_accuracy", "test_losses", "test_accuracy"):
        assert decay[name].shape == (2, 2, 4)
    assert decay["batch_losses"].shape == (2, 2, 6)
    about = decay.provenance
    assert about["data"] == "digits, training rows 0-19, test rows 0-39"
    assert about["data_hash"] == recording.fingerprint(
        IMAGES.train_images[:20],
        IMAGES.train_labels[:20],
        IMAGES.test_images,
        IMAGES.test_labels,
    )
    assert about["settings"]["decays"] == [2, 4]
    assert about["steps"] == 6 * UPDATES
    assert about["seeds"] == [0, 1]
    assert about["network"].startswith("VGG11 of width 0.03125")
    assert "η from 0.1 to 0.01 after epoch 2 or 4" in about["optimiser"]


# --- paths ----------------------------------------------------------------------------------------


def snapshots(folder, part):
    return np.load(folder / "fig3_2_paths-digits-small" / f"seed-0-{part}.npy")


def test_paths_are_projected_on_the_directions_of_their_segments(folder, paths):
    trunk = [snapshots(folder, f"trunk-{epoch}") for epoch in THREE.decays]
    trunk = np.concatenate([trunk[0], trunk[1][1:], trunk[2][1:]]).astype(float)
    branches = [snapshots(folder, f"decayed-{epoch}").astype(float) for epoch in THREE.decays]
    assert len(trunk) == 6
    leading, shares = [], []
    for points in (trunk, *branches):
        _, sizes, rows = np.linalg.svd(points - points.mean(axis=0), full_matrices=False)
        leading.append(rows[0] * np.sign(rows[0] @ (points[-1] - points[0])))
        shares.append(sizes[0] ** 2 / np.sum(sizes**2))
    np.testing.assert_allclose(paths["shares"], shares, rtol=1e-5)
    np.testing.assert_allclose(paths["cosines"], np.inner(leading, leading), atol=1e-5)
    axes = np.linalg.qr(np.array(leading)[[0, 1, 3]].T)
    axes = (axes.Q * np.sign(np.diag(axes.R))).T
    for i, epoch in enumerate(THREE.decays):
        path = np.concatenate([trunk[: epoch + 1], branches[i][1:]])
        away = path - trunk[3]
        np.testing.assert_allclose(paths["projections"][i], away @ axes.T, atol=1e-5)
        np.testing.assert_allclose(paths["away"][i], np.linalg.norm(away, axis=1), atol=1e-5)
        moves = np.linalg.norm(np.diff(path, axis=0), axis=1)
        np.testing.assert_allclose(paths["moves"][i], moves, atol=1e-5)


def test_paths_have_the_shapes_promised(paths):
    assert paths["projections"].shape == (3, 9, 3)
    assert paths["away"].shape == paths["train_losses"].shape == (3, 9)
    assert paths["moves"].shape == paths["batch_losses"].shape == (3, 8)
    assert paths["shares"].shape == paths["walk_shares"].shape == (4,)
    assert paths["walk_shares"][0] == pytest.approx(
        np.sin(np.pi / 12) ** -2.0 / np.sum(np.sin(np.pi * np.arange(1, 6) / 12) ** -2.0)
    )
    assert (paths["away"][:, 3] == 0).all()
    # The trunk is shared up to each decay.
    np.testing.assert_array_equal(paths["projections"][0, :4], paths["projections"][2, :4])
    np.testing.assert_array_equal(paths["projections"][1, :5], paths["projections"][2, :5])


# --- settings, refusals ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", [name for name in experiments.EXPERIMENTS if name.startswith(NAMES)]
)
@pytest.mark.parametrize("size", experiments.SIZES)
def test_settings_fit_together(name, size):
    settings = experiments.experiment(name).settings_for("cifar10", size)
    assert list(settings.decays) == sorted(set(settings.decays))
    assert settings.decays[-1] <= settings.epochs
    assert all(epoch % settings.every == 0 for epoch in (*settings.decays, settings.epochs))
    assert settings.seeds >= (3 if name == "fig2_1_right" and size != "small" else 1)
    assert settings.lrs == (0.1, 0.01)


@pytest.mark.parametrize("size", experiments.SIZES)
def test_the_early_decay_run_on_has_as_much_time_as_the_late_one(size):
    descent, on = (
        experiments.experiment(name).settings_for("cifar10", size)
        for name in ("fig2_1_right", "fig2_1_right_equal_time")
    )
    (high, low), (early, late, _) = descent.lrs, descent.decays
    assert on.decays == (early,)
    time = high * late + low * (descent.epochs - late)
    assert high * early + low * (on.epochs - early) == pytest.approx(time)
    for name in ("images", "width", "batch", "seeds", "loss", "lrs"):
        assert getattr(on, name) == getattr(descent, name)


@pytest.mark.parametrize("size", experiments.SIZES)
@pytest.mark.parametrize("name", NAMES)
def test_variants_change_one_factor_at_a_time(name, size):
    base, *others = (
        vars(experiments.experiment(name + variant).settings_for("cifar10", size))
        for variant in ("", "_cross_entropy", "_minibatches")
    )
    for other, changed in zip(others, ("loss", "batch"), strict=True):
        assert {key for key in base if base[key] != other[key]} - {"seeds"} == {changed}


def test_a_decay_at_the_last_epoch_is_none(tiny, tmp_path, monkeypatch, decay):
    to_the_end = replace(SETTINGS, epochs=4, seeds=1)
    choose(monkeypatch, "fig2_1_right", to_the_end)
    path = experiments.run("fig2_1_right", folder=tmp_path, progress=False)
    never = recording.load(path)["batch_losses"]
    np.testing.assert_array_equal(never[0], decay["batch_losses"][0, :, :4])


def test_without_a_batch_an_epoch_is_one_step_of_gradient_descent(tiny, tmp_path, monkeypatch):
    descent = replace(SETTINGS, batch=None, seeds=1)
    choose(monkeypatch, "fig2_1_right", descent)
    found = recording.load(experiments.run("fig2_1_right", folder=tmp_path, progress=False))
    assert found.provenance["steps"] == descent.epochs
    assert found.provenance["optimiser"].startswith("full-batch gradient descent")
    every = descent.every
    np.testing.assert_allclose(
        found["batch_losses"][..., ::every], found["train_losses"][..., :-1], rtol=1e-5
    )


def test_branches_end_apart_and_their_distances_are_those_of_their_points(decay, folder):
    ends = [
        recording.load(folder / "fig2_1_right-digits-small" / f"seed-0-decayed-{epoch}.npz")[
            "theta"
        ]
        for epoch in decay["decays"]
    ]
    distance = np.linalg.norm(ends[0] - ends[1])
    assert decay["apart"].shape == (2, 2, 2)
    np.testing.assert_allclose(decay["apart"][0], distance * (1 - np.eye(2)), rtol=1e-5, atol=1e-6)


def test_too_few_images_are_refused(tiny, tmp_path, monkeypatch):
    too_many = Settings(1438, 1, 128, (1,), 2, 1, 1)
    assert too_many.updates == 12
    choose(monkeypatch, "fig2_1_right", too_many)
    with pytest.raises(ValueError, match="digits has 1437 training images, this run needs 1438"):
        experiments.run("fig2_1_right", folder=tmp_path, progress=False)


def test_sgd_is_by_cross_entropy_at_every_size():
    for size in experiments.SIZES:
        assert SGD.settings_for("cifar10", size).loss == "cross-entropy"


def test_a_size_that_an_experiment_does_not_have_is_refused_before_any_data_is_touched(monkeypatch):
    monkeypatch.setattr(data, "load", None)
    with pytest.raises(ValueError, match="no size 'reduced': choose small or paper"):
        experiments.run("fig2_1_left", size="reduced")
    with pytest.raises(ValueError, match="no size 'huge': choose small or reduced or paper"):
        experiments.run("fig3_2_paths", size="huge")
