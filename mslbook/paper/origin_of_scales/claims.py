"""Section 6, the origin of the scales: measured here and now, pictures on what was recorded.

The average curvature of a loss L at w is L'(w)/w, the quantity of which section 4.1 speaks.
"""

from functools import partial
from itertools import pairwise

import numpy as np

from mslbook.data import standardise
from mslbook.losses import F2, EmpiricalLoss, PopulationLoss, Ridge, Sum, f2, three_neurons
from mslbook.paper.experiments import recorded
from mslbook.paper.ledger import HOLDS, RESERVED, at_most, claim, listed, seen, verdict

ROUNDING = 1e-12  # of numbers of size 1, after a thousand operations
DATA = (0.1, 1.0, 10.0)  # three magnitudes of ours; the paper does not name its own
W = np.geomspace(1e-3, 1e3, 6001)
IMAGES = ("cifar10", "cifar100-50x100")
TAILS = (1.0, 2.0)  # spreads of log-normal lengths
EDGE = 1  # of the phases start, edge and end
LOSS = 0.22  # a training loss that every training of sec6_deciles passes
K, BIAS = 7.3, 0.5  # of x2 = k x1; the size of biases


def average_curvature(loss):
    """L'(w)/w on a grid."""
    return loss.grad(W) / W


def count_levels(curvature, digits=9):
    """How many different values a curvature takes, 0 aside."""
    rounded = curvature.round(digits)
    return len(np.unique(rounded[rounded > 0]))


def sum_of(losses_of_z, w):
    """The mean over the data of a loss of x_i w."""
    return np.mean(losses_of_z(np.multiply.outer(w, DATA)), axis=-1)


def curvature_of_sum(losses_of_z, w):
    """Its second derivative, by differences of a spacing w/100."""
    losses = [sum_of(losses_of_z, w * t) for t in (0.99, 1.0, 1.01)]
    return np.diff(losses, 2, axis=0)[0] / (w / 100) ** 2


@claim("6-empirical", HOLDS, "1e-12, rounding")
def empirical():
    """The loss on n data is piecewise quadratic, then constant."""
    x = np.sort(np.random.default_rng(1).lognormal(sigma=1.5, size=200))
    loss, worst = EmpiricalLoss(x), 0.0
    for k in range(len(x) + 1):  # k data are inside, between the kinks 1/x_{k+1} and 1/x_k
        low = 1 / x[k] if k < len(x) else 0.0
        w = np.linspace(low, 1 / x[k - 1] if k else 2 * low, 20)
        paper = np.sum(x[:k] ** 2) / len(x) * w * w + (len(x) - k) / len(x)
        network = np.mean(three_neurons(x, w[:, None]) ** 2, axis=1)
        worst = max(worst, abs(loss.value(w) - paper).max(), abs(network - paper).max())
    number = f"200 data, on every piece apart by {at_most(worst, ROUNDING)}"
    return number, verdict(worst < ROUNDING)


@claim("6-sharper", HOLDS, "1e-6, that of second differences, away from the corners at 1/x")
def sharper():
    """The loss on n data gets sharper towards w = 0."""
    away = W[np.min(abs(np.log(np.multiply.outer(DATA, W))), axis=0) > 0.02]  # from the corners
    second = curvature_of_sum(lambda z: three_neurons(z, 1.0) ** 2, away)
    falls = np.all(np.diff(second) < 1e-6 * second.max())
    number = f"L'' takes {count_levels(second, 6)} values above 0 on data 0.1, 1, 10, and "
    return number + ("never rises with |w|" if falls else "rises somewhere"), verdict(falls)


@claim("6-uniform", HOLDS, "1e-12, that of our quadrature", place="eq. 6.2", number="C²/3, 2/(3C)")
def uniform():
    """For data uniform on [0, C] it is C² w²/3 up to 1/C, then 1 - 2/(3C|w|)."""
    from scipy.stats import uniform

    sizes = (0.5, 3.0, 20.0)
    off = [PopulationLoss(uniform(0, C)).value(W) - F2(C).value(W) for C in sizes]
    worst = np.max(np.abs(off))
    number = f"C = 0.5, 3, 20: off the quadrature by {at_most(worst, ROUNDING)}"
    return number, verdict(worst < ROUNDING)


@claim("6-continuous", RESERVED, "the average curvature falls with no plateau; with a reservation "
       "if L'' itself jumps and rises", place="fig. 6.1 left")  # fmt: skip
