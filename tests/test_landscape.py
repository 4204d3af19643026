"""Lines, planes and second differences against formulas, the Hessian and known exponents."""

from functools import partial

import numpy as np
import pytest

torch = pytest.importorskip("torch")
from test_network_loss import MODELS, build  # noqa: E402
from torch import nn  # noqa: E402

from mslbook.losses import (  # noqa: E402
    PseudoHuber,
    Quadratic,
    f1,
    f2,
    f3,
    two_valleys,
    valley,
)
from mslbook.losses.network import NetworkLoss, half_squared_error  # noqa: E402
from mslbook.networks import vgg11  # noqa: E402
from mslbook.probes import (  # noqa: E402
    filter_normalised,
    growth,
    line,
    plane,
    random_direction,
    rounding,
    second_difference,
    sharpness,
    spectral_density,
)

KINDS = {"numpy": np.array, "torch": partial(torch.tensor, dtype=torch.float64)}


def smooth(dtype=torch.float32):
    """A tanh network, in single precision as networks are trained, and its gradient."""
    model, inputs, labels, _ = build("tanh", dtype)
    loss = NetworkLoss(model, inputs, labels, half_squared_error)
    return loss, loss.grad(loss.point)


# --- lines and planes -----------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("loss", [f3, valley, two_valleys])
def test_a_line_is_the_loss_along_the_unit_vector(loss, kind):
    point, distances = KINDS[kind]([1.0, -2.0]), np.linspace(-3, 4, 8)
    expected = loss.value(np.array([1.0, -2.0]) + distances[:, None] * np.array([0.6, -0.8]))
    for length in (1e-200, 1.0, 5.0, 1e200):
        losses = line(loss, point, KINDS[kind]([0.6 * length, -0.8 * length]), distances)
        assert isinstance(losses, np.ndarray)
        np.testing.assert_allclose(losses, expected, rtol=1e-12)


@pytest.mark.parametrize("like", [float, np.float64, np.array, KINDS["torch"]])
def test_functions_of_one_variable(like):
    distances = np.array([-2.0, 0.5, 7.0])
    for loss in (f1, f2):
        for sign in (1, -1):
            losses = line(loss, like(1.5), like(3.0 * sign), distances)
            np.testing.assert_allclose(losses, loss.value(1.5 + sign * distances), rtol=1e-12)


@pytest.mark.parametrize("kind", KINDS)
def test_a_plane_is_a_line_for_every_first_distance(kind):
    point, first, second = KINDS[kind]([1.0, -2.0]), np.linspace(-1, 1, 4), np.linspace(0, 3, 5)
    oblique = [KINDS[kind]([2.0, 0.0]), KINDS[kind]([3.0, 4.0])]
    losses = plane(two_valleys, point, oblique, first, second)
    points = (
        np.array([1.0, -2.0])
        + first[:, None, None] * np.array([1.0, 0.0])
        + second[:, None] * np.array([0.6, 0.8])
    )
    np.testing.assert_allclose(losses, two_valleys.value(points), rtol=1e-12)


def test_a_plane_shows_progress_only_if_asked(capsys):
    for progress in (False, True):
        plane(f3, [0.0, 0.0], np.eye(2), [0, 1], [0, 1], progress=progress)
        assert ("plane" in capsys.readouterr().err) == progress


@pytest.mark.parametrize("name", ["tanh", "batchnorm relu", "dropout", "tied", "counting"])
def test_networks_chunk_by_chunk_and_left_as_they_were(name):
    model, inputs, labels, (u, w) = build(name)
    loss = NetworkLoss(model, inputs, labels, half_squared_error, chunk=4)
    theta, distances = loss.point, [-0.5, 0.0, 2.0]
    before = {key: tensor.clone() for key, tensor in model.state_dict().items()}
    flags = [module.training for module in model.modules()]
    losses = plane(loss, theta, (u, w), [-1.0, 0.0], distances)
    alone = line(loss, theta, w, distances)
    assert all(torch.equal(before[key], tensor) for key, tensor in model.state_dict().items())
    assert flags == [module.training for module in model.modules()]
    assert all(p.grad is None for p in model.parameters())
    np.testing.assert_array_equal(losses[1], alone)
    for row, a in zip(losses, (-1.0, 0.0), strict=True):
        for number, b in zip(row, distances, strict=True):
            nn.utils.vector_to_parameters(theta + a * u / u.norm() + b * w / w.norm(),
                                          model.parameters())  # fmt: skip
            np.testing.assert_allclose(number, float(loss.value(loss.point)), rtol=1e-12)


