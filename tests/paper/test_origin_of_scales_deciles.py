"""The experiment that sorts images by length and measures the loss of each tenth."""

from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch")
from tiny import tiny_recording  # noqa: E402

from mslbook import data  # noqa: E402
from mslbook.descent import iterate  # noqa: E402
from mslbook.losses.network import NetworkLoss, half_squared_error  # noqa: E402
from mslbook.networks import fully_connected  # noqa: E402
from mslbook.paper.edge_of_stability import experiment as figure_2_1  # noqa: E402
from mslbook.paper.experiments import recorded  # noqa: E402
from mslbook.paper.origin_of_scales import deciles as deciles  # noqa: E402
from mslbook.paper.origin_of_scales.deciles import (  # noqa: E402
    CONDITIONS,
    PROBED,
    TABLES,
    Settings,
    first_layer_change,
    first_layer_sharpness,
    lengths_of,
    measure_tenths,
    network_loss,
    phases_of,
    project_to_input_span,
    width,
)
from mslbook.paper.run import Training  # noqa: E402
from mslbook.probes import line, sharpness  # noqa: E402

IMAGES = data.load("digits")
TINY = Settings(40, 0.2, steps=4, probes=2, seeds=1, reach=0.5, conditions=("equal", "hundredfold"))
DISTANCES = np.linspace(-0.5, 0.5, 9)


@pytest.fixture
def small(monkeypatch):
    """Networks with 6 and 5 hidden neurons."""
    monkeypatch.setattr(figure_2_1, "HIDDEN", (6, 5))


def wide_loss(count=7, seed=0):
    """A loss on fewer images than they have numbers, in double precision."""
    random = torch.Generator().manual_seed(seed)
    inputs = torch.randn(count, 20, generator=random).double()
    model = fully_connected([20, 6, 5, 3], "tanh", seed=seed).double()
    return NetworkLoss(model, (inputs, torch.arange(count) % 3), half_squared_error)


@pytest.mark.parametrize("condition", CONDITIONS)
def test_a_condition_keeps_the_mean_square_of_the_lengths(condition):
    real = np.random.default_rng(0).lognormal(size=4000)
    new = lengths_of(condition, real, seed=1)
    assert np.mean(new**2) == pytest.approx(np.mean(real**2))


def test_conditions_differ_in_the_spread_of_the_lengths_alone():
    real = np.random.default_rng(0).lognormal(size=4000)
    assert np.array_equal(lengths_of("real", real, seed=1), real)
    assert np.ptp(lengths_of("equal", real, seed=1)) == 0
    shuffled = lengths_of("shuffled", real, seed=1)
    np.testing.assert_allclose(np.sort(shuffled), np.sort(real))
    assert abs(np.corrcoef(shuffled, real)[0, 1]) < 0.1
    spread = lengths_of("hundredfold", real, seed=1)
    assert 98 < spread.max() / spread.min() <= 100
    assert np.ptp(np.histogram(np.log(spread), 4)[0]) < 150  # of a thousand in each quarter


def test_the_images_get_the_lengths_of_the_arm_and_are_sorted_by_them(small):
    for condition in CONDITIONS:
        loss, order = network_loss(IMAGES, 30, condition, seed=2)
        lengths = loss.inputs.norm(dim=1).numpy()
        if condition != "equal":
            assert np.all(np.diff(lengths[order]) >= 0)
        images = data.standardise(IMAGES.train_images[:30]).reshape(30, -1)
        real = np.linalg.norm(images, axis=1)
        np.testing.assert_allclose(lengths, lengths_of(condition, real, 2), rtol=1e-5)
        cosines = (loss.inputs @ loss.inputs.T).numpy() / np.outer(lengths, lengths)
        np.testing.assert_allclose(cosines, images @ images.T / np.outer(real, real), atol=1e-5)
    _, by_real = network_loss(IMAGES, 30, "real", seed=2)
    _, by_equal = network_loss(IMAGES, 30, "equal", seed=2)
    assert np.array_equal(by_real, by_equal)


