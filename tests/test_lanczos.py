"""The Krylov space: its Ritz pairs, and residuals that need no images."""

import numpy as np
import pytest
from matrices import SPECTRA, N, rotated

from mslbook.probes.lanczos import KrylovSpace

RANDOM = np.random.default_rng(0)


def check(space, matrix):
    """The Ritz vectors are orthonormal, and the couplings have the norms of their residuals."""
    values, mixing = space.ritz()
    vectors = space.combine(mixing)
    np.testing.assert_allclose(vectors @ vectors.T, np.eye(len(space)), atol=1e-12)
    residuals = np.linalg.norm(vectors @ matrix - values[:, None] * vectors, axis=1)
    size = np.abs(np.linalg.eigvalsh(matrix)).max()
    claimed = np.linalg.norm(mixing @ space.couplings, axis=1)
    np.testing.assert_allclose(claimed, residuals, atol=1e-12 * size)


@pytest.mark.parametrize("name", SPECTRA)
@pytest.mark.parametrize("block", [1, 3])
def test_couplings_are_the_residuals(name, block):
    matrix = rotated(SPECTRA[name])
    space = KrylovSpace(lambda v: matrix @ v, np.zeros(N), 40)
    for row in RANDOM.normal(size=(block, N)):
        assert space.add(row)
        check(space, matrix)
    while space.pending and len(space) < 20:
        space.extend(RANDOM.normal(size=space.pending))
        check(space, matrix)
    assert space.hvps == len(space)


def test_a_restart_keeps_the_largest_pairs_and_half_of_the_others():
    matrix = rotated(SPECTRA["random"])
    space = KrylovSpace(lambda v: matrix @ v, np.zeros(N), 40)
    for row in RANDOM.normal(size=(2, N)):
        space.add(row)
    for _ in range(20):
        space.extend(np.ones(2))
    before = space.ritz()[0][:13]
    space.restart(5)
    check(space, matrix)
    np.testing.assert_allclose(space.ritz()[0], before)
    assert (len(space), space.hvps, space.pending) == (13, 22, 2)
    space.extend((1.0, 0.0))
    check(space, matrix)


def test_what_lies_within_the_space_adds_nothing():
    space = KrylovSpace(lambda v: 2 * v, np.zeros(N), 4)
    row = RANDOM.normal(size=N)
    assert space.add(row)
    assert space.pending == 0  # an eigenvector
    assert not space.add(-3 * row, tol=1e-5)
    assert not space.add(np.zeros(N))
    assert space.add(RANDOM.normal(size=N))
    space.clear()
    assert len(space) == 0
