"""Spectral densities against dense eigenvalues: matrices, analytic losses, networks."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")
from matrices import SPECTRA, N, Parabola, rotated  # noqa: E402
from models import CRITERIA, build, by_definition, dense, targets_for  # noqa: E402

from mslbook.losses import f1, f3, two_valleys, valley  # noqa: E402
from mslbook.losses.network import NetworkLoss  # noqa: E402
from mslbook.probes import spectral_density  # noqa: E402


def starts(samples, size, seed=0):
    """The random unit vectors, drawn on their own."""
    vectors = np.random.default_rng(seed).standard_normal((samples, size))
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def moment(found, power):
    """The mean of the eigenvalues' powers, trace(H^power) / n."""
    return (found.weights * found.nodes**power).sum() / len(found.nodes)


def check_quadrature(found, matrix, degree, rtol=1e-8):
    """The moments of each sample up to a degree are those of its vector, Gauss's promise."""
    scale = np.abs(np.linalg.eigvalsh(matrix)).max() or 1.0
    for nodes, weights, vector in zip(
        found.nodes, found.weights, starts(len(found.nodes), len(matrix)), strict=True
    ):
        image = vector
        for power in range(degree + 1):
            assert weights @ (nodes / scale) ** power == pytest.approx(
                vector @ image, rel=rtol, abs=rtol
            )
            image = matrix @ image / scale


def check_weights(found):
    assert np.isrealobj(found.weights)
    assert (found.weights >= 0).all()
    np.testing.assert_allclose(found.weights.sum(axis=1), 1)
    assert (np.diff(found.nodes) >= 0).all()


# --- against dense eigenvalues --------------------------------------------------------------------


@pytest.mark.parametrize("name", SPECTRA)
def test_a_few_steps_have_the_moments_of_their_vectors(name):
    matrix = rotated(SPECTRA[name])
    loss = Parabola(matrix)
    found = spectral_density(loss, np.zeros(N), steps=6, samples=3)
    check_weights(found)
    check_quadrature(found, matrix, degree=11)
    assert found.hvps == loss.products <= 18
    assert found.dimension == N


@pytest.mark.parametrize("name", SPECTRA)
def test_all_steps_find_the_whole_spectrum(name):
    """Equal eigenvalues are one node, with the weight of all: the Krylov space knows no more."""
    matrix = rotated(SPECTRA[name])
    found = spectral_density(Parabola(matrix), np.zeros(N), steps=N + 20, samples=2)
    check_weights(found)
    values, vectors = np.linalg.eigh(matrix)
    scale = np.abs(values).max()
    middles = (values[1:] + values[:-1]) / 2
    for cut in middles[np.diff(values) > 1e-6 * scale]:
        exact = ((starts(2, N) @ vectors) ** 2)[:, values > cut].sum(axis=1)
        counted = [found.weights[i][found.nodes[i] > cut].sum() for i in range(2)]
        np.testing.assert_allclose(counted, exact, atol=1e-8)
        assert found.share(above=cut) == pytest.approx(np.mean(counted))
    taken = found.nodes[found.weights > 1e-12]
    nearest = np.abs(taken[:, None] - values).min(axis=1)
    assert nearest.max() <= 1e-9 * scale


def test_samples_average_to_the_spectrum():
    """The error is that of the mean of (v·u)², 2 / (N + 2) of the eigenvalues' variance."""
    eigenvalues = SPECTRA["outliers"]
    samples = 200
    found = spectral_density(Parabola(rotated(eigenvalues)), np.zeros(N), 20, samples)
    for power in (1, 2, 3):
        of = eigenvalues**power
        error = np.sqrt(2 / (N + 2) * of.var() / samples)
        assert abs(moment(found, power) - of.mean()) < 3 * error
    assert moment(found, 0) == pytest.approx(1)
    assert found.trace == pytest.approx(N * moment(found, 1))
    for cut in (-0.5, 0.5, 2, 20, 40):
        of = (eigenvalues > cut).astype(float)
        assert abs(found.share(above=cut) - of.mean()) <= 3 * np.sqrt(
            2 / (N + 2) * of.var() / samples
        )


