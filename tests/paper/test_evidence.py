"""The table of what was recorded for each figure: every recording, by its own provenance."""

from mslbook.paper.evidence import STATED, evidence
from mslbook.paper.experiments import EXPERIMENTS, recordings


def test_every_recording_of_a_figure_is_told():
    told = repr(evidence())
    for name in EXPERIMENTS:
        assert told.count(f"`{name}`") == len(recordings(name)) * name.startswith(tuple(STATED))


def test_the_table_tells_images_network_steps_seeds_and_accuracy():
    cells = [line for _, cell in evidence().rows for line in cell.split("<br>")]
    found = {line.split("`")[1]: line for line in cells}
    assert found["fig2_1_left"].endswith(
        "cifar10, 5,000 images, fully connected 3072-200-200-10 tanh, "
        "5,000 + 8,000 + 10,000 steps, 1 seed, learnt 96 to 99 %"
    )
    assert "(reduced): cifar10, 1,000 images, VGG11 of width 0.125" in found["fig3_1_vgg11_bn"]
    assert "3 seeds, learnt 100 %" in found["fig3_1_vgg11_bn"]
    assert "145,210 weights, 700 steps, 3 seeds, learnt 51 to 73 %" in found["fig2_1_right"]
