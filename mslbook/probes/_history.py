"""What the answers of `sharpness` along a path say about the next one."""

from dataclasses import dataclass
from math import inf
from typing import Any

import numpy as np

# The next vector from the last four, the newest first: where it was, one step on, and, since at the
# edge of stability it swings with period two, where it was two steps ago, and two steps on.
PREDICTIONS = np.array([(1, 0, 0, 0), (2, -1, 0, 0), (1, 1, -1, 0), (0, 1, 0, 0), (0, 2, 0, -1)])

ANOTHER = 0.7  # cosine to both of the last two vectors, below which a vector is another one
MOST_AGE = 8  # answers for which a bound of the guard is taken to hold


@dataclass(frozen=True)
class History:
    """Unit vectors of the kind of theta, and numbers; the newest of everything first."""

    tops: tuple  #: images of the top Ritz vectors, nearer to eigenvectors; at most 5 of shape (n,)
    cosines: list  #: between them, as a list of rows
    others: Any  #: the next k - 1 Ritz vectors, shape (k - 1, n)
    guards: tuple  #: the last two images of that of eigenvalue k + 1, shape (n,); none if k = n
    bounds: list  #: upper bounds of their eigenvalues
    ages: list  #: how many answers ago they were found
    values: list  #: the last three k-th eigenvalues

    def fits(self, k, theta):
        """Whether the next answer may be that of k eigenvalues at theta."""
        top, shape = self.tops[0], (len(self.others) + 1, self.tops[0].shape)
        like = top.dtype, top.device
        return shape == (k, theta.reshape((-1,)).shape) and like == (theta.dtype, theta.device)

    def starts(self):
        """Rows to start from, the first by the prediction best last time, and rows for a guard."""
        best = PREDICTIONS[0]
        if len(self.tops) > len(best):
            cosines = np.array(self.cosines)
            squares = np.einsum("pi,ij,pj->p", PREDICTIONS, cosines[1:, 1:], PREDICTIONS)
            best = PREDICTIONS[np.argmax(PREDICTIONS @ cosines[1:, 0] / np.sqrt(squares))]
        top = sum(int(c) * vector for c, vector in zip(best, self.tops, strict=False) if c)
        more = self.guards[:1] if best[0] else [*self.guards[:1], self.tops[0]]
        return [top, *self.others], more

    def bound(self, value):
        """Of the guard by now, if it and the k-th value change no faster than they did of late."""
        if len(self.bounds) < 2 or self.ages[0] > MOST_AGE:
            return inf
        values = np.array([value, *self.values])
        change = np.abs(values[:-1] - values[1:]).max()  # from one answer to the next
        drift = np.abs(values[:-2] - values[2:]).max(initial=0.0)  # without swings of period two
        drift = max(drift, abs(self.bounds[0] - self.bounds[1]) / (self.ages[1] - self.ages[0]))
        return max(self.bounds) + 2 * change + self.ages[0] * drift


def remember(before, images, others, value, bound):
    """The history with an answer more; the second of two images is the guard's, bounded anew."""
    images = [image / float(image @ image) ** 0.5 for image in images]
    top, tops, cosines, guards, bounds, ages, values = images[0], (), [[1.0]], (), [], [], []
    if before:
        tops, values = before.tops[:4], before.values[:2]
        guards, bounds, ages = before.guards, before.bounds, [age + 1 for age in before.ages]
        row = [float(top @ other) for other in tops]
        if row[0] < 0:  # an eigenvector has no sign
            top, row = -top, [-c for c in row]
        if max(map(abs, row[:2])) < ANOTHER:  # another eigenvector has overtaken
            tops, row = (), []
        kept = [[c, *old[:4]] for c, old in zip(row, before.cosines, strict=False)]
        cosines = [[1.0, *row], *kept]
    if len(images) > 1:
        guards, bounds, ages = (images[1], *guards[:1]), [float(bound), *bounds[:1]], [1, *ages[:1]]
    return History((top, *tops), cosines, others, guards, bounds, ages, [value, *values])
