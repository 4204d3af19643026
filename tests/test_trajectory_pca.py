"""Principal directions of paths, against dense singular vectors and within a bound of memory."""

import tracemalloc

import numpy as np
import pytest

from mslbook.probes import (
    orthogonalise,
    principal_directions,
    project,
    random_walk_shares,
)

RANDOM = np.random.default_rng(0)
PATH = 5 + np.cumsum(RANDOM.normal(size=(30, 70)) + RANDOM.normal(size=70), axis=0)
ONE_ROW = 32 * 30  # bytes that one column of PATH needs


def by_svd(path, k):
    """Directions, variances and shares from the dense singular value decomposition."""
    _, sizes, rows = np.linalg.svd(path - path.mean(axis=0), full_matrices=False)
    variances = sizes**2 / len(path)
    return rows[:k], variances[:k], variances[:k] / variances.sum()


def assert_same_lines(rows, others, atol=1e-10):
    """The same directions, whichever way they point."""
    np.testing.assert_allclose(np.abs(np.sum(rows * others, axis=1)), 1, atol=atol)


# --- the directions -------------------------------------------------------------------------------


@pytest.mark.parametrize("memory", [ONE_ROW, 7 * ONE_ROW, 69 * ONE_ROW, 2**28])
def test_the_directions_are_the_singular_vectors(memory):
    found = principal_directions(PATH, 5, memory)
    rows, variances, shares = by_svd(PATH, 5)
    assert_same_lines(found.directions, rows)
    np.testing.assert_allclose(found.directions @ found.directions.T, np.eye(5), atol=1e-12)
    np.testing.assert_allclose(found.variances, variances, rtol=1e-10)
    np.testing.assert_allclose(found.shares, shares, rtol=1e-10)
    np.testing.assert_allclose(found.mean, PATH.mean(axis=0), rtol=1e-12)


@pytest.mark.parametrize("shape", [(2, 1), (2, 9), (9, 2), (9, 8), (9, 9), (40, 3)])
def test_all_directions_of_paths_of_every_shape(shape):
    path = np.random.default_rng(1).normal(size=shape)
    k = min(shape[0] - 1, shape[1])
    found = principal_directions(path, k)
    rows, variances, _ = by_svd(path, k)
    assert_same_lines(found.directions, rows)
    np.testing.assert_allclose(found.variances, variances, rtol=1e-9)
    assert found.shares.sum() == pytest.approx(1)


def test_every_kind_of_snapshots_gives_the_same(tmp_path):
    torch = pytest.importorskip("torch")
    np.save(tmp_path / "path.npy", PATH)
    kinds = {
        "memory map": np.load(tmp_path / "path.npy", mmap_mode="r", allow_pickle=False),
        "list of rows": list(PATH),
        "rows of a map": list(np.load(tmp_path / "path.npy", mmap_mode="r", allow_pickle=False)),
        "tensor": torch.tensor(PATH),
        "parameters": [torch.nn.Parameter(torch.tensor(row)) for row in PATH],
        "columns first": np.asfortranarray(PATH),
    }
    reference = principal_directions(PATH, 3)
    for name, path in kinds.items():
        found = principal_directions(path, 3, memory=11 * ONE_ROW)
        np.testing.assert_allclose(found.directions, reference.directions, atol=1e-10, err_msg=name)
        axes = torch.tensor(found.directions) if name == "tensor" else list(found.directions)
        coordinates = project(path, path[0], axes, memory=11 * ONE_ROW)
        np.testing.assert_allclose(
            coordinates, (PATH - PATH[0]) @ found.directions.T, atol=1e-9, err_msg=name
        )


def test_the_snapshots_are_left_as_they_were():
    path = PATH.copy()
    principal_directions(path, 2)
    project(path, path[3], np.eye(70)[:2])
    np.testing.assert_array_equal(path, PATH)


