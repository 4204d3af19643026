"""Sharpness against dense eigenvalues: matrices of every kind, analytic losses, networks."""

import tracemalloc

import numpy as np
import pytest
from scipy.sparse.linalg import eigsh

torch = pytest.importorskip("torch")
from matrices import SPECTRA, Diagonal, N, Parabola, rotated  # noqa: E402
from models import CRITERIA, MODELS, build, by_definition, dense, targets_for  # noqa: E402

from mslbook.losses import f1, f2, f3, two_valleys, valley  # noqa: E402
from mslbook.losses.network import NetworkLoss, half_squared_error  # noqa: E402
from mslbook.probes import Sharpness, sharpness  # noqa: E402


def check(answer, matrix, tol, relative_rounding=1e-13):
    """Values, vectors and residuals agree with the dense matrix, computed on their own."""
    k = len(answer.values)
    exact = np.linalg.eigvalsh(matrix)[::-1][:k]
    norm = np.abs(np.linalg.eigvalsh(matrix)).max()
    rounding = relative_rounding * norm
    vectors = np.asarray(answer.vectors.tolist())
    unit = rounding / 100  # beside the largest eigenvalue, 0 is known to no relative precision
    assert answer.converged or (np.abs(exact) <= unit).any()
    assert answer.vectors.shape == (k, len(matrix))
    np.testing.assert_allclose(vectors @ vectors.T, np.eye(k), atol=relative_rounding * 1e3)
    assert (np.diff(answer.values) <= 0).all()
    np.testing.assert_allclose(answer.values, exact, rtol=tol, atol=10 * rounding)
    defects = vectors @ matrix - answer.values[:, None] * vectors
    norms = np.linalg.norm(defects, axis=1)
    nonzero = np.abs(answer.values) > rounding
    claimed = answer.residuals[nonzero] * np.abs(answer.values[nonzero])
    np.testing.assert_allclose(claimed, norms[nonzero], rtol=1e-3, atol=20 * rounding)
    assert ((answer.residuals <= tol) | (norms <= 20 * rounding)).all()


@pytest.mark.parametrize("k", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("name", SPECTRA)
def test_algebraically_largest_of_every_spectrum(name, k):
    matrix = rotated(SPECTRA[name])
    loss = Parabola(matrix)
    answer = sharpness(loss, np.zeros(N), k=k, tol=1e-6, max_hvps=1000)
    check(answer, matrix, tol=1e-6)
    assert answer.hvps == loss.products


@pytest.mark.parametrize("name", SPECTRA)
def test_single_precision(name):
    matrix = rotated(SPECTRA[name]).astype(np.float32)
    answer = sharpness(Parabola(torch.tensor(matrix)), torch.zeros(N), k=2, max_hvps=1000)
    assert answer.vectors.dtype == torch.float32
    check(answer, matrix.astype(float), tol=1e-3, relative_rounding=1e-6)


def test_single_precision_stops_at_its_rounding():
    matrix = rotated(SPECTRA["outliers"]).astype(np.float32)
    answer = sharpness(Parabola(matrix), np.zeros(N, np.float32), k=3, tol=1e-9)
    assert (answer.residuals < 1e-5).all()
    assert not answer.converged  # to 1e-9, which it says
    assert answer.hvps < 20


@pytest.mark.parametrize("lowest", [-1e3, -1e5, -1e6])
def test_what_is_far_from_converged_beside_a_huge_negative_eigenvalue_is_not_called_so(lowest):
    spectrum = np.r_[lowest, np.linspace(0, 0.3, N - 2), 1]
    answer = sharpness(Parabola(rotated(spectrum).astype(np.float32)), np.zeros(N, np.float32))
    assert not answer.converged or abs(answer.values[0] - 1) < 2e-3
    assert answer.converged == (answer.residuals[0] <= 1e-3)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    "spectrum",
    [np.r_[5, np.zeros(299)], np.r_[0.01 * np.arange(1, 11), -1000, np.zeros(289)]],
    ids=["rank one", "large and negative"],
)
def test_each_of_several_is_known_to_the_tolerance_or_zero_but_for_rounding(spectrum, dtype):
    basis = np.linalg.qr(np.random.default_rng(0).standard_normal((300, 300)))[0]
    matrix = ((basis * spectrum) @ basis.T).astype(dtype)
    answer = sharpness(Parabola(matrix), np.zeros(300, dtype), k=3)
    assert answer.converged
    rounding = 1000 * np.finfo(dtype).eps
    np.testing.assert_allclose(
        answer.values, np.sort(spectrum)[:-4:-1], rtol=2e-3, atol=rounding * abs(spectrum).max()
    )