def test_no_graph_is_built():
    class Watched(nn.Linear):
        def forward(self, x):
            assert not torch.is_grad_enabled()
            return super().forward(x)

    model = Watched(4, 3)
    loss = NetworkLoss(model, torch.ones(5, 4), torch.zeros(5).long(), half_squared_error)
    line(loss, loss.point.requires_grad_(), torch.ones(15, requires_grad=True), [0.0, 1.0])


def test_a_loss_out_of_range_is_reported_as_it_is():
    loss, direction = smooth()
    losses = line(loss, loss.point, direction, [0.0, 1e38])
    assert np.isfinite(losses).tolist() == [True, False]


# --- second differences, and how far they can be trusted ------------------------------------------


def test_second_differences_of_polynomials():
    x = 0.25 * np.arange(-8, 9)
    np.testing.assert_allclose(second_difference(3 * x**2 - x + 7, 0.25), 6.0, rtol=1e-12)
    np.testing.assert_allclose(second_difference(x**4, 0.25), 12 * x[1:-1] ** 2 + 2 * 0.25**2)
    assert second_difference([1.0, 0.0, 1.0], 1.0).tolist() == [2.0]
    assert second_difference([[1, 0, 1], [0, 0, 2]], 2.0).tolist() == [[0.5], [0.5]]
    assert second_difference(torch.tensor([1.0, 0.0, 1.0]), 1.0).dtype == np.float64


@pytest.mark.parametrize(
    ("loss", "point", "direction"), [(f2, 0.3, -1.0), (f3, [1.0, -2.0], [0.6, 0.8])]
)
def test_second_differences_go_to_the_curvature(loss, point, direction):
    values = line(loss, point, direction, 1e-3 * np.arange(-4, 5))
    curvature = np.sum(np.asarray(direction) * np.asarray(loss.hvp(point, direction)))
    np.testing.assert_allclose(second_difference(values, 1e-3)[3], curvature, rtol=1e-5)


def test_double_precision_shows_the_hessian_where_single_precision_shows_rounding():
    loss, direction = smooth()
    exact, theta = loss.to(dtype=torch.float64), loss.point.double()
    unit = direction.double() / direction.double().norm()
    curvature = float(unit @ exact.hvp(theta, unit))
    for spacing in (1e-2, 1e-3, 1e-4, 1e-5):
        distances = spacing * np.arange(-20, 21)
        double = second_difference(line(exact, theta, direction, distances), spacing)
        assert abs(double[19] - curvature) < 1e-3 * curvature
    for spacing in (1e-4, 1e-5):
        values = line(loss, loss.point, direction, spacing * np.arange(-20, 21))
        single = np.diff(values.astype(float), 2) / spacing**2
        assert np.median(abs(single - curvature)) > curvature  # the same line, drowned
        with pytest.raises(ValueError, match=r"drown in the rounding .* loss.to\(dtype="):
            second_difference(values, spacing)


def test_rounding_is_what_single_precision_does_to_a_network():
    loss, direction = smooth()
    exact, theta = loss.to(dtype=torch.float64), loss.point.double()
    for spacing in (1e-2, 3e-3, 1e-3):
        distances = spacing * np.arange(-40, 41)
        single = line(loss, loss.point, direction, distances)
        double = line(exact, theta, direction, distances)
        errors = np.diff(single.astype(float) - double, 2) / spacing**2
        assert 0.5 < rounding(single, spacing) / errors.std() < 2


