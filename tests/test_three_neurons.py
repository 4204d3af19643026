"""The three-neuron network, its loss on data and its loss on a distribution of data."""

import subprocess
import sys

import numpy as np
import pytest
from scipy import stats
from scipy.integrate import quad

from mslbook.losses import (
    F2,
    EmpiricalLoss,
    PopulationLoss,
    Ridge,
    Scaled,
    Sum,
    three_neurons,
)
from mslbook.theory import stable_lr, two_cycle

RNG = np.random.default_rng(0)
DATA = RNG.lognormal(sigma=2.0, size=50)
DISTRIBUTIONS = {
    "uniform": stats.uniform(0, 3),
    "uniform away from 0": stats.uniform(1, 2),
    "log-normal": stats.lognorm(1.0),
    "narrow": stats.lognorm(0.01, scale=50),
    "six decades": stats.lognorm(3.0),
    "density infinite at 0": stats.gamma(0.3),
    "kink of the density": stats.triang(0.3),
    "heavy tail": stats.pareto(3.0),
    "exponential": stats.expon(scale=0.2),
    "histogram": stats.rv_histogram(([1, 5, 2], [0.5, 1.0, 1.3, 9.0]), density=False),
}
W = np.concatenate([-np.geomspace(1e-3, 1e3, 200), np.geomspace(1e-3, 1e3, 201)])


@pytest.fixture(params=DISTRIBUTIONS.values(), ids=DISTRIBUTIONS.keys())
def distribution(request):
    return request.param


# --- the network ----------------------------------------------------------------------------------


def test_the_network_is_its_piecewise_form():
    x, w = RNG.lognormal(sigma=2.0, size=(1000, 1)), RNG.normal(size=1000) * 3
    network, formula = three_neurons(x, w), np.minimum(1, abs(x * w))
    rounding = 4 * np.finfo(float).eps * (1 + abs(x * w))
    assert np.all(abs(network - formula) <= rounding)
    assert (formula < 1).any()
    assert (formula == 1).any()


def test_the_network_takes_the_papers_three_cases():
    x = 0.7
    for w, value in ((-2, 1), (-1 / x, 1), (-0.5, 0.35), (0, 0), (1, 0.7), (1.5, 1)):
        assert three_neurons(x, w) == pytest.approx(value, abs=1e-15)


def test_the_network_is_one_of_torch_too(torch):
    linear, head = torch.nn.Linear(1, 3), torch.nn.Linear(3, 1)
    linear.weight.data, linear.bias.data = torch.ones(3, 1), torch.tensor([1.0, 0.0, -1.0])
    head.weight.data, head.bias.data = torch.tensor([[-1.0, 2.0, -1.0]]), torch.tensor([1.0])
    w = torch.linspace(-3, 3, 61)
    theirs = head(torch.relu(linear(2.0 * w[:, None])))[:, 0]
    torch.testing.assert_close(three_neurons(2.0, w), theirs.detach())
    assert three_neurons(torch.tensor(2.0), w).dtype == torch.float32


# --- data -----------------------------------------------------------------------------------------


def test_empirical_loss_is_the_mean_over_the_data():
    loss = EmpiricalLoss(DATA)
    squares = three_neurons(DATA, W[:, None]) ** 2
    np.testing.assert_allclose(loss.value(W), squares.mean(axis=1), rtol=1e-12)
    inside = abs(DATA * W[:, None]) <= 1
    slopes = (2 * DATA**2 * W[:, None] * inside).mean(axis=1)
    np.testing.assert_allclose(loss.grad(W), slopes, rtol=1e-12)
    np.testing.assert_allclose(loss.hvp(W, 0.5), slopes / W / 2, rtol=1e-12)


def test_empirical_loss_is_the_papers_piecewise_formula():
    """(mean over the k smallest) w² + (n - k)/n between 1/x_{k+1} and 1/x_k, both ends included."""
    x = np.sort(DATA)
    n, loss = len(x), EmpiricalLoss(DATA)
    for k in range(1, n):
        w = np.linspace(1 / x[k], 1 / x[k - 1], 5)
        expected = np.sum(x[:k] ** 2) / n * w**2 + (n - k) / n
        np.testing.assert_allclose(loss.value(w), expected, rtol=1e-12)
    np.testing.assert_allclose(loss.value(0.9 / x[-1]), np.mean(x**2) * (0.9 / x[-1]) ** 2)
    assert loss.value(1.1 / x[0]) == 1


