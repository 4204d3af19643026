"""Lines, planes and directions against formulas."""

from functools import partial

import numpy as np
import pytest

torch = pytest.importorskip("torch")
from models import MODELS, build  # noqa: E402
from torch import nn  # noqa: E402

from mslbook.losses import (  # noqa: E402
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
    adaptive_plane,
    filter_normalised,
    line,
    plane,
    random_direction,
    sharpness,
    spectral_density,
)

KINDS = {"numpy": np.array, "torch": partial(torch.tensor, dtype=torch.float64)}


def smooth(dtype=torch.float32):
    """A tanh network, in single precision as networks are trained, and its gradient."""
    model, inputs, labels, _ = build("tanh", dtype)
    loss = NetworkLoss(model, (inputs, labels), half_squared_error)
    return loss, loss.grad(loss.theta)


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


class Interrupted(Quadratic):
    """A loss that counts its evaluations, and raises an error after some of them."""

    def __init__(self, loss, limit=np.inf, error=KeyboardInterrupt):
        self.loss, self.limit, self.error, self.count = loss, limit, error, 0

    dimension = 2

    def value(self, theta):
        if self.count == self.limit:
            raise self.error
        self.count += 1
        return self.loss.value(theta)


AWAY = np.linspace(-3, 3, 21)


def _arrays(answer):
    return [answer] if isinstance(answer, np.ndarray) else [answer.values, answer.evaluated]


@pytest.mark.parametrize("probe", [plane, adaptive_plane])
@pytest.mark.parametrize("limit", [1, 30, 50])
def test_an_interrupted_plane_goes_on_from_its_checkpoint(probe, limit, tmp_path):
    arguments, file = ([1.0, 2.0], np.eye(2), AWAY, AWAY), tmp_path / "plane.npz"
    whole = Interrupted(f3)
    expected = probe(whole, *arguments)
    with pytest.raises(KeyboardInterrupt):
        probe(Interrupted(f3, limit), *arguments, checkpoint=file)
    rest = Interrupted(f3)
    resumed = probe(rest, *arguments, checkpoint=file)
    for one, other in zip(_arrays(resumed), _arrays(expected), strict=True):
        np.testing.assert_array_equal(one, other)
    runs = {plane: (0, 21, 42), adaptive_plane: (0, 4 * 4, 6 * 6)}[probe]  # each saved when whole
    kept = max(count for count in runs if count <= limit)
    assert rest.count == whole.count - kept + (kept > 0)  # one to see that it is the same loss
    assert [one.name for one in tmp_path.iterdir()] == ["plane.npz"]


def test_the_checkpoint_of_another_plane_is_refused(tmp_path):
    file = tmp_path / "plane.npz"
    plane(f3, [1.0, 2.0], np.eye(2), AWAY, AWAY, checkpoint=file)
    kept = file.read_bytes()
    for loss, theta in ((valley, [1.0, 2.0]), (f3, [1.0, 2.5])):
        with pytest.raises(ValueError, match="keeps another plane: name another checkpoint"):
            plane(loss, theta, np.eye(2), AWAY, AWAY, checkpoint=file)
    assert file.read_bytes() == kept


@pytest.mark.parametrize("error", [MemoryError(), RuntimeError("CUDA out of memory.")])
def test_a_plane_out_of_memory_says_what_to_do_and_keeps_what_it_has(error, tmp_path):
    file = tmp_path / "plane.npz"
    with pytest.raises(MemoryError, match="lower the chunk="):
        plane(Interrupted(f3, 50, error), [1.0, 2.0], np.eye(2), AWAY, AWAY, checkpoint=file)
    with np.load(file, allow_pickle=False) as kept:
        assert np.isfinite(kept["values"]).sum() == 2 * len(AWAY)
    with pytest.raises(RuntimeError, match="of another kind"):
        plane(Interrupted(f3, 0, RuntimeError("of another kind")), [0, 0.0], np.eye(2), AWAY, AWAY)