@pytest.mark.parametrize("scale", [1e-9, 1.0, 1e9])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_rounding_of_a_parabola_is_that_of_storing_it(dtype, scale):
    x = 0.01 * np.arange(-100, 101) + 0.0037
    values = scale * (x**2 / 2 + 1)
    stored = values.astype(dtype)
    if dtype is np.float32:
        errors = np.diff(stored.astype(float) - values, 2) / 0.01**2
        assert 0.7 < rounding(stored, 0.01) / errors.std() < 1.4
    else:
        assert rounding(stored, 0.01) < 1e-10 * scale


def test_rounding_is_never_nothing():
    assert rounding(np.ones(20, dtype=np.float32), 1.0) > 1e-8


@pytest.mark.parametrize(
    "values",
    [
        np.abs(np.linspace(-1, 1, 41)),  # a single kink
        np.log(np.cosh(np.linspace(-40, 40, 81))),  # straight but for a core
        np.random.default_rng(0).normal(size=41),  # rugged
        np.exp(np.linspace(0, 30, 41)),
        np.linspace(0, 1, 41) ** 2 + 1e4,
        np.zeros(41),
    ],
)
def test_what_is_not_rounding_is_not_refused(values):
    assert len(second_difference(values, 0.1)) == len(values) - 2


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_what_is_exactly_straight_has_no_curvature(dtype):
    for values in (np.arange(9.0) + 1, np.ones(9), np.full((2, 4), 0.3)):
        found = second_difference(values.astype(dtype), 0.5)
        assert found.shape == (*values.shape[:-1], values.shape[-1] - 2)
        assert not found.any()


@pytest.mark.parametrize("n", [3, 5, 9, 41, 1001])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("seed", range(5))
def test_a_spacing_at_which_differences_drown_is_refused(n, dtype, seed):
    offset = np.random.default_rng(seed).uniform(0.1, 10)
    spacing = 1e-3 * np.sqrt(np.finfo(dtype).eps)
    x = spacing * np.arange(n)
    values = (offset + x / 3 + x**2 / 2).astype(dtype)
    values[1] = np.nextafter(values[1], dtype(np.inf))  # or three may lie on a line by chance
    with pytest.raises(ValueError, match="take a wider spacing"):
        second_difference(values, spacing)


# --- directions -----------------------------------------------------------------------------------


def test_random_directions_are_the_same_everywhere():
    numbers = random_direction(np.zeros(1000), seed=3)
    assert abs(numbers.mean()) < 0.1
    assert 0.9 < numbers.std() < 1.1
    single = random_direction(torch.zeros(1000), seed=3)
    assert single.dtype == torch.float32
    np.testing.assert_array_equal(single.numpy(), numbers.astype(np.float32))
    assert not np.array_equal(numbers, random_direction(np.zeros(1000), seed=4))
    state = np.random.get_state()[1].copy(), torch.random.get_rng_state()  # noqa: NPY002
    assert random_direction(0.0).shape == ()
    whole = random_direction(torch.zeros(1000, dtype=torch.int64), seed=3)
    assert torch.equal(whole, single)
    for nothing in (None, np.zeros(3, complex)):
        with pytest.raises(TypeError, match="a point must hold real numbers"):
            random_direction(nothing)
    np.testing.assert_array_equal(state[0], np.random.get_state()[1])  # noqa: NPY002
    assert torch.equal(state[1], torch.random.get_rng_state())


