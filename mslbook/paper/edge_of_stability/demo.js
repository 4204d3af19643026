({ product, start }) => {
  const { points: [x], values, steps } = descend(parabola, [start], product, 20);
  const factor = Math.round(100 * (1 - product)) / 100;
  const percent = `${Math.round(100 * Math.abs(factor))}%`;
  const fate = product < 1 ? `each step leaves ${percent} of x: decay`
    : product === 1 ? "one step lands on the minimum"
    : product < 2 ? `each step flips x and leaves ${percent} of it: decay, from side to side`
    : product === 2 ? "each step flips x, and descent goes on for ever"
    : `each step flips x and makes it ${g(-factor)} times as large: an explosion`;
  return {
    "on the parabola": [x, values],
    iterates: [steps, x],
    caption: `At ηλ = ${g(product)} the factor is 1 − ηλ = ${written(factor)}: ${fate}.`,
  };
}