def test_at_a_kink_the_inner_values_are_taken():
    loss = EmpiricalLoss([0.5, 4.0])
    assert loss.grad(0.25) == 0.25 * (4**2 + 0.5**2)
    assert loss.hvp(-0.25, 1.0) == loss.hvp(np.nextafter(0.25, 0), 1.0) == 4**2 + 0.5**2
    assert loss.hvp(np.nextafter(0.25, 1), 1.0) == 0.5**2


def test_equal_data_count_each():
    assert EmpiricalLoss([2.0, 2.0, 1.0]).hvp([0.1, 0.7, 2.0], 1.0).tolist() == [6.0, 2 / 3, 0.0]


def test_a_million_data_at_a_hundred_thousand_points():
    x = np.random.default_rng(3).uniform(0, 3, 1_000_000)
    w = np.linspace(-5, 5, 100_000)
    loss = EmpiricalLoss(x)
    some = w[::9_999]
    direct = [np.mean(np.minimum(1, (x * point) ** 2)) for point in some]
    np.testing.assert_allclose(loss.value(w)[::9_999], direct, rtol=1e-12)


# --- distributions --------------------------------------------------------------------------------


@pytest.mark.parametrize("C", [0.01, 1.0, 3.0, 700.0])
def test_population_loss_of_the_uniform_distribution_is_f2(C):
    ours, theirs, w = PopulationLoss(stats.uniform(0, C)), F2(C), W / C
    np.testing.assert_allclose(ours.value(w), theirs.value(w), rtol=0, atol=1e-13)
    np.testing.assert_allclose(w * ours.grad(w), w * theirs.grad(w), rtol=0, atol=1e-13)
    np.testing.assert_allclose(
        w**2 * ours.hvp(w, 1.0), w**2 * theirs.hvp(w, 1.0), rtol=0, atol=1e-13
    )
    assert ours.hvp(1 / C, 1.0) == pytest.approx(2 * C**2 / 3, rel=1e-12)  # the inner value


def by_quadrature(distribution, w):
    """Value, slope and curvature from the density, cut into pieces at quantiles and jumps."""
    c, (low, high) = 1 / w, distribution.support()
    cuts = distribution.ppf([1e-7, 0.01, 0.1, 0.3, 0.5, 0.9, 0.99, 1 - 1e-7])
    cuts = [low, *cuts, 0.5, 0.9, 1.0, 1.3, c, high]
    cuts = np.unique([cut for cut in cuts if low <= cut <= min(c, high)])
    below = sum(
        quad(lambda x: x * x * distribution.pdf(x), a, b, epsabs=0, epsrel=1e-12, limit=200)[0]
        for a, b in zip(cuts[:-1], cuts[1:], strict=True)
    )
    slope, density = 2 * w * below, distribution.pdf(c)
    return w * w * below + distribution.sf(c), slope, 2 * below - 2 * c**3 * density


def test_population_loss_agrees_with_an_independent_quadrature(distribution):
    loss = PopulationLoss(distribution)
    for w in np.array([0.03, 0.31, 0.77, 1.13, 2.9, 11.0]) / distribution.median():
        value, slope, curvature = by_quadrature(distribution, w)
        assert loss.value(w) == pytest.approx(value, abs=1e-11)
        assert w * loss.grad(w) == pytest.approx(w * slope, abs=1e-11)
        assert w**2 * loss.hvp(w, 1.0) == pytest.approx(w**2 * curvature, abs=1e-11)


def test_curvature_at_the_minimum_is_twice_the_second_moment(distribution):
    loss = PopulationLoss(distribution)
    second = distribution.mean() ** 2 + distribution.var()
    assert loss.hvp(0.0, 3.0) == pytest.approx(6 * second, rel=1e-10)
    assert loss.value(0.0) == loss.grad(0.0) == 0.0


@pytest.mark.parametrize("factor", np.linspace(-6, 6, 7))
@pytest.mark.parametrize(
    ("distribution", "width"), [(stats.lognorm(1e-4), 1e-4), (stats.norm(1e3, 1e-3), 1e-6)]
)
def test_a_drop_at_the_edge_of_a_panel_is_seen(distribution, width, factor):
    """Medians 1 and 1000 are edges of panels; P falls from 1 to 0 between two Gauss nodes there."""
    c = distribution.median() * (1 + factor * width)
    low = distribution.ppf(1e-16)
    inner = quad(lambda x: 2 * x * distribution.sf(x), low, c, epsabs=0, epsrel=1e-13)[0]
    assert PopulationLoss(distribution).value(1 / c) == pytest.approx(
        (low**2 + inner) / c**2, rel=1e-12
    )


