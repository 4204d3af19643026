({ decay, x1, x2 }) => {
  const at = Math.round(decay);
  const inside = ([x]) => Math.abs(x) < 0.17;
  const walk = (start, lr) => {
    const { points: [x, y] } = descend(two_valleys, start, lr, 2200);
    return x.map((_, t) => [x[t], y[t]]);
  };
  const first = (points) => {
    const index = points.findIndex(inside);
    return index < 0 ? points.length : index;
  };
  const large = walk([x1, x2], 2.5);
  const small = walk(large[at], 0.25).slice(0, 2201 - at);
  const wait = first(small), there = first(large);
  const rest = walk(small[Math.min(wait, 2200 - at)], 0.05);
  const points = [...large.slice(0, at), ...small.slice(0, wait), ...rest].slice(0, 2201);
  const steps = points.map((_, t) => t);
  const fate = wait < small.length ? `arrives at step ${at + wait}`
    : "has not arrived at step 2200";
  const alone = there <= 2200 ? `brings it there at step ${there}` : "does not bring it there";
  return {
    path: [points.map(([x]) => x), points.map(([, y]) => y)],
    loss: [steps, points.map((point) => two_valleys.value(...point))],
    alone: [steps, large.map((point, t) => (t <= there ? two_valleys.value(...point) : NaN))],
    decay: at,
    there: there <= 2200 ? there : NaN,
    caption: `Decayed at step ${at}, descent ${fate}. ` +
      `The large learning rate alone ${alone}.`,
  };
}
