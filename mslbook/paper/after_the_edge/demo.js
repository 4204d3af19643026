({ lr, opening, x1, x2 }) => {
  const h = (x) => 1 / (1 + opening * x);
  const slope = (u) => f1.grad(u)[0];
  const valley = {
    value: (x, y) => f1.value(h(x) * y),
    grad: (x, y) => [-opening * h(x) ** 2 * y * slope(h(x) * y), h(x) * slope(h(x) * y)],
  };
  const swing = (x) => { // the two-cycle of f1 at the rate that it sees, or none
    const rate = lr * h(x) ** 2;
    return rate > 2 ? root((u) => slope(u) / u - 2 / rate, 1e-9, 50) / h(x) : 0;
  };
  const { points: [x, y], steps } = descend(valley, [x1, x2], lr, 168);
  const cycles = swing(x1) > 0;
  const slow = [cycles ? x1 : NaN], swings = [cycles ? swing(x1) : NaN];
  for (let t = 1; t <= 168; t++) {
    slow.push(slow[t - 1] + 2 * swings[t - 1] ** 2 * opening * h(slow[t - 1]));
    swings.push(cycles ? swing(slow[t]) : NaN);
  }
  const edge = (Math.sqrt(lr / 2) - 1) / opening;
  const at = `after 168 steps descent is at x₁ = ${x[168].toFixed(2)}`;
  const fate = cycles ? `${at}, and the slow motion at ${slow[168].toFixed(2)}`
    : `a start beyond it has no two-cycle. The swing dies out; ${at}`;
  return {
    edge,
    rails: [[...slow, NaN, ...slow], [...swings, NaN, ...swings.map((size) => -size)]],
    descent: [x, y],
    slow: [steps, slow],
    walk: [steps, x],
    caption: `The edge is at x₁ = ${edge.toFixed(2)}: ${fate}.`,
  };
}
