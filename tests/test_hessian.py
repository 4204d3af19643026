"""The Hessian as an operator against the dense matrix."""

import numpy as np
import pytest
from matrices import SPECTRA, N, Parabola, rotated

from mslbook.losses import f1, two_valleys
from mslbook.probes import hessian_operator

MATRIX = rotated(SPECTRA["random"])


def test_the_columns_are_those_of_the_matrix():
    operator = hessian_operator(Parabola(MATRIX), np.zeros(N))
    np.testing.assert_allclose([operator(e) for e in np.eye(N)], MATRIX, atol=1e-14)
    assert hessian_operator(f1, 1.0)(np.ones(1)) == pytest.approx([f1.hvp(1.0, 1.0)])


def test_a_diagonal_preconditions_it_from_both_sides():
    P = np.linspace(0.5, 4, N)
    operator = hessian_operator(Parabola(MATRIX), np.zeros(N), preconditioner=P)
    expected = MATRIX / np.sqrt(np.outer(P, P))
    np.testing.assert_allclose([operator(e) for e in np.eye(N)], expected, atol=1e-14)


@pytest.mark.parametrize("wrong", [np.ones(N - 1), np.zeros(N), -np.ones(N), np.full(N, np.inf)])
def test_a_preconditioner_that_is_none_is_refused(wrong):
    with pytest.raises(ValueError, match="a positive, finite number for each of the"):
        hessian_operator(Parabola(MATRIX), np.zeros(N), preconditioner=wrong)


def test_tensors_are_answered_in_kind(torch):
    theta = torch.zeros(2, dtype=torch.float64, requires_grad=True)
    image = hessian_operator(two_valleys, theta)(torch.ones(2, dtype=torch.float64))
    assert image.tolist() == pytest.approx([25.0, 1.0])
    assert not image.requires_grad


def test_scipy_takes_it():
    from scipy.sparse.linalg import LinearOperator, eigsh

    operator = hessian_operator(Parabola(MATRIX), np.zeros(N))
    values = eigsh(LinearOperator((N, N), matvec=operator), k=2, which="LA")[0]
    np.testing.assert_allclose(values, np.linalg.eigvalsh(MATRIX)[-2:])