@pytest.mark.parametrize("name", ["vgg11", *MODELS])
def test_filters_have_the_length_of_the_networks(name):
    if name == "vgg11":
        model, inputs = vgg11(width=1 / 32, batchnorm=True), torch.ones(2, 3, 32, 32)
        labels = torch.tensor([0, 1])
    else:
        model, inputs, labels, _ = build(name, torch.float32)
    loss = NetworkLoss(model, inputs, labels, half_squared_error)
    direction = random_direction(loss.point)
    answer = filter_normalised(loss, loss.point, direction)
    assert answer.dtype == torch.float32
    state = list(zip(model.parameters(), *(
        vector.split([p.numel() for p in model.parameters()]) for vector in (direction, answer)
    ), strict=True))  # fmt: skip
    for weights, before, after in state:
        if weights.ndim == 1:
            assert not after.any()
            continue
        for i, filter in enumerate(weights):
            random, scaled = before.view(weights.shape)[i], after.view(weights.shape)[i]
            torch.testing.assert_close(scaled, random * filter.norm() / random.norm())
    torch.testing.assert_close(filter_normalised(loss, loss.point, answer), answer)
    torch.testing.assert_close(filter_normalised(loss, loss.point, 1e-3 * direction), answer)


def test_a_filter_without_direction_keeps_none():
    loss, direction = smooth()
    direction[:4] = 0  # the first neuron's weights
    answer = filter_normalised(loss, loss.point, direction)
    assert not answer[:4].any()
    assert answer[4:8].norm() > 0


def test_li_et_al_measure_in_the_length_of_the_direction():
    loss, direction = smooth(torch.float64)
    d = filter_normalised(loss, loss.point, direction)
    (at_one,) = line(loss, loss.point, d, [1.0 * d.norm()])
    np.testing.assert_allclose(at_one, float(loss.value(loss.point + d)), rtol=1e-12)


# --- growth ---------------------------------------------------------------------------------------


def grown(function, low=-3.0, high=5.0, points=801):
    distances = np.linspace(low, high, points)
    return growth(distances, function(distances))


@pytest.mark.parametrize("shift", [0.0, 0.0037, -1.3])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_quadratic_has_exponent_two_and_never_drops(dtype, shift):
    answer = grown(lambda x: (1 + 3 * (x - shift) ** 2).astype(dtype), points=81)
    np.testing.assert_allclose(answer.exponents, 2, atol=1e-3)
    np.testing.assert_allclose([answer.minimum, answer.value], [shift, 1], atol=1e-4)
    np.testing.assert_allclose(answer.curvature, 6, rtol=1e-3)
    assert answer.drops == (np.inf, np.inf)


@pytest.mark.parametrize(
    ("loss", "drop"),
    [
        (PseudoHuber(), np.sqrt(0.9 ** (-2 / 3) - 1)),  # f'' = (1 + x^2)^(-3/2)
        (f1, 1 / 0.9 - 1),  # f'' = 1 / (1 + |x|)
    ],
)
def test_known_drops(loss, drop):
    answer = grown(loss.value, points=8001)
    np.testing.assert_allclose(answer.drops, drop, rtol=1e-2)
    np.testing.assert_allclose([answer.fitted[0][0], answer.fitted[1][0]], drop, atol=2e-3)
    assert max(answer.exponents) < 2


@pytest.mark.parametrize(
    ("loss", "tail", "close"),
    [(PseudoHuber(), 1.0, 0.01), (f1, 1.0, 0.2), (Quadratic(), 2.0, 1e-6)],  # f1 grows as x ln x
)
def test_exponents_far_out(loss, tail, close):
    near, far = (grown(loss.value, -reach, reach, 2001) for reach in (10, 10000))
    for side in (0, 1):
        assert tail - 1e-6 < far.exponents[side] < tail + close
        assert far.exponents[side] < near.exponents[side] or tail == 2


@pytest.mark.parametrize("p", [1.2, 1.5, 2.0, 3.0, 4.0])
def test_exponents_of_powers(p):
    answer = grown(lambda x: 7 + 0.3 * abs(x) ** p)
    np.testing.assert_allclose(answer.exponents, p, rtol=0.02)
    assert (np.array(answer.drops) == np.inf).all() == (p >= 2)


