"""The recipe that measures the lengths of pictures."""

import numpy as np
import pytest

pytest.importorskip("torch")

from mslbook import data, experiments  # noqa: E402
from mslbook.experiments import recorded, recording  # noqa: E402

PICTURES = data.load("digits")


def test_a_run_records_the_lengths_of_the_pictures(tmp_path):
    path = experiments.run("sec6_norms", folder=tmp_path, progress=False)
    assert path.name == "sec6_norms-digits-small.npz"
    run = recording.load(path)
    images = PICTURES.train_images[:1000].reshape(1000, -1).astype(float)
    spread = images.std(axis=0)
    standardised = (images - images.mean(axis=0)) / np.where(spread > 0, spread, 1)
    for name, pictures in (("raw", images), ("pixels", standardised)):
        lengths = np.linalg.norm(pictures, axis=1)
        assert run[name][0] == pytest.approx(lengths.min(), rel=1e-5)
        assert run[name][-1] == pytest.approx(lengths.max(), rel=1e-5)
        assert run[name][500] == pytest.approx(np.median(lengths), rel=1e-2)
    singular = np.linalg.svd(standardised, compute_uv=False) / np.sqrt(1000)
    np.testing.assert_allclose(run["pixels_spread"], singular, rtol=1e-4, atol=1e-5)
    along = np.sqrt(np.mean(run["pixels_along"] ** 2))  # of the first direction, by its quantiles
    assert along == pytest.approx(singular[0], rel=1e-2)
    assert run.provenance["data"] == "digits, training rows 0-999"


def test_settings_take_all_pictures_or_a_thousand():
    settings = experiments.recipe("sec6_norms").settings
    assert settings("cifar10", "paper").pictures is None
    assert settings("cifar10", "small").pictures == 1000


@pytest.mark.parametrize(("name", "count"), [("cifar10", 10_000), ("cifar100-50x100", 5000)])
def test_the_recordings_are_of_standardised_pictures(name, count):
    run = recorded("sec6_norms", name)
    assert run.provenance["data"] == f"{name}, training rows 0-{count - 1}"
    for key in ("channels", "pixels"):
        # Unit variance of 3072 numbers: the squared lengths are 3072 on average, as are those of
        # the spread along all directions together.
        assert np.mean(run[key] ** 2) == pytest.approx(3072, rel=1e-2)
        assert np.sum(run[f"{key}_spread"] ** 2) == pytest.approx(3072, rel=1e-3)
        assert np.all(np.diff(run[key]) >= 0)
        assert np.all(np.diff(run[f"{key}_spread"]) <= 0)