def continuous():
    """Uniform data give a continuum of scales, and so subquadratic growth."""
    w = W[W > 1 / f2.C]
    gap = np.diff(np.log(f2.grad(w) / w)).max()  # below 0: no plateau, so no scale of its own
    growth = w * f2.grad(w) / f2.value(w)  # the a of |w|^a, 2 on a parabola
    number = f"beyond 1/C slower than w², at w = 1 like the power {np.interp(1.0, w, growth):.2f}"
    rises = np.diff(f2.hvp(w, 1.0)).max() > 0
    subquadratic = gap < 0 and growth.max() < 2
    return number, verdict(subquadratic and not rises, subquadratic)


def large_samples(n):
    """Ten samples of n uniform data, each in order."""
    return np.sort(1 - np.random.default_rng(2).random((10, n)))


@claim("6-large", HOLDS, "the largest step of the average curvature falls like n to {power_of_n} "
       "or less")  # fmt: skip
def large_data(power_of_n=-0.5):
    """On very many data the loss has nearly continuous scales too."""
    sizes, steps = [100, 1000, 10_000, 100_000], []
    for n in sizes:  # the mean of the largest relative step, but for the smallest tenth of the data
        squares = large_samples(n) ** 2
        share = squares / np.cumsum(squares, axis=1)
        steps.append(share[:, n // 10 :].max(axis=1).mean())
    slope = np.polyfit(np.log(sizes), np.log(steps), 1)[0]
    number = f"it is {listed(steps, '{:.0e}')} of it for n = 10² to 10⁵: like n to the {slope:.2f}"
    return number, verdict(slope <= power_of_n)


@claim("6-valleys", HOLDS, "rounding; 1e-3 of the width", place="fig. 6.1 right", number="10")
def two_valleys():
    """If x2 = 10 x1, the loss is a sum of two valleys, the one along w1 on the smaller scale."""
    loss = Sum((Ridge(F2(3.0), (1, 0)), Ridge(F2(30.0), (0, 1))))  # x2 = 10 x1, uniform
    sharp = np.diag(loss.hvp(np.zeros((2, 2)), np.eye(2)))
    wide = [np.interp(0.5, loss.value(W[:, None] * p), W) for p in np.eye(2)]  # at half height
    separate = loss.value([0.3, 0.02]) - loss.value([0.3, 0.0]) - loss.value([0.0, 0.02])
    sharper, narrower = sharp[1] / sharp[0], wide[0] / wide[1]
    number = f"across the valley along w1: {narrower:.3g} × narrower, {sharper:.3g} × sharper"
    scaled = abs(narrower / 10 - 1) < 1e-3 and abs(sharper / 100 - 1) < ROUNDING
    return number, verdict(scaled and abs(separate) < ROUNDING)


@claim("6-cause", HOLDS, "one scale without either", place="abstract and 6")
def cause():
    """A non-convex model and data of different magnitude together are one cause of the scales."""
    both = count_levels(average_curvature(EmpiricalLoss(DATA)))
    one_magnitude = count_levels(average_curvature(EmpiricalLoss([1.0, 1.0, 1.0])))
    linear_model = count_levels(curvature_of_sum(np.square, W), 6)
    number = f"{both} scales with both, {one_magnitude} on data of one magnitude"
    number += f", {linear_model} with a linear model and squared error"
    return number, verdict(both > 1 and one_magnitude == linear_model == 1)


def huber(z):
    """Convex, z²/2 up to an absolute value of 1 and linear beyond."""
    return np.where(abs(z) <= 1, z * z / 2, abs(z) - 0.5)


@claim("6-convex", RESERVED, "no second minimum, so not very rich, but several curvatures")
def convex_sum():
    """If the loss of each datum is convex, the sum has no very rich structure."""
    curvatures = curvature_of_sum(huber, np.array([0.05, 0.5, 5.0]))
    number = "convex, by Huber's loss on 0.1, 1, 10: curvature "
    number += f"{listed(curvatures, '{:.2g}')} at w = 0.05, 0.5, 5"
    return number, verdict(count_levels(curvatures, 6) == 1, np.all(curvatures > -1e-6))


def ratio(lengths):
    """The longest by the shortest."""
    return lengths.max() / lengths.min()


@claim("6-norms", RESERVED, "{times_as_long:.0f}-fold at least, after standardising; with a "
       "reservation if random data do, and the images of CIFAR-10 and CIFAR-100 do not",
       number="several orders")  # fmt: skip
def norms(times_as_long=100):
    """Even after standardising, some data may be longer than others by orders of magnitude."""
    runs = [recorded("sec6_norms", name, "reduced") for name in IMAGES]
    images = max(ratio(run[key]) for run in runs for key in ("channels", "pixels"))
    heavy = [ratio(heavy_tailed(spread)) for spread in TAILS]
    number = f"longest / shortest: {images:.1f} of images, of random data of log-normal length "
    number += listed(heavy, "{:.1e}")
    return number, verdict(images >= times_as_long, max(heavy) >= times_as_long)


def heavy_tailed(spread):
    """Lengths of 10,000 random rows, log-normal before they are standardised."""
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(10_000, 50)) * rng.lognormal(sigma=spread, size=(10_000, 1))
    return np.linalg.norm(standardise(rows), axis=1)


def tenths(run, name, arm, order):
    """What was recorded of the ten tenths at the edge of stability, (seeds, 10)."""
    about = run.provenance
    return run[name][about["arms"].index(arm), :, EDGE, about["orders"].index(order)]


def power(x, y):
    """The p of the fit y ~ c x^p, over all finite numbers of two arrays."""
    finite = np.isfinite(y)
    return np.polyfit(np.log(x[finite]), np.log(y[finite]), 1)[0]


def exponents_at(run, level):
    """Exponents along the top eigenvector, by arm and seed, when the loss was nearest `level`."""
    losses = np.take_along_axis(run["losses"], run["probe_steps"].astype(int), axis=-1)
    nearest = np.argmin(abs(losses - level), axis=-1)[..., None]
    both_sides = run["growth"][..., 1, 3:].mean(axis=-1)
    return np.take_along_axis(both_sides, nearest, axis=-1)[..., 0]


@claim("6-data", RESERVED, "with the real lengths of images the growth exponent is {exponent_gain} "
       "farther from 2 than with equal ones; with a reservation if only lengths spread over two "
       "orders make the longest tenth {times_sharper} times as sharp as the shortest or more; "
       "three seeds of a tanh network")  # fmt: skip
def growth_by_arm(exponent_gain=0.1, times_sharper=10):
    """The training data may be what makes the loss of real networks multiscale."""
    run = recorded("sec6_deciles", "cifar10", "reduced")
    real, equal, *_ = exponents_at(run, LOSS)
    sharp = tenths(run, "sharpness", "hundredfold", "length")
    ratios = sharp[:, -1] / sharp[:, 0]
    number = f"exponents: real {listed(real, '{:.2f}')}, equal {listed(equal, '{:.2f}')}; spread "
    number += f"over two orders, {listed(ratios, '{:.0f}')} times as sharp"
    return number, seen(np.mean(equal - real) > exponent_gain, ratios.min() >= times_sharper)


# A deep network in NumPy, so that the ledger needs no torch; the chapter has the same in torch.
relu = partial(np.maximum, 0.0)


def error(x, y, weights, biases):
    """Half the squared error of the network."""
    for weight, bias in zip(weights[:-1], biases[:-1], strict=True):
        x = relu(weight @ x + bias)
    return np.sum((weights[-1] @ x + biases[-1] - y) ** 2) / 2


def worst_difference(scaled, bias):
    """The greatest ``|l2 / l1 - 1|`` of 80 random networks; l2 is at k x and `scaled` weights."""
    rng, ratios = np.random.default_rng(3), []
    for layers in 20 * (2, 3, 4, 5):
        widths = [12, *[30] * (layers - 1), 4]
        weights = [rng.normal(size=(m, n)) / np.sqrt(n) for n, m in pairwise(widths)]
        biases = [bias * rng.normal(size=m) for m in widths[1:]]
        x, y = rng.normal(size=12), rng.normal(size=4)
        ratios.append(error(K * x, y, scaled(weights), biases) / error(x, y, weights, biases))
    return np.max(np.abs(np.array(ratios) - 1))


def all_layers(weights):
    """Scale every layer by k to the power -1/L."""
    return [K ** (-1 / len(weights)) * W for W in weights]


def first_layer(weights):
    """Scale the first layer alone, by 1/k."""
    return [weights[0] / K, *weights[1:]]


@claim("6-homogeneous", HOLDS, "1e-12, rounding; of the first, biases make more than "
       "{effect_of_biases:.0%}")  # fmt: skip
def identities(effect_of_biases=0.01):
    """If x2 = k x1, l2 is l1 on another scale: of all W without biases, of W1 alone with them."""
    whole, biased = (worst_difference(all_layers, bias) for bias in (0.0, BIAS))
    first = worst_difference(first_layer, BIAS)
    number = f"L = 2 to 5, k = {K}: l2/l1 off 1 by {at_most(whole, ROUNDING)} and "
    number += f"{at_most(first, ROUNDING)}; the first with biases by up to {biased:.1f}"
    return number, verdict(max(whole, first) < ROUNDING and biased > effect_of_biases)