def test_the_two_sides_are_told_apart():
    answer = grown(lambda x: np.where(x < 0, np.sqrt(1 + x * x) - 1, x**2 / 2 + x**3 / 6))
    assert answer.exponents[0] < 1.8
    assert answer.exponents[1] > 2.2
    np.testing.assert_allclose(answer.drops, [np.sqrt(0.9 ** (-2 / 3) - 1), np.inf], rtol=0.02)
    mirrored = grown(lambda x: np.where(x > 0, np.sqrt(1 + x * x) - 1, x**2 / 2 - x**3 / 6))
    assert mirrored.exponents[1] < 1.8
    assert "exponents" in repr(mirrored)


def kinked(x):
    """The pseudo-Huber loss, but straight between places 0.004 apart on average."""
    knots = np.sort(np.random.default_rng(1).uniform(-4, 6, 2500))
    return np.interp(x, knots, PseudoHuber().value(knots))


def rounded(x):
    return PseudoHuber().value(x) + np.random.default_rng(2).normal(scale=1e-6, size=len(x))


@pytest.mark.parametrize("rough", [kinked, rounded])
def test_rough_lines_are_measured_at_a_spacing_where_they_are_smooth(rough):
    distances = np.linspace(-3, 5, 1601)  # 0.005 apart: second differences scatter here
    scatter = second_difference(rough(distances), 0.005)[595:605].std()
    assert scatter > 0.05
    answer = growth(distances, rough(distances))
    assert 0.01 <= answer.spacing <= 0.16
    np.testing.assert_allclose(answer.curvature, 1, rtol=0.05)
    np.testing.assert_allclose(answer.drops, np.sqrt(0.9 ** (-2 / 3) - 1), rtol=0.25)
    np.testing.assert_allclose(answer.exponents, grown(PseudoHuber().value).exponents, rtol=0.05)
    assert grown(PseudoHuber().value).spacing == pytest.approx(0.01)


def test_where_no_spacing_is_smooth_enough_only_the_drops_are_lost():
    scattered = 0.1 * np.random.default_rng(3).normal(size=25)
    answer = grown(lambda x: 3 * (x - 0.2) ** 2 + scattered, -5, 5, points=25)
    assert np.isnan(answer.drops).all()
    np.testing.assert_allclose(answer.exponents, 2, atol=0.1)
    np.testing.assert_allclose(answer.minimum, 0.2, atol=0.1)


def test_only_the_well_around_the_minimum_counts():
    bumpy = grown(lambda x: 1 - np.cos(x), -10, 10.5)
    np.testing.assert_allclose(abs(bumpy.minimum) % (2 * np.pi), 0, atol=1e-6)
    np.testing.assert_allclose([far for _, far in bumpy.fitted], np.pi, atol=0.03)
    assert max(bumpy.exponents) < 1.7
    double = grown(lambda x: (x**2 - 1) ** 2 + 0.1 * x, -2, 2)
    assert -1.03 < double.minimum < -1
    np.testing.assert_allclose(double.fitted[1][1], 0.025 + 1.013, atol=0.02)  # to the ridge


def test_a_side_too_short_for_an_exponent_still_has_its_drop():
    """Three points lie before the minimum, and the curvature falls by a tenth among them."""
    short = grown(PseudoHuber().value, low=-0.6, high=5.0, points=29)
    assert short.drops[0] == pytest.approx(short.drops[1], rel=1e-6)
    assert 0.2 < short.drops[0] < 0.4
    assert np.isnan(short.exponents[0])
    assert short.exponents[1] < 1.6