def test_fewer_weights_make_the_same_loss():
    loss = wide_loss()
    part, onto = project_to_input_span(loss, slice(None))
    theta = loss.theta
    assert part.dimension == loss.dimension - 6 * (20 - 7)
    assert torch.allclose(part.theta, onto(theta))
    assert torch.allclose(part.value(part.theta), loss.value(theta))
    assert torch.allclose(part.grad(part.theta), onto(loss.grad(theta)))
    assert part.grad(part.theta).norm() == pytest.approx(float(loss.grad(theta).norm()))
    v = torch.randn(loss.dimension, dtype=torch.float64)
    assert torch.allclose(part.hvp(part.theta, onto(v)), onto(loss.hvp(theta, v)))
    tops = [sharpness(one, one.theta, tol=1e-6).values[0] for one in (loss, part)]
    assert tops[0] == pytest.approx(tops[1])
    ends = [next(s for s in iterate(one, one.theta, lr=0.5) if s.step == 20).theta
            for one in (loss, part)]  # fmt: skip
    assert torch.allclose(ends[1], onto(ends[0]))


def test_some_rows_are_the_loss_on_them_alone():
    loss, rows = wide_loss(), np.array([5, 0, 3])
    part, onto = project_to_input_span(loss, rows)
    assert len(part.inputs) == 3
    assert torch.allclose(part.value(onto(loss.theta)), loss.subset(rows).value(loss.theta))


def test_in_the_first_layer_the_sharpness_grows_with_the_square_of_the_length():
    """The second identity of section 6: k times the picture, the first layer divided by k."""
    one, k = wide_loss(1), 10.0
    two = NetworkLoss(one.model, (k * one.inputs, one.targets), half_squared_error)
    scale = torch.ones_like(one.theta)
    scale[: one.model[1].weight.numel()] = 1 / k
    tops = [first_layer_sharpness(loss, theta, tol=1e-8)
            for loss, theta in ((one, one.theta), (two, scale * one.theta))]  # fmt: skip
    assert tops[1] / tops[0] == pytest.approx(k**2)
    whole = [sharpness(loss, theta, tol=1e-8).values[0]
             for loss, theta in ((one, one.theta), (two, scale * one.theta))]  # fmt: skip
    assert whole[1] / whole[0] < 0.99 * k**2


def test_speed_is_how_fast_the_sums_of_the_first_layer_move():
    loss = wide_loss()
    v = torch.randn(loss.dimension, generator=torch.Generator().manual_seed(1)).double()

    def sums(theta):
        W, b = theta[:120].view(6, 20), theta[120:126]
        return loss.inputs @ W.T + b

    moved = (sums(loss.theta + v) - sums(loss.theta)).norm(dim=1)
    np.testing.assert_allclose(first_layer_change(loss, v), moved)


@pytest.fixture(scope="module")
def measured():
    loss = wide_loss(count=20)
    top = sharpness(loss, loss.theta, tol=1e-6)
    order = np.argsort(loss.inputs.norm(dim=1).numpy())
    return loss, top, measure_tenths(loss, loss.theta, top.vectors[0], order, DISTANCES)


def test_the_shares_of_the_tenths_average_to_the_sharpness(measured):
    _, top, table = measured
    np.testing.assert_allclose(table["share"].mean(axis=1), top.values[0], rtol=1e-6)
    assert np.all(table["sharpness"] >= table["share"] * (1 - 1e-4))  # v is not their own best
    assert np.all(table["sharpness"] >= table["first_layer"] * (1 - 1e-4))


def test_tenths_average_to_the_whole_and_are_sorted(measured):
    loss, top, table = measured
    np.testing.assert_allclose(table["loss"].mean(axis=1), float(loss.value(loss.theta)))
    assert np.all(np.diff(table["length"][0]) > 0)
    assert np.all(np.diff(table["speed"][1]) > 0)
    whole = line(loss, loss.theta, top.vectors[0], DISTANCES)
    np.testing.assert_allclose(table["lines"].mean(axis=1), [whole, whole, whole])


def test_a_tenth_is_measured_as_a_loss_of_its_own(measured):
    loss, _, table = measured
    order = np.argsort(loss.inputs.norm(dim=1).numpy())
    for i in (0, 9):
        alone = loss.subset(np.array_split(order, 10)[i])
        top = sharpness(alone, loss.theta, tol=1e-4).values[0]
        assert table["sharpness"][0, i] == pytest.approx(top, rel=1e-3)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("runs")


def run(folder, chosen=TINY):
    """A run of two conditions of a network with 6 and 5 hidden neurons."""
    # Each tenth is a loss of its own; above, such losses are made with their checks.
    unchecked = "mslbook.losses.network.check_network", lambda loss: None
    small = (figure_2_1, "HIDDEN", (6, 5)), (deciles, "POINTS", 17)
    return tiny_recording(folder, "sec6_deciles", chosen, unchecked, *small)


