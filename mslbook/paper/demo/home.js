({ lr, start }) => {
  const marks = {};
  for (const [name, loss] of [["parabola", parabola], ["flatter loss", f1]]) {
    const { points: [x], values, steps } = descend(loss, [start], lr, 40);
    marks[`on the ${name}`] = [x, values];
    marks[`of the ${name}`] = [steps, values];
  }
  const fate = lr < 2 ? "below 2: on both losses descent settles at the minimum"
    : lr === 2 ? "exactly 2: descent bounces on the parabola, and settles slowly on " +
      "the flatter loss"
    : "above 2: on the parabola descent flies off; on the flatter loss it keeps bouncing, " +
      "and stays. Neural networks do the second";
  return { ...marks, caption: `A learning rate of ${g(lr)} is ${fate}.` };
}
