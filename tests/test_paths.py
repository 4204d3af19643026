"""Principal directions of paths, against dense singular vectors and within a bound of memory."""

import tracemalloc

import numpy as np
import pytest

from mslbook.probes import paths
from mslbook.probes.paths import (
    orthogonalise,
    principal_directions,
    project,
    random_walk_shares,
    segment_directions,
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


class Stored:
    """A path like one in a file: it hands out columns, and notes how much was asked for at once."""

    def __init__(self, array):
        self.array, self.shape, self.asked = array, array.shape, []

    def __getitem__(self, key):
        part = self.array[key]
        self.asked.append(part.size)
        return part.copy()


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
    axes = segment_directions(segments, memory=100 * ONE_ROW)
    np.testing.assert_allclose(axes @ axes.T, np.eye(3), atol=1e-12)
    first, second, third = (by_svd(segment, 1)[0][0] for segment in segments)
    assert_same_lines(axes[:1], first[None])
    rest = second - (first @ second) * first
    assert_same_lines(axes[1:2], rest[None] / np.linalg.norm(rest))
    rest = third - axes[:2].T @ (axes[:2] @ third)
    assert_same_lines(axes[2:], rest[None] / np.linalg.norm(rest))
    for axis, segment in zip(axes, segments, strict=True):
        own = principal_directions(segment, 1).directions[0]
        assert own @ (segment[-1] - segment[0]) > 0
        assert axis @ own > 0


def test_nearly_parallel_segments_still_give_orthonormal_axes():
    line = np.array([[0.0, 0, 0], [1, 0, 0]])
    axes = segment_directions(
        [line, line + [[0, 0, 0], [0, 1e-4, 0]], np.array([[0, 0, 0], [1, 1, 1e-3]])]
    )
    np.testing.assert_allclose(axes, np.eye(3), atol=1e-9)


@pytest.mark.parametrize(
    ("segments", "words"),
    [
        ([PATH[:1]], r"segment 0 .*at least two distinct points"),
        ([PATH[:5], np.repeat(PATH[:1], 6, axis=0)], r"segment 1 .*at least two distinct points"),
        ([PATH[:5], PATH[:5]], "direction 1 lies within the span of the 1 before it"),
        ([PATH[:5], PATH[:5, :7]], "all of them in the same dimension"),
        ([], "at least one segment"),
    ],
)
def test_segments_without_directions_are_refused(segments, words):
    with pytest.raises(ValueError, match=words):
        segment_directions(segments)


# --- memory ---------------------------------------------------------------------------------------


def test_no_more_is_read_at_once_than_the_memory_allows():
    big = np.random.default_rng(2).normal(size=(20, 30_000)).astype(np.float32)
    axes = orthogonalise(big[:3])
    memory = 2**17
    calls = {
        "directions": lambda path: principal_directions(path, 2, memory).directions,
        "segments": lambda path: segment_directions([path], memory),
        "projection": lambda path: project(path, big[0], axes, memory),
    }
    for name, call in calls.items():
        stored = Stored(big)
        tracemalloc.start()
        answer = call(stored)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert 8 * max(stored.asked) <= memory, name
        answers = 4 * 8 * big.shape[1] + answer.nbytes  # means, and directions being made
        assert peak < memory + answers + 50_000, name
        assert sum(stored.asked) % big.size == 0, name  # every number in each pass, once
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
        (PATH[:1], 1, "at least two distinct points"),
        (np.full((4, 3), 0.1), 1, "vary in 0 directions .*at least two distinct points"),
        (PATH, 30, "vary in at most 29 directions, not 30"),
        (PATH, 0, "k must be a whole number of at least 1"),
        (
            PATH[:, :1] * np.ones(9),
            2,
            r"vary in 1 directions \(to rounding\), not 2: ask for fewer",
        ),
        (PATH[0], 1, r"of shape \(T, n\).*not ndarray of shape \(70,\)"),
        (PATH[:0], 1, r"of shape \(T, n\)"),
        ([PATH[0], PATH[1, :5]], 1, "T arrays of one shape .*not list"),
        ([[1.0], [2.0]], 1, "T arrays of one shape .*not list"),
        ([], 1, "not list"),
        (with_nan(17), 1, "snapshot 17 .*nan or infinite"),
        (list(with_nan(0)), 1, "snapshot 0 .*nan or infinite"),
    ],
)
def test_what_is_not_a_path_is_refused(path, k, words):
    with pytest.raises(ValueError, match=words):
        principal_directions(path, k)


