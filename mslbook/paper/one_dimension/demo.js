({ lr, start }) => {
  const slope = (x) => f1.grad(x)[0];
  const average = (x) => (x === 0 ? 1 : slope(x) / x);
  const level = 2 / lr;
  const size = lr > 2 ? root((x) => average(x) - level, 1e-9, 50) : NaN;
  const { points: [path] } = descend(f1, [start], lr, 20);
  const to = path.flatMap((x, t) => (t ? [x, x] : [x]));
  const from = path.flatMap((x, t) => (t < 20 ? [x, x] : [x]));
  const grid = Array.from({ length: 161 }, (_, i) => -8 + i / 10);
  const fate = start === 0 ? "but a start at exactly 0 stays there"
    : lr > 2 ? `crossing the curve at ±${size.toFixed(2)}: between these two points ` +
      "descent ends up jumping"
    : lr === 2 ? "touching the curve at its top: descent settles, slowly"
    : "above the whole curve: descent settles at the minimum";
  return {
    level,
    swing: [[-size, size], [level, level]],
    crossing: [[-size, size], [level, level]],
    descent: [to, to.map(average)],
    map: [grid, grid.map((x) => x - lr * slope(x))],
    cycle: [[-size, size], [size, -size]],
    cobweb: [from, to],
    caption: `At η = ${g(lr)} the level 2/η is ${Number(level.toPrecision(4))}, ${fate}.`,
  };
}