@pytest.mark.parametrize("size", [1, 2, 3, 6])
def test_all_eigenvalues_of_small_matrices(size):
    matrix = rotated(np.arange(size) - 1.0)
    for k in range(1, size + 1):
        answer = sharpness(Parabola(matrix), np.zeros(size), k=k, tol=1e-8)
        check(answer, matrix, tol=1e-8)
        assert answer.hvps <= size
        assert len(answer.guard) == min(1, size - k)


@pytest.mark.parametrize("name", MODELS)
def test_networks(name):
    criterion = list(CRITERIA)[len(name) % len(CRITERIA)]
    model, inputs, labels, _ = build(name)
    targets = targets_for(criterion, labels)
    loss = NetworkLoss(model, (inputs, targets), CRITERIA[criterion])
    reference = by_definition(model, inputs, labels, criterion, None, "train")
    _, hessian = dense(reference, loss.theta)
    for k in range(1, 6):
        answer = sharpness(loss, loss.theta, k=k, tol=1e-5)
        check(answer, hessian.numpy(), tol=1e-5, relative_rounding=1e-12)


@pytest.mark.parametrize("mode", ["train", "eval"])
def test_networks_in_chunks(mode):
    model, inputs, labels, _ = build("batchnorm")
    loss = NetworkLoss(model, (inputs, labels), half_squared_error, chunk=4, batchnorm=mode)
    reference = by_definition(model, inputs, labels, "half squared", 4, mode)
    _, hessian = dense(reference, loss.theta)
    answer = sharpness(loss, loss.theta, k=3, tol=1e-6)
    check(answer, hessian.numpy(), tol=1e-6, relative_rounding=1e-12)


@pytest.mark.parametrize("like", [np.asarray, torch.tensor])
@pytest.mark.parametrize("loss", [f3, valley, two_valleys])
def test_analytic_losses(loss, like):
    for place in ([0.0, 0.0], [1.0, -2.0], [-20.0, 3.0]):
        point = like(np.array(place))
        matrix = np.stack([np.asarray(loss.hvp(place, e)) for e in np.eye(2)])
        answer = sharpness(loss, point, k=2, tol=1e-8)
        check(answer, matrix, tol=1e-8)
        assert type(answer.vectors) is type(point)


@pytest.mark.parametrize("like", [float, np.float64, np.asarray, torch.tensor])
def test_functions_of_one_variable(like):
    for loss, x in ((f1, 1.0), (f2, 0.1), (f2, 1.0)):
        answer = sharpness(loss, like(x))
        np.testing.assert_allclose(answer.values, [loss.hvp(x, 1.0)])
        assert (answer.converged, answer.hvps) == (True, 1)


def test_what_a_start_cannot_reach_is_found_by_chance():
    """The images of the start and of one random row hold only two of three equal eigenvectors."""
    matrix = np.diag([1.0, 1.0, 1.0, *np.zeros(5)])
    answer = sharpness(Parabola(matrix), np.zeros(8), k=3, start=np.eye(8)[[0, 5, 6]])
    np.testing.assert_allclose(answer.values, 1, rtol=1e-12)
    assert answer.converged


