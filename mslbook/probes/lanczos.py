"""The Krylov space that the probes of the Hessian share."""

import numpy as np

from mslbook._arrays import array_namespace, to_numpy

ROUNDING_EPS = 10  # machine epsilons relative to an image's norm, below which nothing is left of it
MIN_KEPT = 0.5  # of a norm by a sweep of Gram-Schmidt, for it to be the last one
COLUMNS = 2**12  # that a restart mixes at once, so that it needs no further vectors


class KrylovSpace:
    """An orthonormal basis that grows by one Hessian-vector product at a time.

    Block Lanczos with full reorthogonalisation, in one array that is allocated once. Its first rows
    are the basis Q; the pending rows P behind them span what the products left outside of it. With
    H Q = T Q + C P, the residual of a Ritz pair is a row of the small matrix C, mixed as the pair
    is, and no image has to be stored. The next basis vector is a combination of the pending rows.

    Parameters
    ----------
    product : callable
        Takes a vector (n,) to H v.
    like : array, shape (n,)
        Of the namespace, dtype and device wanted.
    capacity : int
        The most rows, of n numbers each.
    """

    def __init__(self, product, like, capacity):
        self._product, self._xp = product, array_namespace(like)
        self.eps = float(self._xp.finfo(like.dtype).eps)
        self._kind = {"dtype": like.dtype, "device": like.device}
        self._rows = self._xp.empty((capacity, like.shape[0]), **self._kind)
        self._matrix = np.zeros((capacity, capacity))  # T and, to the right of it, C
        self._size = self.pending = self.hvps = 0  # rows of the basis, pending rows, products

    def __len__(self):
        return self._size

    @property
    def couplings(self):
        """The matrix C, of shape (len, pending)."""
        return self._matrix[: self._size, self._size : self._size + self.pending]

    @property
    def full(self):
        """Whether there is no room for another vector and the remainder of its image."""
        return self._size + self.pending > len(self._rows) - 2

    def clear(self):
        """Begin anew in the same memory."""
        self._size = self.pending = 0

    def add(self, vector, tol=0.0):
        """Extend the space by a vector; whether more than `tol` of it is outside of the space."""
        coefficients, rest, norm = self._split(self._xp.asarray(vector, **self._kind))
        outside = np.append(coefficients[self._size :], norm)
        if not np.linalg.norm(outside) > tol * np.linalg.norm([*coefficients, norm]):
            return False
        self._append(rest)
        self.extend(outside[: self.pending])
        return True

    def extend(self, direction=(1.0,)):
        """Extend the space by this combination of the pending rows; it costs one product."""
        self._rotate(direction)
        image = self._product(self._rows[self._size])
        self.hvps += 1
        # By symmetry all that is large of it lies along the vectors that this one came out of.
        sources = np.flatnonzero(self._matrix[: self._size, self._size])
        coefficients, rest, norm = self._split(image, min(sources, default=self._size))
        self._matrix[self._size, : len(coefficients)] = coefficients
        self._matrix[: self._size, self._size] = coefficients[: self._size]
        self._size, self.pending = self._size + 1, self.pending - 1
        if self._append(rest):
            self._matrix[self._size - 1, len(coefficients)] = norm

    def ritz(self):
        """The eigenvalues of T, the largest first, and its eigenvectors as the rows of a matrix."""
        values, vectors = np.linalg.eigh(self._matrix[: self._size, : self._size])
        return values[::-1].copy(), vectors[:, ::-1].T.copy()

    def combine(self, coefficients):
        """Combinations of the basis vectors, and then of the pending rows, as many as given."""
        return self._xp.asarray(coefficients, **self._kind) @ self._rows[: coefficients.shape[1]]

    def restart(self, count):
        """Shrink to the `count` largest Ritz pairs, and half of the others, without a product."""
        values, mixing = self.ritz()
        count, size = (count + self._size) // 2, self._size
        couplings = mixing[:count] @ self.couplings
        mixing = self._xp.asarray(mixing[:count], **self._kind)
        for first in range(0, self._rows.shape[1], COLUMNS):
            columns = self._rows[:, first : first + COLUMNS]
            columns[:count, ...] = mixing @ columns[:size]
        for row in range(self.pending):
            self._rows[count + row, ...] = self._rows[size + row]
        self._size = count
        self._matrix[:count, :count] = np.diag(values[:count])
        self.couplings[...] = couplings

    def _split(self, vector, first=0):
        """Coefficients in all rows, the unit vector of the remainder or None, and its norm.

        The rows from `first` on are taken out before all are.
        """
        rows = self._rows[: self._size + self.pending]
        coefficients, length = np.zeros(len(rows)), _norm(vector)
        if not np.isfinite(length):
            raise FloatingPointError("H v is not finite: check that the loss is finite at theta")
        negligible = ROUNDING_EPS * self.eps * length
        while True:
            part = rows[first:] @ vector
            vector = vector - part @ rows[first:]
            coefficients[first:] += to_numpy(part)
            before, length = length, _norm(vector)
            if not length > negligible:
                return coefficients, None, 0.0
            if first == 0 and length > MIN_KEPT * before:
                return coefficients, vector / length, length
            first = 0

    def _append(self, row):
        """Make a row the last pending one, if there is one and room for it."""
        last = self._size + self.pending
        if row is None or last == len(self._rows):
            return False
        self._rows[last, ...] = row
        self._matrix[: self._size, last] = 0.0
        self.pending += 1
        return True

    def _rotate(self, direction):
        """Change the basis of the pending rows, so that the first has this direction."""
        if self.pending > 1:
            square = np.column_stack([direction, np.eye(self.pending)])
            turn = np.linalg.qr(square)[0].T
            pending = self._rows[self._size : self._size + self.pending]
            pending[...] = self._xp.asarray(turn, **self._kind) @ pending
            self.couplings[...] = self.couplings @ turn.T


def _norm(vector):
    """Of no further memory, unlike NumPy's own."""
    return float(vector @ vector) ** 0.5
