"""The Krylov space that the probes of the Hessian share."""

import numpy as np
from array_api_compat import device

from mslbook.checks import float64

KEPT_LENGTH = 0.5  # of a unit row after a sweep, beyond which another sweep would remove nothing


class KrylovSpace:
    """An orthonormal basis that grows by one Hessian-vector product at a time.

    The basis is allocated once, every new row is made orthogonal to all the others, and of the
    Hessian within the space one row is computed for each product.

    Parameters
    ----------
    product : callable
        Takes a vector (n,) to H v.
    xp : namespace
        That of the vectors, NumPy's or torch's.
    like : array, shape (n,)
        A vector, for its dtype and device.
    capacity : int
        The most rows, of n numbers each.
    dependent : float
        A unit row of which less than this is orthogonal to the basis adds nothing but rounding.

    Attributes
    ----------
    hvps : int
        Products so far.
    """

    def __init__(self, product, xp, like, capacity, dependent):
        self._product, self._xp, self._like, self._dependent = product, xp, like, dependent
        self._basis, self._count, self.hvps = self._rows(capacity), 0, 0
        self._projected = np.zeros((capacity, capacity))

    def __len__(self):
        return self._count

    @property
    def basis(self):
        """The rows so far, (len, n)."""
        return self._basis[: self._count]

    @property
    def projected(self):
        """The Hessian within the space, (len, len), in double precision."""
        return self._projected[: self._count, : self._count]

    def clear(self):
        """Begin anew in the same memory."""
        self._count = 0

    def add(self, row):
        """Add the part of a row that is orthogonal to the basis, and return the Hessian's image.

        None if there is no such part to speak of.
        """
        row = self.orthogonal(row)
        if row is None:
            return None
        self._basis[self._count, ...] = row
        self._count += 1
        image = self._product(row)
        self.hvps += 1
        products = float64(self.basis @ image)
        self.projected[-1, :], self.projected[:, -1] = products, products
        return image

    def orthogonal(self, row):
        """The unit vector along the part of a row that is orthogonal to the basis, or None."""
        norm, basis = self._xp.linalg.vector_norm, self.basis
        row = self._xp.asarray(row, dtype=self._like.dtype, device=device(self._like))
        length = float(norm(row))
        if not length > 0:
            return None
        row = row / length
        for _ in range(3):  # twice is enough for orthogonality, thrice for a row nearly lost
            row = row - (basis @ row) @ basis
            length = float(norm(row))
            if not length > self._dependent:
                return None
            row = row / length
            if length > KEPT_LENGTH:
                break
        return row

    def _rows(self, count):
        shape = (count, self._like.shape[0])
        return self._xp.empty(shape, dtype=self._like.dtype, device=device(self._like))