def test_a_row_of_the_start_that_says_the_same_again_does_not_take_the_place_of_the_guard():
    """The guard is then a random row, which finds what the start is orthogonal to."""
    first, second = np.eye(6)[:2]
    answer = sharpness(
        Parabola(np.diag([1.0, 0.5, 0.2, 0.1, 0.0, 3.0])),
        np.zeros(6),
        start=np.array([first, first + 1e-9 * second]),
    )
    np.testing.assert_allclose(answer.values, 3, rtol=1e-3)


def test_random_starts_miss_hardly_ever():
    """Close outliers over a bulk, as networks have them: one may converge before a larger one."""
    bulk = np.random.default_rng(3).normal(size=990) * 0.05
    spectrum = np.r_[bulk, 1, 1.1, 4, 4.2, 6, 9, 9.3, 9.6, 10, 10.2]
    missed = 0
    for seed in range(60):
        answer = sharpness(Parabola(np.diag(spectrum)), np.zeros(1000), k=3, tol=1e-2, seed=seed)
        missed += not np.allclose(answer.values, [10.2, 10, 9.6], rtol=0.03)
    assert missed <= 1


# --- products -------------------------------------------------------------------------------------


def test_products_are_counted_and_limited():
    for limit in (4, 5, 11):
        loss = Parabola(rotated(SPECTRA["random"]))
        answer = sharpness(loss, np.zeros(N), k=3, tol=1e-6, max_hvps=limit)
        assert not answer.converged
        assert answer.hvps == loss.products == limit
        assert (answer.residuals > 1e-6).any()
        assert "NOT converged" in repr(answer)


def test_networks_make_the_products_they_count(monkeypatch):
    model, inputs, labels, _ = build("tanh")
    loss = NetworkLoss(model, (inputs, labels), half_squared_error)
    made, hessian = [], loss.hessian

    def counted(theta):
        product = hessian(theta)
        return lambda v: made.append(1) or product(v)

    monkeypatch.setattr(loss, "hessian", counted)
    assert sharpness(loss, loss.theta, k=2).hvps == len(made) > 2


@pytest.mark.parametrize("spectrum", ["random", "one far below", "all negative", "outliers"])
def test_arpack_finds_the_same(spectrum):
    matrix = rotated(SPECTRA[spectrum])
    values = eigsh(matrix, k=3, which="LA", return_eigenvectors=False)
    found = sharpness(Parabola(matrix), np.zeros(N), k=3, tol=1e-8, max_hvps=2000)
    np.testing.assert_allclose(found.values, np.sort(values)[::-1], atol=1e-7)


def test_a_preconditioner_gives_the_eigenvalues_of_the_preconditioned_hessian():
    matrix, P = rotated(SPECTRA["random"]), np.linspace(0.5, 4, N)
    found = sharpness(Parabola(matrix), np.zeros(N), k=2, tol=1e-8, preconditioner=P)
    expected = np.linalg.eigvalsh(matrix / np.sqrt(np.outer(P, P)))[::-1][:2]
    np.testing.assert_allclose(found.values, expected)


@pytest.mark.parametrize("k", [1, 5, 12])
def test_the_memory_is_bounded_by_restarts(k):
    size, asked = 20_000, 120
    curvatures = np.linspace(0, 1, size)
    tracemalloc.start()
    found = sharpness(Diagonal(curvatures), np.zeros(size), k=k, tol=1e-12, max_hvps=asked)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found.hvps == asked
    assert peak / (8 * size) < max(20 + 2 * k, 6 * k + 6)


def test_after_many_restarts_the_answer_is_right():
    # A cluster at the top, so that many products are needed.
    loss = Parabola(np.diag(1 - np.linspace(0, 1, 300) ** 2))
    answer = sharpness(loss, np.zeros(300), k=2, tol=1e-6, max_hvps=5000)
    assert answer.hvps > 3 * (40 + 4 * 2)
    check(answer, loss.matrix, tol=1e-6)