def test_what_a_line_does_not_tell_is_nan():
    assert np.isnan([*grown(np.exp).exponents, grown(np.exp).minimum]).all()
    assert np.isnan(grown(lambda x: -x).curvature)
    corner = grown(lambda x: (x - 4.99) ** 2)  # the minimum is one step from the end
    np.testing.assert_allclose(corner.exponents[0], 2, atol=1e-6)
    assert np.isnan([corner.exponents[1], corner.drops[1], *corner.fitted[1]]).all()
    flat = grown(lambda x: np.maximum(abs(x) - 1, 0) ** 2)
    assert flat.curvature == 0
    assert np.isnan([*flat.exponents, *flat.drops]).all()
    drowned = grown(lambda x: 1 + 1e-16 * x**2)
    assert np.isnan([*drowned.exponents, *drowned.drops]).all()
    for seed in range(20):
        rugged = growth(np.arange(201.0), np.random.default_rng(seed).normal(size=201))
        assert np.isnan([*rugged.exponents, *rugged.drops]).all()


# --- bad input, before any work -------------------------------------------------------------------


class Untouchable:
    """A loss that must not be evaluated."""

    dimension = 2

    def value(self, x):
        raise AssertionError("evaluated")


@pytest.mark.parametrize(
    ("point", "direction", "distances", "error", "words"),
    [
        ([0.0, 0.0], [1.0, 0.0, 0.0], [1.0], ValueError, "direction has shape .3,., the point"),
        ([0.0, 0.0], [0.0, 0.0], [1.0], ValueError, "0 everywhere"),
        ([0.0, 0.0], [np.nan, 1.0], [1.0], ValueError, "direction holds nan"),
        ([0.0, 0.0], [1.0, 0.0], [], ValueError, "at least one number"),
        ([0.0, 0.0], [1.0, 0.0], 3.0, ValueError, "must be a row"),
        ([0.0, 0.0], [1.0, 0.0], [[1.0]], ValueError, "must be a row"),
        ([0.0, 0.0], [1.0, 0.0], [1.0, np.inf], ValueError, "must be finite"),
        ([0.0, 0.0, 0.0], [1.0, 0.0, 0.0], [1.0], ValueError, "the point has shape"),
        ([[0.0, 0.0]], [1.0, 0.0], [1.0], ValueError, "the point has shape"),
        ([0.0, np.nan], [1.0, 0.0], [1.0], ValueError, "the point holds nan.* can be measured"),
        ([0.0, 0.0], "gradient", [1.0], TypeError, "direction must be real numbers.* 'gradient'"),
        ([0.0, 0.0], None, [1.0], TypeError, "the direction must be real numbers.*not None"),
        ([0.0, 0.0], [1j, 0.0], [1.0], TypeError, "the direction must be real numbers"),
        ([0.0, 0.0], np.ones(2) + 1j, [1.0], TypeError, "must be real numbers.*not complex128"),
        ([0.0, 0.0], [[1.0], [0.0, 1.0]], [1.0], TypeError, "the direction must be real numbers"),
        (torch.zeros(2), torch.ones(2) * 1j, [1.0], TypeError, "real numbers.*torch.complex64"),
        ([0.0, 0.0], [1.0, 0.0], [1j], TypeError, "must be real numbers"),
        ("origin", [1.0, 0.0], [1.0], TypeError, "the point must be real numbers"),
        (np.zeros(2, np.float16), np.ones(2), [1.0], ValueError, "float16.* drown"),
        (torch.zeros(2).half(), torch.ones(2), [1.0], ValueError, "float16.* drown"),
        (torch.zeros(2).bfloat16(), torch.ones(2), [1.0], ValueError, "bfloat16.* drown"),
        (torch.zeros(2), np.ones(2), [1.0], TypeError, "give both in the same kind"),
        (
            torch.zeros(2),
            torch.ones(2, device="meta"),
            [1.0],
            ValueError,
            "on cpu.* on meta",
        ),
    ],
)
def test_bad_lines(point, direction, distances, error, words):
    with pytest.raises(error, match=words):
        line(Untouchable(), point, direction, distances)
    with pytest.raises(error, match=words):
        plane(Untouchable(), point, (direction, direction), distances, distances)