@pytest.mark.parametrize("name", ["tanh", "relu", "batchnorm", "tied"])
def test_networks(name):
    model, inputs, labels, _ = build(name)
    loss = NetworkLoss(
        model, (inputs, targets_for("cross-entropy", labels)), CRITERIA["cross-entropy"]
    )
    _, hessian = dense(
        by_definition(model, inputs, labels, "cross-entropy", None, "train"), loss.theta
    )
    found = spectral_density(loss, loss.theta, steps=5, samples=2)
    check_weights(found)
    check_quadrature(found, hessian.numpy(), degree=9)


def test_analytic_losses_of_one_and_two_variables():
    for x in (0.0, 0.7):
        found = spectral_density(f1, x, samples=1)
        np.testing.assert_allclose(found.nodes, [[f1.hvp(x, 1.0)]])
        assert found.weights.tolist() == [[1.0]]
        assert found.trace == pytest.approx(float(f1.hvp(x, 1.0)))
    for loss in (two_valleys, valley, f3):
        point = np.array([0.3, 0.8])
        matrix = np.array([loss.hvp(point, axis) for axis in np.eye(2)])
        found = spectral_density(loss, point, samples=4)
        np.testing.assert_allclose(
            found.nodes, np.tile(np.linalg.eigvalsh(matrix), (4, 1)), atol=1e-12
        )
        check_weights(found)


# --- exhausted spaces, precision, libraries -------------------------------------------------------


