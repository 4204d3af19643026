"""The style of the figures and the digests that stand for them."""

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest

from mslbook.paper.style import GREY, INK, digest, use_style


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


def contrast(one, other):
    """The ratio by which WCAG 2 compares two colours, (3,) each in 0 to 1."""

    def luminance(colour):
        linear = np.where(colour <= 0.04045, colour / 12.92, ((colour + 0.055) / 1.055) ** 2.4)
        return 0.05 + linear @ [0.2126, 0.7152, 0.0722]

    return max(luminance(one), luminance(other)) / min(luminance(one), luminance(other))


@pytest.mark.parametrize("colour", [INK, GREY])
def test_text_has_contrast_on_a_light_page_and_inverted_on_a_dark_one(colour):
    ink = np.array(matplotlib.colors.to_rgb(colour))
    assert contrast(ink, np.ones(3)) >= 7
    assert contrast(1 - ink, np.full(3, 0x12 / 255)) >= 7


def test_all_text_is_in_ink():
    with plt.rc_context():
        use_style()
        for key in ("text.color", "axes.labelcolor", "xtick.color", "ytick.color"):
            assert matplotlib.colors.same_color(plt.rcParams[key], INK), key
