"""Recipes of networks that reach the edge, or never: what they train, record and show."""

from dataclasses import replace

import numpy as np
import pytest

from mslbook.paper import experiments
from mslbook.paper.what_to_expect.courses import Course, courses

torch = pytest.importorskip("torch")
from tiny import tiny_recording  # noqa: E402

from mslbook import data  # noqa: E402
from mslbook.paper.what_to_expect import experiment  # noqa: E402

NAME, SEEDS = "what_to_expect", 2
SMALL = experiment.RECIPES.settings_for("digits", "small")
TINY = replace(
    SMALL,
    images=20,
    seeds=SEEDS,
    recipes={name: replace(one, steps=4, every=2) for name, one in SMALL.recipes.items()},
)


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """What a tiny run on the digits recorded."""
    return tiny_recording(tmp_path_factory.mktemp("runs"), NAME, TINY, (experiment, "STRINGS", 6))


def images(count=1600):
    """Random images of five classes, in the shape of CIFAR-10's."""
    rng = np.random.default_rng(0)
    pixels = rng.integers(256, size=(count, 3, 32, 32)).astype(np.uint8)
    labels = rng.integers(5, size=count)
    return data.ImageDataset("random", pixels, labels, pixels, labels, tuple("abcde"))


# --- what is trained ------------------------------------------------------------------------------


def test_arrays_are_those_promised(found):
    names = {name.partition(".")[0] for name in found.arrays}
    assert names == {"cnn", "transformer", "cnn-cross-entropy", "mlp"}
    for name, recipe in TINY.recipes.items():
        assert found[f"{name}.probe_steps"].tolist() == [0, 2, 4]
        assert found[f"{name}.lr"] == np.float32(recipe.lr)
        for row in ("sharpness", "residuals", "losses", "accuracy"):
            assert found[f"{name}.{row}"].shape == (SEEDS, 3)
        assert found[f"{name}.residuals"].max() <= experiment.TOL
        assert np.all(np.diff(found[f"{name}.losses"]) < 0)
        assert len(found.provenance["seconds"][name]) == SEEDS


def test_seeds_differ(found):
    """But for the loss of the transformer at the start, whose outputs are then zero."""
    for name in TINY.recipes:
        first, second = found[f"{name}.sharpness"]
        assert np.all(first != second)
    assert np.unique(found["transformer.losses"][:, 0]).tolist() == [0.5]


def test_networks_have_as_many_parameters_as_the_page_says(found):
    counts = {name: int(found[f"{name}.parameters"]) for name in TINY.recipes}
    assert counts == {"cnn": 1898, "cnn-cross-entropy": 1898, "transformer": 26_212, "mlp": 6310}
    (recipe,) = experiment.RECIPES.settings_for("cifar10", "reduced").recipes.values()
    assert experiment.network_loss(recipe, images(), 1600).dimension == 853_508


def test_a_network_is_made_from_its_seed_and_nothing_else():
    before = torch.get_rng_state()
    for make in experiment.NETWORKS.values():
        one, same, other = (list(make(seed).parameters())[0] for seed in (0, 0, 1))
        assert torch.equal(one, same)
        assert not torch.equal(one, other)
    assert torch.equal(torch.get_rng_state(), before)


def test_the_first_images_of_four_classes_are_taken():
    given = images()
    inputs, labels = experiment.four_classes(given, 1600)
    np.testing.assert_array_equal(labels, np.repeat(range(4), experiment.PER_CLASS))
    first = given.train_images[given.train_labels == 0][0, 2] / 255
    np.testing.assert_allclose(inputs[0, 2], (first - 0.4465) / 0.2616, rtol=1e-5)


def test_strings_are_followed_by_their_letters_in_order():
    inputs, targets = experiment.strings(None, None)
    length = experiment.LENGTH
    np.testing.assert_array_equal(np.sort(inputs[:, :length], axis=1), targets)
    np.testing.assert_array_equal(inputs[:, length:], targets[:, :-1])


def test_the_transformer_does_not_see_what_is_to_come():
    model = experiment.Sorter()
    torch.nn.init.normal_(model.head.weight)
    letters = torch.tensor(experiment.strings(None, None)[0][:3])
    changed = letters.clone()
    changed[:, -3] = 3 - changed[:, -3]
    difference = (model(letters) - model(changed)).abs().amax(dim=(0, 2))
    assert (difference > 1e-4).tolist() == [False] * 5 + [True] * 3


# --- what was recorded ----------------------------------------------------------------------------


# Crossing, peak and plateau: published or found by an earlier, independent program, with room for
# other random numbers. Sharpness in units of 2/η.
EXPECTED = {
    "fully connected": ((4000, 4700), (1.0, 1.2), (1.0, 1.08)),
    "mlp-cifar10": ((400, 620), (1.1, 1.4), (0.98, 1.12)),
    "cnn": ((250, 550), (1.1, 1.4), (0.98, 1.06)),
    "transformer": ((80, 350), (1.1, 1.7), (0.98, 1.25)),
}


@pytest.fixture(scope="module")
def all_courses():
    return courses()


@pytest.mark.parametrize("name", EXPECTED)
def test_recorded_networks_reach_the_edge_when_they_should(all_courses, name):
    course = all_courses[name]
    for values, (low, high) in zip(
        (course.crossings, course.peaks / course.edge, course.plateaus / course.edge),
        EXPECTED[name],
        strict=True,
    ):
        assert np.all((values > low) & (values < high)), values


@pytest.mark.parametrize(("name", "most"), [("cnn-cross-entropy", 0.35), ("mlp", 0.45)])
def test_recorded_networks_that_should_never_reach_it_do_not(all_courses, name, most):
    course = all_courses[name]
    assert np.isnan(course.crossings).all()
    assert np.all(course.peaks / course.edge < most)
    assert course.accuracy[:, -1].min() > 0.95


def test_the_recordings_are_small():
    assert sum(path.stat().st_size for path in experiments.recordings(NAME)) < 150_000


def test_a_course_knows_crossing_peak_and_plateau():
    sharpness = np.array([[1, 3, 5, 4, 4.0], [1, 2, 3, 2, 1]])
    course = Course(0.5, np.arange(0, 50, 10), sharpness)
    assert course.edge == 4
    np.testing.assert_array_equal(course.crossings, [20, np.nan])
    np.testing.assert_array_equal(course.peaks, [5, 3])
    np.testing.assert_array_equal(course.peak_steps, [20, 20])
    np.testing.assert_array_equal(course.plateaus, [4, 1])