def test_bad_planes():
    for parallel in ([2.0, 0.0], [-1.0, 1e-5]):
        with pytest.raises(ValueError, match="parallel"):
            plane(Untouchable(), [0.0, 0.0], ([1.0, 0.0], parallel), [0.0], [0.0])
    with pytest.raises(ValueError, match="two directions, not 1"):
        plane(Untouchable(), [0.0, 0.0], None, [0.0], [0.0])
    with pytest.raises(ValueError, match="two directions, not 3"):
        plane(Untouchable(), [0.0, 0.0], np.ones((3, 2)), [0.0], [0.0])


def test_networks_in_half_precision_or_of_another_device_are_refused():
    loss, direction = smooth()
    half = loss.to(dtype=torch.bfloat16)
    for probe in (partial(line, direction=direction.bfloat16(), distances=[0.0]), sharpness,
                  spectral_density):  # fmt: skip
        with pytest.raises(ValueError, match=r"bfloat16.* loss.to\(dtype=torch.float64\)"):
            probe(half, half.point)
    with pytest.raises(ValueError, match="the point is on meta, the loss on cpu: move one"):
        line(loss, loss.point.to("meta"), direction, [0.0])
    with pytest.raises(ValueError, match="the model torch.float32"):
        line(loss, loss.point.double(), direction, [0.0])
    model, inputs, labels, _ = build("tanh")
    with pytest.raises(ValueError, match="the model is on meta, its inputs on cpu"):
        NetworkLoss(model.to("meta"), inputs, labels, half_squared_error)


@pytest.mark.parametrize("spacing", [0, -1.0, np.nan, np.inf, np.ones(2), None, "1", 1j, 1e-200])
def test_bad_spacings(spacing):
    for measure in (second_difference, rounding):
        with pytest.raises(ValueError, match="spacing must be above 1e-150 and finite"):
            measure(np.arange(20.0) ** 2, spacing)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ([1.0, 2.0], "at least"),
        (5.0, "at least"),
        (np.zeros((0, 20)), "not finite"),
        ([1.0, np.nan, *range(20)], "not finite"),
        (np.arange(20, dtype=np.float16), "float16.* drown"),
        (torch.arange(20).bfloat16(), "bfloat16.* drown"),
    ],
)
def test_bad_values(values, words):
    for measure in (second_difference, rounding):
        with pytest.raises(ValueError, match=words):
            measure(values, 1.0)


@pytest.mark.parametrize("values", [None, np.arange(20) * 1j, ["a"] * 20])
def test_values_that_are_no_real_numbers(values):
    for measure in (second_difference, rounding):
        with pytest.raises(TypeError, match="the values must be real numbers"):
            measure(values, 1.0)


@pytest.mark.parametrize(
    ("distances", "values", "words"),
    [
        (np.arange(9.0), np.arange(10.0), "9 distances do not go with"),
        (np.arange(9.0), np.ones((9, 9)), "one line at a time"),
        (np.arange(9.0)[::-1], np.arange(9.0) ** 2, "equal steps"),
        (np.arange(9.0) ** 2, np.arange(9.0), "equal steps"),
        (np.zeros(9), np.arange(9.0), "equal steps"),
        (1e-300 * np.arange(9.0), np.arange(9.0) ** 2, "equal steps of more than 1e-150"),
        (np.arange(8.0), np.arange(8.0), "at least 9"),
        (np.arange(9.0), [np.inf, *range(8)], "not finite"),
    ],
)
def test_bad_growth(distances, values, words):
    with pytest.raises(ValueError, match=words):
        growth(distances, values)


def test_only_networks_have_filters():
    with pytest.raises(TypeError, match="pass a NetworkLoss"):
        filter_normalised(Quadratic(), 0.0, 1.0)
    loss, direction = smooth()
    with pytest.raises(ValueError, match="direction has shape"):
        filter_normalised(loss, loss.point, direction[:-1])


def test_a_straight_line_has_no_second_difference_to_show():
    with pytest.raises(ValueError, match="drown in the rounding"):
        second_difference(0.3 + 0.7 * np.linspace(0, 1, 20), 0.1)