def test_a_small_motion_far_from_the_origin_is_not_lost_in_rounding():
    """Parameters of size 1 that move by a thousandth of it, in single precision."""
    still = RANDOM.normal(size=5000)
    way = orthogonalise(RANDOM.normal(size=(2, 5000)))
    motion = np.stack([np.linspace(0, 1, 40), np.linspace(-1, 1, 40) ** 2], axis=1) * [0.1, 0.01]
    found = principal_directions((still + motion @ way).astype(np.float32), 2)
    exact, _, shares = by_svd(still + motion @ way, 2)
    assert_same_lines(found.directions, exact, atol=1e-4)
    np.testing.assert_allclose(found.shares, shares, rtol=1e-3)


def test_half_precision_is_summed_up_in_double():
    torch = pytest.importorskip("torch")
    half = torch.tensor(PATH).bfloat16()
    found = principal_directions(half, 2)
    assert_same_lines(found.directions, by_svd(half.double().numpy(), 2)[0])


# --- which way they point -------------------------------------------------------------------------


def test_directions_point_the_way_the_path_travels():
    forward, backward = principal_directions(PATH, 1), principal_directions(PATH[::-1], 1)
    assert forward.directions[0] @ (PATH[-1] - PATH[0]) > 0
    np.testing.assert_allclose(forward.directions, -backward.directions, atol=1e-10)


def test_a_path_that_ends_level_with_its_start_points_to_both():
    """A parabola: what travels forth and back along its second direction ends ahead of the mean."""
    t = np.linspace(-1, 1, 21)
    for sign in (1, -1):
        path = np.stack([10 * t, sign * t**2], axis=1)
        found = principal_directions(path, 2)
        np.testing.assert_allclose(found.directions, [[1, 0], [0, sign]], atol=1e-12)


def test_a_loop_points_to_its_far_end():
    for sign in (1, -1):
        found = principal_directions(sign * np.array([[0.0], [2.0], [-1.0], [-1.0], [0.0]]), 1)
        np.testing.assert_allclose(found.directions, [[sign]])


# --- segments -------------------------------------------------------------------------------------


def test_directions_of_segments_are_orthogonalised_in_their_order():
    segments = PATH[:10], PATH[10:18], PATH[18:]
    leading = [principal_directions(one, 1, 100 * ONE_ROW).directions[0] for one in segments]
    axes = orthogonalise(leading)
    np.testing.assert_allclose(axes @ axes.T, np.eye(3), atol=1e-12)
    first, second, third = (by_svd(segment, 1)[0][0] for segment in segments)
    assert_same_lines(axes[:1], first[None])
    rest = second - (first @ second) * first
    assert_same_lines(axes[1:2], rest[None] / np.linalg.norm(rest))
    rest = third - axes[:2].T @ (axes[:2] @ third)
    assert_same_lines(axes[2:], rest[None] / np.linalg.norm(rest))
    for axis, own, segment in zip(axes, leading, segments, strict=True):
        assert own @ (segment[-1] - segment[0]) > 0
        assert axis @ own > 0


def test_nearly_parallel_directions_still_give_orthonormal_axes():
    axes = orthogonalise([[1.0, 0, 0], [1, 1e-4, 0], [1, 1, 1e-3]])
    np.testing.assert_allclose(axes, np.eye(3), atol=1e-9)


@pytest.mark.parametrize(
    ("vectors", "words"),
    [
        ([PATH[1], PATH[1]], "direction 1 .* within the span of the earlier"),
        ([PATH[1], PATH[1][:7]], "must have the same shape"),
        ([], "at least one"),
    ],
)
def test_what_spans_too_little_is_refused(vectors, words):
    with pytest.raises(ValueError, match=words):
        orthogonalise(vectors)


# --- memory ---------------------------------------------------------------------------------------


def test_no_more_is_held_at_once_than_the_memory_allows(tmp_path):
    big = np.random.default_rng(2).normal(size=(20, 30_000)).astype(np.float32)
    np.save(tmp_path / "path.npy", big)
    stored = np.load(tmp_path / "path.npy", mmap_mode="r", allow_pickle=False)
    axes, memory = orthogonalise(big[:3]), 2**17
    calls = {
        "directions": lambda: principal_directions(stored, 2, memory).directions,
        "projection": lambda: project(stored, big[0], axes, memory),
    }
    for name, call in calls.items():
        tracemalloc.start()
        answer = call()
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        answers = 5 * 8 * big.shape[1] + answer.nbytes  # means, and directions being made
        assert peak < memory + answers + 50_000, name
    assert big.nbytes > 10 * memory