@pytest.mark.parametrize(
    "distribution",
    [stats.halfcauchy(), stats.pareto(0.5), stats.pareto(1.5), stats.levy(), stats.invgamma(0.5)],
)
def test_without_a_second_moment_no_learning_rate_is_stable(distribution):
    loss = PopulationLoss(distribution)
    assert loss.hvp(0.0, 1.0) == np.inf
    assert stable_lr(loss) == 0
    assert loss.value(0.0) == loss.grad(0.0) == 0
    cycle = two_cycle(loss, lr=0.01)  # every rate is above the stable one
    assert loss.grad(cycle) * 0.01 == pytest.approx(2 * cycle)


def test_a_large_second_moment_is_not_an_infinite_one():
    assert PopulationLoss(stats.pareto(2.2)).hvp(0.0, 1.0) == pytest.approx(2 * 2.2 / 0.2)


def test_far_out_the_loss_is_1():
    far = np.array([-np.inf, 1e160, 1e300, np.inf])
    for loss in (EmpiricalLoss(DATA), PopulationLoss(stats.lognorm(1.0))):
        assert loss.value(far) == pytest.approx(np.ones(4), abs=1e-12)
        assert np.all(loss.grad(far) == 0)
        assert np.all(loss.hvp(far, 1.0) == 0)
        assert np.isnan(loss.value(np.nan))
        assert np.isnan(loss.grad(np.nan))


def test_population_loss_is_the_limit_of_empirical_losses(distribution):
    """Within the greatest distance of the distribution functions: |L_n - L| <= sup |F_n - F|."""
    data = distribution.rvs(2000, random_state=1)
    w = W / distribution.median()
    gap = abs(EmpiricalLoss(data).value(w) - PopulationLoss(distribution).value(w)).max()
    assert 1e-5 < gap <= stats.kstest(data, distribution.cdf).statistic


def test_a_mixture_is_a_sum():
    parts = stats.uniform(0, 3), stats.lognorm(0.5, scale=0.1)
    loss = Sum((Scaled(0.2, PopulationLoss(parts[0])), Scaled(0.8, PopulationLoss(parts[1]))))
    data = np.concatenate([part.ppf((np.arange(n) + 0.5) / n)
                           for part, n in zip(parts, (20_000, 80_000), strict=True)])  # fmt: skip
    np.testing.assert_allclose(loss.value(W), EmpiricalLoss(data).value(W), atol=1e-4)


# --- as losses ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "loss", [EmpiricalLoss(DATA), PopulationLoss(stats.lognorm(1.0))], ids=["data", "distribution"]
)
class TestAsALoss:
    def test_derivatives_agree_with_central_differences(self, loss):
        w = W[abs(W) < 30]
        w = w[np.min(abs(1 - abs(w) * DATA[:, None]), axis=0) > 1e-4]  # away from the kinks
        h = 1e-6 * abs(w)
        slope = (loss.value(w + h) - loss.value(w - h)) / (2 * h)
        np.testing.assert_allclose(w * loss.grad(w), w * slope, rtol=0, atol=1e-8)
        bend = (loss.grad(w + h) - loss.grad(w - h)) / (2 * h)
        np.testing.assert_allclose(w**2 * loss.hvp(w, 1.0), w**2 * bend, rtol=0, atol=1e-8)

    def test_torch_is_answered_in_kind(self, loss, torch):
        for dtype, rtol in ((torch.float64, 1e-12), (torch.float32, 1e-3)):
            w = torch.tensor([[-2.0, -0.1], [0.0, 0.3]], dtype=dtype)
            for ours, theirs in (
                (loss.value(w), loss.value(w.numpy())),
                (loss.grad(w), loss.grad(w.numpy())),
                (loss.hvp(w, w), loss.hvp(w.numpy(), w.numpy())),
            ):
                assert ours.dtype == dtype
                assert ours.shape == w.shape
                assert theirs.dtype == w.numpy().dtype
                np.testing.assert_allclose(ours.numpy(), theirs, rtol=rtol)

    def test_numbers_are_answered_by_numbers(self, loss):
        assert np.ndim(loss.value(0.5)) == np.ndim(loss.grad(0.5)) == 0
        assert np.ndim(loss.hvp(0.5, 1.0)) == 0
        np.testing.assert_array_equal(loss.grad([-0.5]), -loss.grad([0.5]))

    def test_two_of_them_make_two_valleys(self, loss):
        valleys = Sum((Ridge(loss, (1, 0)), Ridge(loss, (0, 10))))
        curvature = loss.hvp(0.0, 1.0)
        np.testing.assert_allclose(
            valleys.hvp([0.0, 0.0], [1.0, 1.0]), [curvature, 100 * curvature]
        )