def test_an_adaptive_plane_looks_closely_where_the_loss_bends():
    network, direction = smooth(torch.float64)
    size = 3 * network.theta.norm()
    cases = [
        (network, network.theta, [direction, random_direction(network.theta)], float(size)),
        (valley, [1.0, 0.0], np.eye(2), 4.0),
    ]
    for loss, theta, directions, size in cases:
        away = np.linspace(-size, size, 51)
        every = plane(loss, theta, directions, away, away)
        counts = []
        for tol in (0.03, 0.003):
            picture = adaptive_plane(loss, theta, directions, away, away, tol=tol)
            assert np.abs(picture.values - every).max() <= 2 * tol * np.ptp(every)
            assert picture.error <= tol
            np.testing.assert_array_equal(
                picture.values[picture.evaluated], every[picture.evaluated]
            )
            counts.append(picture.evaluated.sum())
        assert counts[0] < every.size / 5
        assert counts[0] < counts[1]


def test_bad_adaptive_planes():
    with pytest.raises(ValueError, match="at least 17 distances each way, or call plane"):
        adaptive_plane(f3, [0.0, 0.0], np.eye(2), AWAY[:16], AWAY)
    with pytest.raises(ValueError, match="tol must be"):
        adaptive_plane(f3, [0.0, 0.0], np.eye(2), AWAY, AWAY, tol=0)


@pytest.mark.parametrize("name", ["tanh", "batchnorm relu", "dropout", "tied", "counting"])
def test_networks_chunk_by_chunk_and_left_as_they_were(name):
    model, inputs, labels, (u, w) = build(name)
    loss = NetworkLoss(model, (inputs, labels), half_squared_error, chunk=4)
    theta, distances = loss.theta, [-0.5, 0.0, 2.0]
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
            np.testing.assert_allclose(number, float(loss.value(loss.theta)), rtol=1e-12)


def test_a_direction_of_another_kind_is_converted():
    for theta, direction in ((torch.ones(2), np.ones(2)), (np.ones(2), torch.ones(2))):
        np.testing.assert_allclose(line(f3, theta, direction, [0.0]), f3.value(np.ones(2)))


def test_a_value_is_that_of_the_forward_pass_which_is_differentiated():
    """A model may compute something else where no gradients are wanted."""

    class Watched(nn.Linear):
        def forward(self, x):
            assert torch.is_grad_enabled()
            return super().forward(x)

    loss = NetworkLoss(Watched(4, 3), (torch.ones(5, 4), torch.zeros(5).long()), half_squared_error)
    with torch.no_grad():
        line(loss, loss.theta, torch.ones(15), [0.0, 1.0])


def test_a_loss_out_of_range_is_reported_as_it_is():
    loss, direction = smooth()
    losses = line(loss, loss.theta, direction, [0.0, 1e38])
    assert np.isfinite(losses).tolist() == [True, False]


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
    loss = NetworkLoss(model, (inputs, labels), half_squared_error)
    direction = random_direction(loss.theta)
    answer = filter_normalised(loss, loss.theta, direction)
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
    torch.testing.assert_close(filter_normalised(loss, loss.theta, answer), answer)
    torch.testing.assert_close(filter_normalised(loss, loss.theta, 1e-3 * direction), answer)


def test_a_filter_without_direction_keeps_none():
    loss, direction = smooth()
    direction[:4] = 0  # the first neuron's weights
    answer = filter_normalised(loss, loss.theta, direction)
    assert not answer[:4].any()
    assert answer[4:8].norm() > 0


def test_li_et_al_measure_in_the_length_of_the_direction():
    loss, direction = smooth(torch.float64)
    d = filter_normalised(loss, loss.theta, direction)
    (at_one,) = line(loss, loss.theta, d, [1.0 * d.norm()])
    np.testing.assert_allclose(at_one, float(loss.value(loss.theta + d)), rtol=1e-12)


# --- bad input, before any work -------------------------------------------------------------------