# --- a random walk --------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [2, 3, 10, 57])
def test_shares_of_a_random_walk_are_those_of_its_expected_gram_matrix(count):
    times = np.arange(count)
    gram = np.minimum(times[:, None], times[None]).astype(float)
    centre = np.eye(count) - 1 / count
    exact = np.linalg.eigvalsh(centre @ gram @ centre)[::-1]
    np.testing.assert_allclose(
        random_walk_shares(count, count - 1), exact[:-1] / exact.sum(), rtol=1e-9
    )


def test_a_random_walk_is_told_from_a_drift():
    steps = np.random.default_rng(3).normal(size=(100, 5000))
    expected = random_walk_shares(100, 3)
    walk = principal_directions(np.cumsum(steps, axis=0), 3)
    np.testing.assert_allclose(walk.shares, expected, rtol=0.1)
    drift = principal_directions(np.cumsum(steps + 0.5, axis=0), 3)
    assert drift.shares[0] > 0.9 > 1.3 * expected[0]


# --- bad input ------------------------------------------------------------------------------------


def with_nan(row):
    path = PATH.copy()
    path[row, 50] = np.nan
    return path


@pytest.mark.parametrize(
    ("path", "k", "words"),
    [
        (PATH[:1], 1, "vary in at most 0 directions"),
        (np.full((4, 3), 0.1), 1, "vary in 0 directions only"),
        (PATH, 30, "vary in at most 29 directions, not 30"),
        (PATH, 0, "k must be a whole number of at least 1"),
        (PATH[:, :1] * np.ones(9), 2, "vary in 1 directions only"),
        ([PATH[0], PATH[1, :5]], 1, "same shape"),
        (with_nan(17), 1, "snapshots must be finite"),
        (list(with_nan(0)), 1, "snapshots must be finite"),
    ],
)
def test_what_is_not_a_path_is_refused(path, k, words):
    with pytest.raises(ValueError, match=words):
        principal_directions(path, k)


def test_other_bad_input_is_refused():
    for origin, axes, words in (
        (PATH[0, :9], np.eye(70)[:2], "broadcast"),
        (PATH[0], np.eye(9)[:2], "mismatch"),
        (with_nan(0)[0], np.eye(70)[:2], "the origin must be finite"),
        (PATH[0], np.full((1, 70), np.nan), "must be orthonormal"),
        *((PATH[0], skew, "must be orthonormal: pass them through orthogonal")
          for skew in (PATH[:2], 2 * np.eye(70)[:2], np.ones((1, 70)), np.eye(70)[[0, 0]])),
    ):  # fmt: skip
        with pytest.raises(ValueError, match=words):
            project(PATH, origin, axes)
    with pytest.raises(ValueError, match="vary in at most 3 directions, not 4"):
        random_walk_shares(4, 4)
    with pytest.raises(ValueError, match="count must be a whole number of at least 2"):
        random_walk_shares(1, 1)
    for number in (np.nan, np.inf, 0):
        with pytest.raises(ValueError, match="direction 1 .* is 0, not finite or within"):
            orthogonalise([[1.0, 0.0], [0.0, number]])
    with pytest.raises(ValueError, match="direction 1 .* within the span"):
        orthogonalise(np.ones((2, 1)))


def test_vectors_of_any_kind_and_length_become_orthonormal():
    torch = pytest.importorskip("torch")
    rows = torch.tensor([[3.0, 0.0], [1.0, 2.0]], requires_grad=True)
    for vectors in (rows, list(rows), 1e200 * rows.detach().double(), 1e-200 * rows.double()):
        np.testing.assert_allclose(orthogonalise(vectors), np.eye(2), atol=1e-12)


def test_origin_and_axes_may_be_tensors_with_gradients():
    torch = pytest.importorskip("torch")
    origin, axes = (torch.tensor(a, requires_grad=True) for a in (PATH[0], np.eye(70)[:2]))
    expected = project(PATH, PATH[0], np.eye(70)[:2])
    np.testing.assert_array_equal(project(torch.tensor(PATH), origin, axes), expected)