def test_same_seed_same_numbers_and_no_global_randomness():
    matrix = rotated(SPECTRA["random"])
    states = str(np.random.get_state()), torch.random.get_rng_state()  # noqa: NPY002
    first, again = (sharpness(Parabola(matrix), np.zeros(N), k=2, seed=7) for _ in range(2))
    as_torch = sharpness(Parabola(torch.tensor(matrix)), torch.zeros(N).double(), k=2, seed=7)
    assert states[0] == str(np.random.get_state())  # noqa: NPY002
    assert torch.equal(states[1], torch.random.get_rng_state())
    assert (first.vectors == again.vectors).all()
    assert (first.values == again.values).all()
    np.testing.assert_allclose(as_torch.vectors.numpy(), first.vectors, atol=1e-9)
    other = sharpness(Parabola(matrix), np.zeros(N), k=2, seed=8)
    assert not (other.vectors == first.vectors).all()


def test_no_graph_is_kept_of_a_point_that_asks_for_gradients():
    point = torch.zeros(2, requires_grad=True)
    answer = sharpness(two_valleys, point, k=1)
    assert not answer.vectors.requires_grad
    assert point.grad is None


# --- warm starts ----------------------------------------------------------------------------------


@pytest.mark.parametrize("k", [1, 2, 3])
def test_from_the_answer_at_the_same_point_it_only_checks(k):
    matrix = rotated(SPECTRA["outliers"])
    cold = sharpness(Parabola(matrix), np.zeros(N), k=k, tol=1e-4)
    warm = sharpness(Parabola(matrix), np.zeros(N), k=k, tol=1e-4, start=cold)
    assert warm.hvps == k + 1 < cold.hvps
    check(warm, matrix, tol=1e-4)


def test_along_training_a_warm_start_needs_few_products():
    model, inputs, labels, _ = build("tanh")
    loss = NetworkLoss(model, (inputs, labels), half_squared_error)
    theta = loss.theta
    whole = bare = sharpness(loss, theta, tol=1e-2)
    spent = {"whole": [], "bare": [], "cold": []}
    for _ in range(40):
        theta = theta - 0.1 * loss.grad(theta)
        whole = sharpness(loss, theta, tol=1e-2, start=whole)
        bare = sharpness(loss, theta, tol=1e-2, start=bare.vectors)
        cold = sharpness(loss, theta, tol=1e-2)
        exact = sharpness(loss, theta, tol=1e-6).values
        for name, answer in (("whole", whole), ("bare", bare), ("cold", cold)):
            assert answer.converged
            np.testing.assert_allclose(answer.values, exact, rtol=1e-2)
            spent[name].append(answer.hvps)
    assert max(spent["whole"]) <= 4
    assert np.mean(spent["whole"]) <= 3
    assert np.mean(spent["whole"]) < np.mean(spent["bare"]) < np.mean(spent["cold"])


@pytest.mark.parametrize("whole", [True, False])
@pytest.mark.parametrize("like", [np.asarray, torch.tensor])
def test_an_eigenvalue_that_overtakes_is_seen(like, whole):
    """Two eigenvectors that know nothing of each other: the warm vector is blind to the second."""
    spectrum = np.linspace(-0.5, 0.5, 200)
    spectrum[:2] = 1.0, 0.9
    before = sharpness(Parabola(like(np.diag(spectrum))), like(np.zeros(200)), tol=1e-6)
    assert abs(before.vectors[0, 0]) > 0.999
    spectrum[:2] = 0.9, 1.0
    after = Parabola(like(np.diag(spectrum)))
    start = before if whole else before.vectors
    answer = sharpness(after, like(np.zeros(200)), tol=1e-3, start=start)
    check(answer, np.diag(spectrum), tol=1e-3)
    assert abs(answer.vectors[0, 1]) > 0.999
    assert answer.hvps <= (3 if whole else 20)