class Untouchable:
    """A loss that must not be evaluated."""

    dimension = 2

    def value(self, x):
        raise AssertionError("evaluated")


@pytest.mark.parametrize(
    ("point", "direction", "distances", "error", "words"),
    [
        ([0.0, 0.0], [1.0, 0.0, 0.0], [1.0], ValueError, "direction has shape .3,., theta"),
        ([0.0, 0.0], [0.0, 0.0], [1.0], ValueError, "is 0 or not finite"),
        ([0.0, 0.0], [np.nan, 1.0], [1.0], ValueError, "is 0 or not finite"),
        ([0.0, 0.0], [1.0, 0.0], [], ValueError, "a row of finite numbers"),
        ([0.0, 0.0], [1.0, 0.0], 3.0, ValueError, "must be a row"),
        ([0.0, 0.0], [1.0, 0.0], [[1.0]], ValueError, "must be a row"),
        ([0.0, 0.0], [1.0, 0.0], [1.0, np.inf], ValueError, "a row of finite numbers"),
        ([0.0, 0.0, 0.0], [1.0, 0.0, 0.0], [1.0], ValueError, "must have length 2"),
        ([[0.0, 0.0]], [1.0, 0.0], [1.0], ValueError, "one point at a time"),
        ([0.0, np.nan], [1.0, 0.0], [1.0], ValueError, "theta must be finite"),
        ([0.0, 0.0], "gradient", [1.0], TypeError, "the direction must be real numbers"),
        ([0.0, 0.0], None, [1.0], TypeError, "the direction must be real numbers"),
        ([0.0, 0.0], [1j, 0.0], [1.0], TypeError, "the direction must be real numbers"),
        ([0.0, 0.0], np.ones(2) + 1j, [1.0], TypeError, "must be real numbers.*not complex128"),
        ([0.0, 0.0], [[1.0], [0.0, 1.0]], [1.0], ValueError, "inhomogeneous"),
        (torch.zeros(2), torch.ones(2) * 1j, [1.0], TypeError, "real numbers.*torch.complex64"),
        ([0.0, 0.0], [1.0, 0.0], [1j], TypeError, "must be real numbers"),
        ("origin", [1.0, 0.0], [1.0], TypeError, "a point must hold real numbers"),
        (np.zeros(2, np.float16), np.ones(2), [1.0], ValueError, "float16 is too coarse"),
        (torch.zeros(2).half(), torch.ones(2), [1.0], ValueError, "float16 is too coarse"),
        (torch.zeros(2).bfloat16(), torch.ones(2), [1.0], ValueError, "bfloat16 is too coarse"),
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
    with pytest.raises(ValueError, match="too many values to unpack"):
        plane(Untouchable(), [0.0, 0.0], np.ones((3, 2)), [0.0], [0.0])


def test_networks_in_half_precision_are_refused():
    loss, direction = smooth()
    half = loss.to(dtype=torch.bfloat16)
    for probe in (partial(line, direction=direction.bfloat16(), distances=[0.0]), sharpness,
                  spectral_density):  # fmt: skip
        with pytest.raises(ValueError, match=r"bfloat16.* loss.to\(dtype=torch.float64\)"):
            probe(half, half.theta)
    assert line(loss, loss.theta.double(), direction, [0.0]).dtype == np.float64


def test_filters_of_some_parameters_are_those_of_the_whole():
    loss, direction = smooth()
    names = list(loss.parameters)[:2]
    block, size = loss.block(names), sum(loss.parameters[name].numel() for name in names)
    one = filter_normalised(block, block.theta, direction[:size])
    whole = filter_normalised(loss, loss.theta, direction)[:size]
    torch.testing.assert_close(one, whole)


def test_only_networks_have_filters():
    with pytest.raises(TypeError, match="pass a NetworkLoss"):
        filter_normalised(Quadratic(), 0.0, 1.0)
    loss, direction = smooth()
    with pytest.raises(ValueError, match="direction has shape"):
        filter_normalised(loss, loss.theta, direction[:-1])
