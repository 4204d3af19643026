"""Wide lines at the end of one training for each variant: of that network, and where it ended."""

from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch")
from tiny import tiny_recording  # noqa: E402

from mslbook.paper import experiments  # noqa: E402
from mslbook.paper.network_scales import experiment as wide_range  # noqa: E402
from mslbook.paper.network_scales.experiment import ABLATIONS_WIDE  # noqa: E402

NAME = "fig3_2_choices"
SMALL = ABLATIONS_WIDE.settings_for("digits", "small")
TINY = replace(
    SMALL,
    images=12,
    choices=tuple(
        replace(choice, images=12, width=1 / 16, points=(0, 1, 2)) for choice in SMALL.choices
    ),
)
NAMES = [choice.name for choice in TINY.choices]


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    folder = tmp_path_factory.mktemp("uninterrupted")
    return tiny_recording(folder, NAME, TINY, (wide_range, "PER_DECADE", 2))


@pytest.mark.parametrize("size", experiments.SIZES)
def test_the_trainings_are_those_of_figure_3_1(size):
    near, far = (
        experiments.experiment(name).settings_for("cifar10", size)
        for name in ("fig3_1_choices", NAME)
    )
    assert near == far


@pytest.mark.parametrize("name", NAMES)
def test_lines_go_through_the_end_of_the_training(found, name):
    of = {key: found[f"{name}.{key}"] for key in ("losses", "descent", "random", "filtered")}
    middle = len(of["descent"]) // 2
    assert found[f"{name}.points"] == 2
    assert of["losses"].shape == (3,)
    assert of["random"].shape == of["filtered"].shape == (2, 23)
    for line in (of["descent"], *of["random"], *of["filtered"]):
        assert line[middle] == pytest.approx(of["losses"][-1], rel=1e-4)
    assert of["descent"][middle + 1] < of["descent"][middle] < of["descent"][middle - 1]


def test_far_out_the_networks_differ_as_they_must(found):
    """Without normalisation ReLU grows like the 18th power, tanh and BatchNorm like the 4th."""
    growth = {}
    for name in NAMES:
        far, line = found[f"{name}.distances"][-2:], found[f"{name}.random"][0, -2:]
        growth[name] = np.diff(np.log(line)).item() / np.diff(np.log(far)).item()
    assert growth["baseline"] > 10
    assert growth["tanh"] == pytest.approx(2, abs=0.2)
    assert growth["BatchNorm"] < 4.2