def test_bare_vectors_find_what_was_exactly_invisible():
    spectrum = np.r_[1.0, np.linspace(0, 0.5, 300)]
    spectrum[7] = 2.0
    answer = sharpness(Parabola(np.diag(spectrum)), np.zeros(301), start=np.eye(301)[:1])
    check(answer, np.diag(spectrum), tol=1e-3)


def test_starts_of_any_length_and_kind():
    matrix = rotated(SPECTRA["outliers"])
    point = np.zeros(N)
    three = sharpness(Parabola(matrix), point, k=3)
    fewer = sharpness(Parabola(matrix), point, k=1, start=three)
    assert fewer.hvps == 2
    check(fewer, matrix, tol=1e-3)
    more = sharpness(Parabola(matrix), point, k=4, start=three.vectors)
    check(more, matrix, tol=1e-3)
    useless = np.stack([np.zeros(N), three.vectors[0], three.vectors[0]])
    check(sharpness(Parabola(matrix), point, k=2, start=useless), matrix, tol=1e-3)
    single = torch.zeros(N)
    from_double = sharpness(Parabola(torch.tensor(matrix).float()), single, start=three)
    assert from_double.vectors.dtype == torch.float32
    assert from_double.hvps == 2


# --- along a path ---------------------------------------------------------------------------------


def swinging(step, crossing=0.0):
    """Top eigenvectors that swing with period two over a bulk, and a second that may overtake."""
    curvatures = np.r_[1.0, 0.8 + crossing * step, np.linspace(-0.3, 0.5, 98)]
    angle = 0.3 * (-1) ** step + 0.01 * step
    turn = np.eye(100)
    turn[np.ix_([0, 9], [0, 9])] = [np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]
    return Parabola(turn @ np.diag(curvatures) @ turn.T)


def along(path, **options):
    """The answers along a path, each from the last."""
    answers = [None]
    for loss in path:
        answers.append(sharpness(loss, np.zeros(100), start=answers[-1], **options))
    return answers[1:]


def test_a_vector_that_swings_with_period_two_is_predicted():
    path = [swinging(step) for step in range(20)]
    late = along(path, value_tol=1e-2)[8:]
    assert all(answer.converged for answer in late)
    np.testing.assert_allclose([answer.values[0] for answer in late], 1, rtol=1e-2)
    assert np.mean([answer.hvps for answer in late]) == 2


@pytest.mark.parametrize("rate", [0.002, 0.01, 0.03])
def test_along_a_path_what_overtakes_is_not_missed(rate):
    path = [swinging(step, crossing=rate) for step in range(round(0.4 / rate))]
    for loss, answer in zip(path, along(path, value_tol=1e-2), strict=True):
        assert answer.converged
        assert answer.values[0] == pytest.approx(np.linalg.eigvalsh(loss.matrix)[-1], rel=1e-2)


@pytest.mark.parametrize(
    "name", ["random", "outliers", "largest twice", "all negative", "one far below"]
)
def test_a_value_is_known_to_its_tolerance(name):
    matrix = rotated(SPECTRA[name])
    found = sharpness(Parabola(matrix), np.zeros(N), value_tol=1e-3, max_hvps=1000)
    exact = np.linalg.eigvalsh(matrix)[::-1][:1]
    assert found.converged
    np.testing.assert_allclose(found.values, exact, rtol=1e-3)


@pytest.mark.parametrize("name", ["random", "outliers"])
def test_a_tolerance_of_the_value_costs_less_where_there_is_a_gap(name):
    matrix = rotated(SPECTRA[name])
    of_value = sharpness(Parabola(matrix), np.zeros(N), value_tol=1e-3, max_hvps=1000)
    assert of_value.hvps <= sharpness(Parabola(matrix), np.zeros(N), max_hvps=1000).hvps