@pytest.mark.gpu
@pytest.mark.parametrize(
    "loss", [EmpiricalLoss(DATA), PopulationLoss(stats.lognorm(1.0))], ids=["data", "distribution"]
)
def test_a_gpu_is_answered_in_kind(loss, cuda, torch):
    w = torch.tensor([-2.0, 0.0, 0.3], dtype=torch.float64, device="cuda")
    for ours, theirs in (
        (loss.value(w), loss.value(w.cpu())),
        (loss.grad(w), loss.grad(w.cpu())),
        (loss.hvp(w, w), loss.hvp(w.cpu(), w.cpu())),
    ):
        assert ours.device.type == "cuda"
        torch.testing.assert_close(ours.cpu(), theirs, rtol=1e-12, atol=0)


def test_empirical_loss_can_be_differentiated_by_torch(torch):
    loss, w = EmpiricalLoss(DATA), torch.tensor([-3.0, 0.02, 0.4], dtype=torch.float64)
    w.requires_grad_()
    (slope,) = torch.autograd.grad(loss.value(w).sum(), w)
    torch.testing.assert_close(slope, loss.grad(w).detach())


# --- bad input ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "x", [[], [1.0, np.nan], [np.inf], [1.0, 0.0], [1.0, 1e200], [1e-200], [-1.0, 2.0]]
)
def test_data_are_positive_and_their_squares_finite(x):
    with pytest.raises(ValueError, match="between 3e-151 and 3e.150: pass abs"):
        EmpiricalLoss(x)


@pytest.mark.parametrize(
    ("distribution", "words"),
    [
        (stats.norm(), r"must be positive: give one distribution on \(0, ∞\)"),
        (stats.uniform(-1, 4), "must be positive"),
        (stats.uniform(0, 1e200), "must lie between .* change the unit"),
        (stats.uniform(0, 1e-200), r"must lie between 3e-151 and 3e\+150"),
        (stats.pareto(0.01), "must lie between"),
        (stats.lognorm(s=-1.0), "must be positive"),
    ],
)
def test_distributions_that_make_no_loss(distribution, words):
    with pytest.raises(ValueError, match=words):
        PopulationLoss(distribution)


@pytest.mark.parametrize(
    ("distribution", "words"),
    [
        (stats.poisson(3.0), "continuous.*EmpiricalLoss"),
        ([1.0, 2.0], "continuous.*EmpiricalLoss"),
        (stats.lognorm, "missing 1 required positional argument: 's'"),
    ],
)
def test_what_is_no_continuous_distribution(distribution, words):
    with pytest.raises(TypeError, match=words):
        PopulationLoss(distribution)


def test_a_distribution_without_parameters_need_not_be_frozen():
    assert PopulationLoss(stats.expon).value(1.0) == PopulationLoss(stats.expon()).value(1.0)


def test_importing_the_losses_leaves_the_slow_libraries_out():
    program = "import sys, mslbook.losses; print(*({'torch', 'scipy'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == []


def test_tensors_with_gradients_travel_through_numpy(torch):
    loss = PopulationLoss(stats.uniform(0, 3))
    w = torch.tensor([-2.0, 0.3], dtype=torch.float64, requires_grad=True)
    for method, vector in ((loss.value, ()), (loss.grad, ()), (loss.hvp, (1.0,))):
        answer = method(w, *vector)
        assert isinstance(answer, torch.Tensor)
        torch.testing.assert_close(answer.detach(), method(w.detach(), *vector))


@pytest.mark.parametrize("data", [None, "x", np.datetime64("2020-01-01")])
def test_data_are_numbers(data):
    with pytest.raises(TypeError, match="the data must be real numbers"):
        EmpiricalLoss(data)
