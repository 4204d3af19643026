"""The demo of chapter 6: two groups of data, their loss, and how it bends."""

import numpy as np
from scipy.stats import lognorm

from mslbook.losses import PopulationLoss, Scaled, Sum
from mslbook.paper.demo import Curve, Demo, Panel, Slider

X = np.logspace(-1.3, 3.3, 93)
W = np.geomspace(5e-4, 50, 64)


def frame(ratio, share, spread):
    """Draw the density of two log-normal groups, their loss and its average curvature."""
    groups = [(1 - share, lognorm(spread)), (share, lognorm(spread, scale=ratio))]
    loss = Sum([Scaled(part, PopulationLoss(data)) for part, data in groups])
    average = loss.grad(W) / W
    between = ratio**-0.5  # halfway between the two wells, on a log axis
    level = loss.grad(between) / between
    bottom, level, between = (
        f"{float(f'{number:.3g}'):,g}" for number in (loss.hvp(0.0, 1.0), level, between)
    )
    who = f"{share:.0%} of the data are {ratio:g} times as large as the others"
    if ratio == 1:
        who = "All the data belong to one group"
    return {
        "density": (X, sum(part * X * data.pdf(X) for part, data in groups)),
        "loss": (W, loss.value(W)),
        "average": (W, np.where(average > 1e-3, average, np.nan)),
        "caption": f"{who}. Average curvature: {bottom} at the bottom, {level} at w = {between}.",
    }


# The loss of log-normal data is a sum of normal distribution functions, from a series that has no
# cancellation near the middle and from a continued fraction in the tails.
SCRIPT = """({ ratio, share, spread }) => {
  const tail = (z) => { // P(Z > z)
    if (z < 0) return 1 - tail(-z);
    const bell = Math.exp(-z * z / 2) / Math.sqrt(2 * Math.PI);
    if (z > 3) {
      let fraction = z;
      for (let k = 60; k > 0; k--) fraction = z + k / fraction;
      return bell / fraction;
    }
    let term = z, sum = z;
    for (let k = 1; k < 60; k++) sum += term *= z * z / (2 * k + 1);
    return 0.5 - bell * sum;
  };
  const groups = [[1 - share, 1], [share, ratio]];
  const mean = (part) => groups.reduce((sum, [weight, scale]) => sum + weight * part(scale), 0);
  const z = (x, scale) => Math.log(x / scale) / spread;
  const square = (scale) => scale ** 2 * Math.exp(2 * spread ** 2);
  // Of the mean of min(1, x² w²): the part of the data below 1/w, over w², and the share above.
  const below = (w) => mean((m) => square(m) * tail(2 * spread - z(1 / w, m)));
  const above = (w) => mean((m) => tail(z(1 / w, m)));
  const bell = (x, m) => Math.exp(-(z(x, m) ** 2) / 2) / (spread * Math.sqrt(2 * Math.PI));
  const grid = (n, from, to) => Array.from({ length: n }, (_, i) =>
    10 ** (from + i * (to - from) / (n - 1)));
  const x = grid(93, -1.3, 3.3), w = grid(64, Math.log10(5e-4), Math.log10(50));
  const short = (number) => Number(number.toPrecision(3)).toLocaleString("en",
    { maximumFractionDigits: 9 });
  const between = ratio ** -0.5;
  const who = ratio === 1 ? "All the data belong to one group"
    : `${Math.round(100 * share)}% of the data are ${g(ratio)} times as large as the others`;
  return {
    density: [x, x.map((x) => mean((m) => bell(x, m)))],
    loss: [w, w.map((w) => w * w * below(w) + above(w))],
    average: [w, w.map((w) => (2 * below(w) > 1e-3 ? 2 * below(w) : NaN))],
    caption: `${who}. Average curvature: ${short(2 * mean(square))} at the bottom, ` +
      `${short(2 * below(between))} at w = ${short(between)}.`,
  };
}"""


def two_groups():
    """Make the demo: two bumps of data, and the two steps of their loss."""
    density = [Curve("density", colour="green")]
    average = [Curve("average", label="average curvature", colour="vermillion")]
    log = {"xscale": "log"}
    x, w = (0.05, 2000), (5e-4, 50)
    return Demo(
        frame,
        sliders=[
            Slider("ratio", "large / small", range(1, 101), value=100),
            Slider("share", "share of the large", np.arange(5, 96) / 100, value=0.5),
            Slider("spread", "spread of each group", np.arange(30, 101) / 100, value=0.3),
        ],
        panels=[
            Panel("The data", "x", "share of data per e-fold of x", density, x, (0, 1.4), **log),
            Panel("Their loss", "w", "L(w)", [Curve("loss")], w, (0, 1.05), **log),
            Panel("How it bends", "w", "L′(w)/w", average, w, (1e-3, 1e6), "log", "log"),
        ],
        alt="Two bumps of data; a loss with two steps; a curvature with two plateaus.",
        play="spread",
        script=SCRIPT,
    )
