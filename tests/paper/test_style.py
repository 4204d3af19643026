"""The style of the figures and the digests that stand for them."""

import matplotlib.pyplot as plt
import numpy as np
import pytest

from mslbook.paper.style import digest, use_style


def line(capsys, **shown):
    digest("test", **shown)
    return capsys.readouterr().out


def test_digest_is_one_line_of_what_is_shown(capsys):
    text = line(capsys, x=np.array([[1.0, 2.0], [3.0, 4.0]]), steps=1150)
    assert text == "digest | test | x 1 2 3 4 | steps 1150\n"


@pytest.mark.parametrize("size", [1, 5, 1000])
def test_digest_ignores_the_last_digits(capsys, size):
    rng = np.random.default_rng(size)
    values = np.append(rng.normal(size=size), [0.12345, 1e-30, -2.5, 0.0])
    noise = 1 + 1e-14 * rng.choice([-1, 1], size=values.size)
    assert line(capsys, x=values) == line(capsys, x=values * noise + 1e-17)


@pytest.mark.parametrize("position", [0, 3, -1])
def test_digest_notices_the_fourth_digit(capsys, position):
    values = np.linspace(1.0, 1.009, 10)
    changed = values.copy()
    changed[position] += 0.02
    assert line(capsys, x=values) != line(capsys, x=changed)


def test_digest_prints_what_is_not_finite(capsys):
    assert line(capsys, x=[np.nan, np.inf, 0.5]) == "digest | test | x nan inf 0.5\n"


@pytest.mark.parametrize("shown", [{}, {"x": []}])
def test_digest_of_nothing_is_refused(shown):
    with pytest.raises(ValueError, match="pass"):
        digest("test", **shown)


def test_style_is_transparent_and_differs_in_dash(tmp_path):
    with plt.rc_context():
        use_style()
        figure, axes = plt.subplots(1, 2)
        lines = [axes[0].plot([0, 1], [0, k])[0] for k in range(4)]
        figure.savefig(tmp_path / "figure.png")
        plt.close(figure)
    assert len({drawn.get_linestyle() for drawn in lines}) == 4
    assert len({drawn.get_color() for drawn in lines}) == 4
    pixels = plt.imread(tmp_path / "figure.png")
    assert pixels.shape[2] == 4
    assert np.all(pixels[0, :, 3] == 0)
