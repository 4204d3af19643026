"""One variable: the stable learning rate, and the two-cycle above it (section 4.1)."""

import numpy as np

from mslbook.checks import a_loss, numpy_rates
from mslbook.loss import Loss

ROUNDING = 1e-12  # how far from 0 the minimum may lie
PLACE = "journal section 4.1, preprint section 4.1"


def stable_lr(f: Loss) -> float:
    """The largest stable learning rate at the minimum of a function of one variable, 2 / f''(0).

    Below it gradient descent settles at 0; above it the minimum repels (journal section 4.1,
    preprint section 4.1). Raises ValueError for a loss of more variables, and unless f'(0) is 0 and
    f''(0) positive.

    >>> from mslbook.losses import f1, f2
    >>> stable_lr(f1), round(stable_lr(f2), 6)
    (2.0, 0.333333)
    """
    if a_loss(f).dimension is not None:
        raise ValueError(
            f"a function of one variable is needed here, not a loss of {f.dimension}: for those, "
            "compare 2 / lr with mslbook.probes.sharpness"
        )
    slope, curvature = float(f.grad(0.0)), float(f.hvp(0.0, 1.0))
    if not abs(slope) <= ROUNDING * abs(curvature):
        raise ValueError(
            f"the minimum must lie at 0 ({PLACE}), but f'(0) is {slope:g}: shift the function"
        )
    if not curvature > 0:
        raise ValueError(
            f"the function must curve upwards at 0 ({PLACE}), but f''(0) is {curvature:g}"
        )
    return 2 / curvature


def two_cycle(f: Loss, lr):
    """The x > 0 between which and -x gradient descent jumps for ever: lr f'(x) = 2x.

    By journal Lemma 4.1 (preprint Lemma 1) it exists above the stable learning rate, if f is even
    and f''(x) falls to 0 as ``|x|`` grows; it increases with ``lr``. ``lr`` is a number or an
    array; the answer has its shape. Its relative error is about 1e-15 / (1 - stable_lr(f) / lr):
    the cycle opens at the stable rate, and just above it its size hangs on the last digits of f'.

    Raises ValueError if ``lr`` is not above the stable learning rate, if f'(x) / x does not fall
    to 2 / lr, so that there is no such x (a quadratic, for one), and if f is not even there.

    >>> from mslbook.losses import f1
    >>> two_cycle(f1, lr=[3.0, 5.0]).round(4)
    array([1.144, 4.047])
    """
    from scipy.optimize import elementwise  # slow to import, and nothing else here needs it

    lr = numpy_rates(lr)
    stable = stable_lr(f)
    if not np.all(np.isfinite(lr) & (lr > stable)):
        wrong = lr[~(np.isfinite(lr) & (lr > stable))].flat[0]
        raise ValueError(
            f"there is a two-cycle only above the stable learning rate {stable:g} (journal Lemma "
            "4.1, preprint Lemma 1): at or below it gradient descent settles at the minimum; got "
            f"lr = {wrong:g}"
        )

    def excess(log_x, lr):  # f'(x) / x falls from f''(0) to 0: find where it passes 2 / lr
        x = np.exp(log_x)
        with np.errstate(over="ignore"):  # far out, on a function that grows too fast
            return f.grad(x) / x * lr - 2

    # In log x, so that every size of cycle is found to the same relative precision.
    bracket = elementwise.bracket_root(excess, -1.0, 1.0, xmin=-700.0, xmax=700.0, args=(lr,))
    if not np.all(bracket.success):
        wrong = lr[~np.asarray(bracket.success)].flat[0]
        raise ValueError(
            f"there is no two-cycle at lr = {wrong:g}: f'(x) / x does not fall to 2 / lr, as it "
            "must by journal Lemma 4.1 (preprint Lemma 1), so gradient descent flies off, as on a "
            "quadratic"
        )
    x = np.exp(elementwise.find_root(excess, bracket.bracket, args=(lr,)).x)[()]
    if not np.allclose(f.grad(-x), -f.grad(x), rtol=1e-9, atol=0):
        raise ValueError(
            f"the function must be even ({PLACE}), f(-x) = f(x): from x descent jumps to -x, but "
            "not back again"
        )
    return x