@pytest.fixture(scope="module")
def recorded_run(folder):
    return run(folder)


def test_a_run_records_every_condition_seed_and_phase(recorded_run):
    assert recorded_run["losses"].shape == (2, 1, 5)
    assert recorded_run["growth"].shape == (2, 1, 3, 2, 5)
    assert recorded_run["sharpness"].shape == (2, 1, 3, 3, 10)
    assert recorded_run["lines"].shape == (2, 3, 3, 10, 17)
    assert recorded_run["widths"].shape == (2, 1, 3, 3, 10)
    assert np.isnan(recorded_run["edge_steps"]).all()  # so mild a descent never arrives
    assert np.isnan(recorded_run["sharpness"][:, :, 1]).all()
    np.testing.assert_allclose(
        recorded_run["share"][:, :, [0, 2]].mean(axis=-1),
        np.repeat(recorded_run["top"][:, :, [0, -1], None], 3, axis=-1),
        rtol=1e-3,
    )
    by_length = recorded_run["loss"][:, :, [0, 2], 0].mean(axis=-1)
    np.testing.assert_allclose(by_length, recorded_run["losses"][..., [0, -1]], rtol=1e-5)
    assert recorded_run.provenance["settings"]["images"] == 40


def test_too_few_images_are_refused(tmp_path):
    with pytest.raises(ValueError, match="has 1437 training images, this run needs 2000"):
        run(tmp_path, replace(TINY, images=2000))


def column_of(rows, moments):
    """What is recorded of a training with the edge at 5, its tables numbered by the moments."""
    numbers = np.arange(float(len(moments)))
    rows = dict.fromkeys((*TABLES, *PROBED), numbers) | {"moment_steps": moments} | rows
    rows["lines"] = [DISTANCES**2 - number * DISTANCES**4 for number in numbers]
    return phases_of(Training(0, torch.zeros(1), losses=[1.0], rows=rows), 5.0, DISTANCES)


def test_a_width_is_where_the_even_part_of_the_curvature_is_down_a_tenth():
    distances = np.linspace(-0.5, 0.5, 101)
    for quartic, odd in ((1.0, 0.0), (4.0, 3.0)):  # 2 - 12 q t² is 1.8 at t = sqrt(1 / 60 q)
        values = distances**2 - quartic * distances**4 + odd * (distances + distances**3)
        assert width(distances, values) == pytest.approx((1 / 60 / quartic) ** 0.5, rel=1e-2)
    assert width(distances, distances**2 + distances**4) == np.inf


def test_the_first_probe_past_the_edge_is_a_moment():
    steps = np.array([0, 2, 4, 6])
    rows = {"probe_steps": steps, "top": np.array([4.0, 4.9, 5.0, 4.5])}
    column = column_of(rows, moments=[0, 4, 6])
    assert column["edge_steps"] == 4
    np.testing.assert_array_equal(column["share"], [0, 1, 2])


def test_a_run_past_the_edge_from_the_start_has_its_first_two_moments_there():
    rows = {"probe_steps": np.array([0, 2]), "top": np.array([6.0, 4.0])}
    column = column_of(rows, moments=[0, 2])
    np.testing.assert_array_equal(column["share"], [0, 0, 1])


def test_in_the_recording_the_shares_of_tenths_average_to_the_sharpness():
    run = recorded("sec6_deciles", "cifar10", "reduced")
    assert run.provenance["data"] == "cifar10, training rows 0-999"
    assert np.all(run["residual"] <= deciles.TOL)
    probed = run["probe_steps"] == run["edge_steps"][..., None]
    assert np.all(probed.sum(axis=-1) == 1)
    whole = run["share"].mean(axis=-1)  # (condition, seed, moment, order)
    for moment, top in enumerate((run["top"][..., 0], run["top"][probed].reshape(4, 3),
                                  run["top"][..., -1])):  # fmt: skip
        np.testing.assert_allclose(whole[:, :, moment], np.repeat(top[..., None], 3, -1), rtol=1e-3)
    middle = run["lines"][..., 32]  # of the first seed, at distance 0
    np.testing.assert_allclose(middle, run["loss"][:, 0, :, :2], rtol=1e-4)


def test_settings_go_with_the_data():
    assert deciles.DECILES.settings_for("cifar10", "reduced").seeds == 3
    assert deciles.DECILES.settings_for("digits", "small").images == 300
    with pytest.raises(ValueError, match="no size 'reduced': choose small or paper"):
        deciles.DECILES.settings_for("digits", "reduced")
