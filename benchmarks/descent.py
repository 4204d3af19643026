"""`descend` side by side with the same loop written by hand in NumPy.

    python benchmarks/descent.py

The hand-written side has the formulas typed out for one loss, computes the loss and its gradient at
every step, keeps two rows, and checks nothing; `descend` takes any loss, keeps the same rows and
computes losses only there, watches for divergence, and its f1 keeps all digits near 0. Best of
five, in turns. How near both are to what the hardware can do: sweeps.py.
"""

import os
from time import perf_counter

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before NumPy is imported

import numpy as np

from mslbook.descent import descend
from mslbook.losses import f1, two_valleys


def f1_by_hand(x, lr, steps):
    for _ in range(steps):
        a = np.abs(x)
        log = np.log1p(a)
        value, grad = (1 + a) * log - a, np.sign(x) * log
        x = x - lr * grad
    return x, value


def valley_by_hand(x, y):
    h = 1 + 0.001 * x * x
    a = np.abs(h * y)
    log = np.log1p(a)
    slope = np.sign(y) * log
    return (1 + a) * log - a, slope * y * 0.002 * x, slope * h


def two_valleys_by_hand(point, lr, steps):
    x, y = point[..., 0], point[..., 1]
    for _ in range(steps):
        wide, wide_x, wide_y = valley_by_hand(x, y)
        narrow, narrow_x, narrow_y = valley_by_hand(y, 10 * x)
        cut = 1 / (1 + narrow)
        value, weight = wide + 0.25 * narrow * cut, 0.25 * cut * cut
        grad_x, grad_y = wide_x + weight * 10 * narrow_y, wide_y + weight * narrow_x
        x, y = x - lr * grad_x, y - lr * grad_y
    return np.stack((x, y), axis=-1), value


def compare(name, loss, by_hand, start, lr, steps):
    ours = descend(loss, start, np.asarray(lr), steps, every=steps)
    rate = np.asarray(lr) if loss.dimension is None else np.asarray(lr)[..., 0]
    np.testing.assert_allclose(ours.points[-1], by_hand(start, rate, steps)[0], rtol=1e-6)
    seconds = {"ours": [], "hand": []}
    for _ in range(5):
        clock = perf_counter()
        descend(loss, start, lr, steps, every=steps)
        seconds["ours"].append(perf_counter() - clock)
        clock = perf_counter()
        by_hand(start, rate, steps)
        seconds["hand"].append(perf_counter() - clock)
    best = {side: min(times) for side, times in seconds.items()}
    print(
        f"{name:42}{1e3 * best['ours'] / steps:12.3f}{1e3 * best['hand'] / steps:12.3f}"
        f"{best['ours'] / best['hand']:8.1f}"
    )


def main():
    rng = np.random.default_rng(0)
    million = 1_000_000
    starts, points = rng.normal(scale=5, size=million), rng.normal(scale=5, size=(million, 2))
    rates = np.geomspace(0.1, 5, million)
    print(f"{'milliseconds per step':42}{'descend':>12}{'by hand':>12}{'ratio':>8}")
    compare("f1, a million starts", f1, f1_by_hand, starts, 2.5, 5)
    compare("f1, a million learning rates", f1, f1_by_hand, starts[:1], rates, 5)
    compare("two_valleys, a million starts", two_valleys, two_valleys_by_hand, points, [2.5], 3)
    column = rates[:, None]
    compare("two_valleys, a million rates", two_valleys, two_valleys_by_hand, points[0], column, 3)
    compare("f1, a thousand starts", f1, f1_by_hand, starts[:1000], 2.5, 500)
    compare("f1, one start", f1, f1_by_hand, starts[0], 2.5, 1000)
    compare("two_valleys, one start", two_valleys, two_valleys_by_hand, points[0], [2.5], 100)


if __name__ == "__main__":
    main()
