"""The points of a training at many steps, in a file that may be larger than memory."""

import os
from bisect import bisect_left
from io import BytesIO
from pathlib import Path

import numpy as np

from mslbook._checks import check_int
from mslbook.paper.recording import written


class Trajectory:
    """Points at chosen steps, one float32 row for each, in an .npy file that grows with the run.

    Parameters
    ----------
    path : where the file goes, such as "segment.npy"
    steps : the steps whose points are kept, such as ``range(1000, 2001, 10)``

    Pass it to :func:`mslbook.paper.training.train`, which fills it. Read it, also while the
    run is under way, by ``np.load(path, mmap_mode="r", allow_pickle=False)``: an array of shape
    (rows so far, n) that stays on the disk. A run that was killed leaves whole rows, and gone on
    with ends with the same bytes.

    Raises ``ValueError`` for steps that are not whole numbers of at least 0.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     kept = Trajectory(Path(folder) / "segment.npy", steps=[0, 10, 20])
    ...     for step in kept.steps[:2]:
    ...         kept.write(step, np.full(3, step))
    ...     np.load(kept.path)
    array([[ 0.,  0.,  0.],
           [10., 10., 10.]], dtype=float32)
    """

    def __init__(self, path, steps):
        self.path = Path(path)
        self.steps = sorted({check_int("a step of a trajectory", step) for step in steps})

    def check(self, step, dimension):
        """``ValueError`` unless the file has every row from before `step`, of this dimension."""
        needed = bisect_left(self.steps, step)
        try:
            rows, columns = np.load(self.path, mmap_mode="r", allow_pickle=False).shape
        except (OSError, EOFError, ValueError):
            rows, columns = 0, dimension
        if needed and (rows < needed or columns != dimension):
            raise ValueError(
                f"{self.path} lacks points from before step {step}, where its run goes on: "
                "delete the run's checkpoint as well, to start afresh, or let a branch keep the "
                "steps behind its fork alone"
            )

    def write(self, step, theta):
        """Make `theta` (n,) the row of `step`, behind those of earlier steps, and the last one.

        Ordinary writes, not a memory map: a full disk ends these with an ``OSError``, and a map
        with a signal that nobody can catch.
        """
        row = self.steps.index(step)
        data = np.asarray(theta, dtype="<f4")
        with written(self.path):
            self.path.touch()
            with self.path.open("r+b") as file:
                # Killed at any moment, the header never promises more rows than there are.
                file.truncate(_write_header(file, row, data.size) + row * data.nbytes)
                file.seek(0, os.SEEK_END)
                file.write(data.tobytes())
                file.flush()
                _write_header(file, row + 1, data.size)
                os.fsync(file.fileno())


def _write_header(file, rows, columns):
    """Rewrite the header in place; returns its length, the same for any number of rows."""
    header = BytesIO()
    about = {"descr": "<f4", "fortran_order": False, "shape": (rows, columns)}
    np.lib.format.write_array_header_1_0(header, about)  # pads, so that the rows may become more
    file.seek(0)
    file.write(header.getvalue())
    file.flush()
    return len(header.getvalue())
