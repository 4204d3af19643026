({ lr, angle, x1, x2 }) => {
  const cos = Math.cos(angle * Math.PI / 180), sin = Math.sin(angle * Math.PI / 180);
  const parts = (x, y) => [x * cos + y * sin, y * cos - x * sin];
  const point = (u, v) => [u * cos - v * sin, u * sin + v * cos];
  const segments = (ends) => [0, 1].map((i) => ends.flatMap(([a, b]) => [a[i], b[i], NaN]));
  const slope = (u) => f1.grad(u)[0];
  const rates = [lr, lr / 2]; // descent on f1 / 2 is descent on f1 at half the rate
  const walk = (x, y) => parts(x, y).map((u, i) => descend(f1, [u], rates[i], 20).points[0]);
  const sizes = rates.map((rate) =>
    rate > 2 ? root((u) => slope(u) / u - 2 / rate, 1e-9, 50) : 0);
  const levels = rates.map((rate) => {
    if (rate <= 2) return Array(7).fill(NaN);
    const c = [];
    for (let j = 0; j < 3; j++) {
      c.push(root((u) => u - rate * slope(u) - (c.at(-1) ?? 0), rate - 1, 1e3));
    }
    return [...c.map((u) => -u), 0, ...c];
  });
  const signs = [[1, 1], [1, -1], [-1, 1], [-1, -1]];
  const corners = signs.map(([a, b]) => point(a * sizes[0], b * sizes[1]));
  const starts = Array.from({ length: 80 }, (_, k) => [6 * (k % 10) - 27, 5 * (k / 10 | 0) - 17.5]);
  const ends = starts.map((start) =>
    walk(...start).map((path, i) => (path[20] > 0 || sizes[i] === 0 ? 1 : -1)));
  const [us, vs] = walk(x1, x2), path = us.map((u, t) => point(u, vs[t]));
  const descent = [0, 1].map((i) => path.map((at) => at[i]));
  const marks = {
    borders: segments([...levels[0].map((u) => [point(u, -60), point(u, 60)]),
      ...levels[1].map((v) => [point(-60, v), point(60, v)])]),
    cycles: segments(corners.slice(0, 2).map(([x, y]) => [[x, y], [-x, -y]])),
    basis: segments([[point(-20, 0), point(20, 0)], [point(0, -20), point(0, 20)]]),
    descent, "its end": descent,
  };
  for (const k of signs.keys()) {
    const here = ends.map((end) => end.join() === signs[k].join());
    marks[`from${k}`] = [starts.map(([x]) => x), starts.map(([, y], j) => (here[j] ? y : NaN))];
    marks[`to${k}`] = [[corners[k][0]], [here.includes(true) ? corners[k][1] : NaN]];
  }
  const fate = ["both directions settle: no cycle",
    "the steep direction jumps: one two-cycle. The flat one settles, and counts as +",
    "both directions jump: four sign patterns, two two-cycles"];
  return { ...marks, caption: `At η = ${g(lr)} ${fate[sizes.filter((size) => size > 0).length]}.` };
}
