// Marks a page whose sizes are known: with its formulas typeset, and drawn twice since. Sections that
// are out of sight are left out of the painting from then on (custom.css).
{
  let width = innerWidth;
  const frame = () => new Promise(requestAnimationFrame);
  async function settle() {
    const { classList } = document.documentElement;
    classList.remove("settled");
    await window.MathJax?.startup.promise;
    await document.fonts.ready;
    await frame();
    await frame();
    classList.add("settled");
  }
  addEventListener("load", settle);
  addEventListener("resize", () => { // a telephone's bar that comes and goes changes no section's size
    if (innerWidth === width) return;
    width = innerWidth;
    settle();
  });
}
