"""Functions of one variable: the stable learning rate, and the two-cycle above it."""

import numpy as np

from mslbook._arrays import as_lrs
from mslbook._checks import check_loss
from mslbook.loss import Loss

MINIMUM_TOL = 1e-12  # largest |f'(0) / f''(0)|, the distance of the minimum from 0
EVEN_RTOL = 1e-9  # of f'(-x) and -f'(x)


def stable_lr(f: Loss) -> float:
    """The largest stable learning rate of a function of one variable, minimal at 0: 2 / f''(0).

    Examples
    --------
    >>> from mslbook import f1, stable_lr
    >>> stable_lr(f1)
    2.0
    """
    if check_loss(f).dimension is not None:
        raise ValueError("a function of one variable is needed here: for others see sharpness")
    slope, curvature = float(f.grad(0.0)), float(f.hvp(0.0, 1.0))
    if not abs(slope) <= MINIMUM_TOL * abs(curvature):
        raise ValueError(f"the minimum must lie at 0, but f'(0) is {slope:g}: shift the function")
    if not curvature > 0:
        raise ValueError(f"the function must curve upwards at 0, but f''(0) is {curvature:g}")
    return 2 / curvature


def two_cycle(f: Loss, lr):
    """The x > 0 such that gradient descent alternates between x and -x: lr f'(x) = 2x.

    Unique, and increasing with lr (Ma et al. (2022), lemma 4.1); the relative error is about
    1e-15 / (1 - stable_lr(f) / lr).

    Parameters
    ----------
    f : Loss
        An even function of one variable whose f'(x) / x decreases to 0.
    lr : float or array_like
        Learning rates above the stable one.

    Examples
    --------
    >>> from mslbook import f1, two_cycle
    >>> two_cycle(f1, lr=[3.0, 5.0]).round(4)
    array([1.144, 4.047])
    """
    from scipy.optimize import elementwise  # slow to import, and nothing else here needs it

    lr = as_lrs(lr)
    stable = stable_lr(f)
    wrong = lr[~(lr > stable)]
    if len(wrong):
        why = "at or below it gradient descent converges to the minimum"
        told = f"there is a two-cycle only above the stable learning rate {stable:g}; {why}"
        raise ValueError(f"{told}: got lr = {wrong[0]:g}")

    def excess(log_x, lr):  # f'(x) / x decreases from f''(0) to 0: find where it passes 2 / lr
        x = np.exp(log_x)
        with np.errstate(over="ignore"):  # far out, on a function that grows too fast
            return f.grad(x) / x * lr - 2

    # In log x, so that every size of cycle is found to the same relative precision.
    bracket = elementwise.bracket_root(excess, -1.0, 1.0, xmin=-700.0, xmax=700.0, args=(lr,))
    wrong = lr[~np.asarray(bracket.success)]
    if len(wrong):
        raise ValueError(
            f"there is no two-cycle at lr = {wrong[0]:g}: f'(x) / x does not decrease to 2 / lr, "
            "and gradient descent diverges, as on a quadratic"
        )
    x = np.exp(elementwise.find_root(excess, bracket.bracket, args=(lr,)).x)[()]
    if not np.allclose(f.grad(-x), -f.grad(x), rtol=EVEN_RTOL, atol=0):
        raise ValueError("the function must be even: descent steps from x to -x, but not back")
    return x