def test_other_bad_input_is_refused():
    with pytest.raises(ValueError, match="do not hold one column of 30 snapshots: .*at least 960"):
        principal_directions(PATH, 1, memory=ONE_ROW - 1)
    with pytest.raises(TypeError, match="must be real numbers .* not complex128"):
        principal_directions(PATH + 1j, 1)
    for origin, axes in ((PATH[0, :9], PATH[:2]), (PATH[0], PATH[:2, :9]), (PATH[0], PATH[0])):
        with pytest.raises(ValueError, match=r"needs an origin of shape \(70,\) and directions"):
            project(PATH, origin, axes)
    with pytest.raises(ValueError, match="the origin or the directions hold nan"):
        project(PATH, with_nan(0)[0], np.eye(70)[:2])
    with pytest.raises(ValueError, match="the origin or the directions hold nan"):
        project(PATH, PATH[0], np.full((1, 70), np.nan))
    for skew in (PATH[:2], 2 * np.eye(70)[:2], np.ones((1, 70)), np.eye(70)[[0, 0]]):
        with pytest.raises(ValueError, match="must be orthonormal: pass them through orthogonal"):
            project(PATH, PATH[0], skew)
    with pytest.raises(ValueError, match="vary in at most 3 directions, not 4"):
        random_walk_shares(4, 4)
    with pytest.raises(ValueError, match="count must be a whole number of at least 2"):
        random_walk_shares(1, 1)
    for wrong in ([1.0, 2.0, 3.0], [[1.0], [1.0, 2.0]], []):
        with pytest.raises(ValueError, match=r"shape \(k, n\), not rows of"):
            orthogonalise(wrong)
    for number, words in ((np.nan, "holds nan or"), (np.inf, "holds nan or"), (0, "is 0 every")):
        with pytest.raises(ValueError, match=f"direction 1 .* {words}.*points nowhere"):
            orthogonalise([[1.0, 0.0], [0.0, number]])
    for wrong in (None, 1.0):
        with pytest.raises((TypeError, ValueError), match="must be real numbers|not rows of"):
            orthogonalise(wrong)
        with pytest.raises(ValueError, match="give at least one segment"):
            segment_directions(wrong)
    with pytest.raises(ValueError, match=r"shape \(T, n\).*not NoneType"):
        principal_directions(None, 1)


def test_vectors_of_any_kind_and_length_become_orthonormal():
    torch = pytest.importorskip("torch")
    rows = torch.tensor([[3.0, 0.0], [1.0, 2.0]], requires_grad=True)
    for vectors in (rows, list(rows), 1e200 * rows.detach().double(), 1e-200 * rows.double()):
        np.testing.assert_allclose(orthogonalise(vectors), np.eye(2), atol=1e-12)


def test_the_answer_reads_well():
    found = principal_directions(PATH, 2)
    assert isinstance(found, paths.PrincipalDirections)
    assert repr(found) == f"PrincipalDirections(shares {found.shares.round(3).tolist()})"


def test_origin_and_axes_may_be_tensors_with_gradients():
    torch = pytest.importorskip("torch")
    origin, axes = (torch.tensor(a, requires_grad=True) for a in (PATH[0], np.eye(70)[:2]))
    expected = project(PATH, PATH[0], np.eye(70)[:2])
    np.testing.assert_array_equal(project(torch.tensor(PATH), origin, axes), expected)


@pytest.mark.parametrize("memory", [None, "x", np.nan])
def test_memory_is_a_number(memory):
    with pytest.raises(ValueError, match="memory must be a finite number"):
        principal_directions(PATH, 1, memory=memory)
