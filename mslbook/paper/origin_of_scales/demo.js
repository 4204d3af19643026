({ ratio, share, spread }) => {
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
}
