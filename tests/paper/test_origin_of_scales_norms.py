"""The experiment that measures the lengths of images."""

import numpy as np
import pytest

pytest.importorskip("torch")

from mslbook import data  # noqa: E402
from mslbook.paper import experiments, recording  # noqa: E402
from mslbook.paper.experiments import recorded  # noqa: E402

DIGITS = data.load("digits")


def test_a_run_records_the_lengths_of_the_images(tmp_path):
    path = experiments.run("sec6_norms", folder=tmp_path, progress=False)
    assert path.name == "sec6_norms-digits-small.npz"
    run = recording.load(path)
    images = DIGITS.train_images[:1000].reshape(1000, -1).astype(float)
    spread = images.std(axis=0)
    standardised = (images - images.mean(axis=0)) / np.where(spread > 0, spread, 1)
    for name, these in (("raw", images), ("pixels", standardised)):
        lengths = np.linalg.norm(these, axis=1)
        assert run[name][0] == pytest.approx(lengths.min(), rel=1e-5)
        assert run[name][-1] == pytest.approx(lengths.max(), rel=1e-5)
        assert run[name][500] == pytest.approx(np.median(lengths), rel=1e-2)
    singular = np.linalg.svd(standardised, compute_uv=False) / np.sqrt(1000)
    np.testing.assert_allclose(run["pixels_spread"], singular, rtol=1e-4, atol=1e-5)
    along = np.sqrt(np.mean(run["pixels_along"] ** 2))  # of the first direction, by its quantiles
    assert along == pytest.approx(singular[0], rel=1e-2)
    assert run.provenance["data"] == "digits, training rows 0-999"


def test_settings_take_a_thousand_images_all_there_are_or_as_many_as_the_official_sets(tmp_path):
    run = recording.load(experiments.run("sec6_norms", size="reduced", folder=tmp_path))
    assert run.provenance["data"] == "digits, training rows 0-1436"
    with pytest.raises(ValueError, match="1437 training images, this run needs 50000: choose a"):
        experiments.run("sec6_norms", size="paper", folder=tmp_path)


@pytest.mark.parametrize(("name", "count"), [("cifar10", 10_000), ("cifar100-50x100", 5000)])
def test_the_recordings_are_of_standardised_images(name, count):
    run = recorded("sec6_norms", name, "reduced")
    assert run.provenance["data"] == f"{name}, training rows 0-{count - 1}"
    for key in ("channels", "pixels"):
        # Unit variance of 3072 numbers: the squared lengths are 3072 on average, as are those of
        # the spread along all directions together.
        assert np.mean(run[key] ** 2) == pytest.approx(3072, rel=1e-2)
        assert np.sum(run[f"{key}_spread"] ** 2) == pytest.approx(3072, rel=1e-3)
        assert np.all(np.diff(run[key]) >= 0)
        assert np.all(np.diff(run[f"{key}_spread"]) <= 0)