def test_an_exhausted_space_ends_a_sample_early():
    for eigenvalues, distinct in (
        (np.ones(N), 1),
        (np.zeros(N), 1),
        (np.repeat([-2.0, 0.0, 5.0], N // 3), 3),
    ):
        loss = Parabola(np.diag(eigenvalues))
        found = spectral_density(loss, np.zeros(N), samples=4)
        assert found.hvps == loss.products == 4 * distinct
        assert found.nodes.shape == (4, N)
        assert np.count_nonzero(found.weights) == 4 * distinct
        assert found.nodes.max() == pytest.approx(eigenvalues.max(), abs=1e-12)
        assert found.nodes.min() == pytest.approx(eigenvalues.min(), abs=1e-12)
        check_weights(found)
        check_quadrature(found, np.diag(eigenvalues), degree=5)


def test_a_loss_without_curvature():
    model = torch.nn.Linear(3, 1)
    loss = NetworkLoss(model, (torch.ones(5, 3), torch.zeros(5, 1)), lambda out, to: out.mean())
    found = spectral_density(loss, loss.theta)
    assert found.trace == 0.0
    assert found.hvps == 8


@pytest.mark.parametrize("name", SPECTRA)
def test_single_precision(name):
    matrix = rotated(SPECTRA[name]).astype(np.float32)
    found = spectral_density(Parabola(torch.tensor(matrix)), torch.zeros(N), steps=N)
    check_weights(found)
    check_quadrature(found, matrix.astype(float), degree=5, rtol=1e-5)


def test_orthogonality_is_kept_where_plain_lanczos_loses_it():
    """Far outliers are found at once; without care they would be found again and again."""
    matrix = np.diag(np.r_[np.linspace(0, 1e-3, 297), 1.0, 10.0, 100.0])
    found = spectral_density(Parabola(matrix), np.zeros(300), steps=100, samples=3)
    for node in found.nodes:
        assert np.sum(node > 0.5) == 3


def test_every_library_gets_the_same_vectors():
    matrix = rotated(SPECTRA["random"])
    numpy = spectral_density(Parabola(matrix), np.zeros(N), steps=10)
    other = spectral_density(Parabola(torch.tensor(matrix)), torch.zeros(N).double(), steps=10)
    np.testing.assert_allclose(other.nodes, numpy.nodes, rtol=1e-8)
    np.testing.assert_allclose(other.weights, numpy.weights, atol=1e-8)
    again = spectral_density(Parabola(matrix), np.zeros(N), steps=10)
    np.testing.assert_array_equal(again.nodes, numpy.nodes)
    assert not np.array_equal(
        spectral_density(Parabola(matrix), np.zeros(N), steps=10, seed=1).nodes, numpy.nodes
    )


def test_one_graph_serves_all_products(monkeypatch):
    model, inputs, labels, _ = build("tanh")
    loss = NetworkLoss(model, (inputs, labels), CRITERIA["half squared"])
    monkeypatch.setattr(NetworkLoss, "hvp", None)
    assert spectral_density(loss, loss.theta, steps=4, samples=2).hvps == 8


# --- what is made of it ---------------------------------------------------------------------------


def test_the_density_is_that_of_smeared_eigenvalues():
    found = spectral_density(Parabola(np.diag([1.0, 1, 1, 4])), np.zeros(4), samples=1)
    v = starts(1, 4)[0]
    grid = np.linspace(-6, 12, 4001)
    density = found.density(grid, width=0.5)
    assert np.trapezoid(density, grid) == pytest.approx(1, rel=1e-9)
    bell = np.exp(-((grid[:, None] - [1.0, 4.0]) ** 2) / 0.5) / (0.5 * np.sqrt(2 * np.pi))
    np.testing.assert_allclose(density, bell @ [1 - v[3] ** 2, v[3] ** 2], atol=1e-9)
    assert found.density(1.0, 0.5) == pytest.approx(density[np.argmin(abs(grid - 1))], rel=1e-4)


@pytest.mark.parametrize("width", [0, -1.0, np.inf, np.nan])
def test_a_width_that_smears_nothing_is_refused(width):
    found = spectral_density(f1, 0.0, samples=1)
    with pytest.raises(ValueError, match="width must be positive and finite"):
        found.density([0.0], width)


# --- bad input ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"steps": 0}, "steps must be a whole number of at least 1, not 0"),
        ({"steps": 2.5}, "steps must be a whole number"),
        ({"samples": 0}, "samples must be a whole number of at least 1"),
        ({"samples": True}, "samples must be a whole number"),
        ({"theta": np.zeros(3)}, r"length 2, not the shape \(3,\)"),
        ({"theta": np.array([0.0, np.inf])}, "theta must be finite"),
        ({"theta": np.zeros((4, 2))}, "one point at a time"),
    ],
)
def test_bad_input_is_refused_before_any_product(arguments, words):
    loss = Parabola(np.eye(2))
    with pytest.raises(ValueError, match=words):
        spectral_density(**{"loss": loss, "theta": np.zeros(2)} | arguments)
    assert loss.products == 0


def test_a_product_that_is_not_finite_is_told():
    with pytest.raises(FloatingPointError, match="not finite: check that the loss"):
        spectral_density(Parabola(np.full((3, 3), np.nan)), np.zeros(3))


@pytest.mark.gpu
def test_cpu_and_cuda_agree():
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    model, inputs, labels, _ = build("tanh", torch.float32)
    loss = NetworkLoss(model, (inputs, labels), CRITERIA["half squared"])
    cpu, cuda = (
        spectral_density(one, one.theta, steps=5) for one in (loss, loss.to(device="cuda"))
    )
    for power in (1, 2, 3):
        assert moment(cuda, power) == pytest.approx(moment(cpu, power), rel=1e-3)


@pytest.mark.parametrize("samples", [1, 8])
def test_a_density_of_any_number_of_samples_has_the_integral_one(samples):
    found = spectral_density(Parabola(np.diag([-2.0, 0.0, 1.0, 3.0])), np.zeros(4), 4, samples)
    grid = np.linspace(-6, 7, 2001)
    assert np.trapezoid(found.density(grid, 0.3), grid) == pytest.approx(1, abs=1e-9)
    for wrong in (0, None, "1", np.inf):
        with pytest.raises(ValueError, match="width must be positive and finite, not"):
            found.density(grid, wrong)