def test_a_value_that_is_not_certain_within_the_products_is_called_so():
    path = [swinging(0), Parabola(rotated(np.linspace(-1, 1, 100)))]
    answer = along(path, value_tol=1e-3, max_hvps=3)[-1]
    assert (answer.hvps, answer.converged) == (3, False)


def test_a_hessian_at_hand_is_used_and_not_made_again():
    loss = swinging(0)
    made = Parabola(loss.matrix)
    found = sharpness(loss, np.zeros(100), hessian=lambda v: made.hvp(None, v))
    assert (loss.products, made.products) == (0, found.hvps)


# --- bad input ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"k": 0}, "k must be a whole number from 1 to 2, not 0"),
        ({"k": 3}, "k must be a whole number"),
        ({"k": 1.0}, "k must be a whole number"),
        ({"k": "a"}, "k must be a whole number"),
        ({"k": None}, "k must be a whole number"),
        ({"k": True}, "k must be a whole number"),
        ({"tol": 0}, "tol must be positive and below 1, not 0"),
        ({"tol": float("nan")}, "tol must be positive and below 1, not nan"),
        ({"k": 2, "value_tol": 0.1}, "value_tol is for k = 1: for more eigenvalues give tol"),
        ({"value_tol": 0}, "value_tol must be positive and below 1, not 0"),
        ({"tol": None}, "tol must be positive and below 1, not None"),
        ({"seed": -1}, "expected non-negative integer"),
        ({"max_hvps": 2.5}, "max_hvps must be a whole number of at least 2, not 2.5"),
        ({"start": np.zeros(2)}, r"vectors of shape \(j, 2\)"),
        ({"start": np.zeros((1, 3))}, r"vectors of shape \(j, 2\)"),
        ({"start": []}, r"vectors of shape \(j, 2\)"),
        ({"start": np.full((1, 2), np.nan)}, "finite vectors"),
        ({"max_hvps": 1}, "max_hvps must be a whole number of at least 2, not 1"),
        ({"theta": np.zeros((4, 2))}, "one point at a time"),
        ({"theta": np.zeros(3)}, r"length 2, not the shape \(3,\)"),
        ({"theta": np.array([0.0, np.nan])}, "theta must be finite"),
    ],
)
def test_bad_input_is_refused_before_any_product(arguments, words):
    loss = Parabola(np.eye(2))
    with pytest.raises(ValueError, match=words):
        sharpness(**{"loss": loss, "theta": np.zeros(2)} | arguments)
    assert loss.products == 0


def test_the_module_is_not_hidden_by_its_function():
    import mslbook.probes.eigenvalues as module

    assert module.sharpness is sharpness


def test_whole_numbers_are_a_point_too():
    assert sharpness(two_valleys, np.zeros(2, int)).vectors.dtype == np.float64


def test_a_product_that_is_not_finite_is_told():
    with pytest.raises(FloatingPointError, match="not finite: check that the loss"):
        sharpness(Parabola(np.full((3, 3), np.nan)), np.zeros(3))


def test_the_answer_reads_well():
    answer = sharpness(two_valleys, np.zeros(2), k=2)
    assert isinstance(answer, Sharpness)
    assert repr(answer).startswith("Sharpness([25, 1], residual ")
    assert repr(answer).endswith("2 products, converged)")


@pytest.mark.gpu
def test_cpu_and_cuda_agree():
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    for name in ("tanh", "batchnorm", "instancenorm"):
        found = []
        for device in ("cpu", "cuda"):
            model, inputs, labels, _ = build(name, torch.float32)
            loss = NetworkLoss(
                model.to(device), (inputs.to(device), labels.to(device)), half_squared_error
            )
            answer = sharpness(loss, loss.theta, k=3, tol=1e-4)
            assert answer.converged
            assert answer.vectors.device.type == device
            found.append(answer.values)
        np.testing.assert_allclose(found[1], found[0], rtol=1e-3)
