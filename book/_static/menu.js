// Formulas are typeset anew once the menu has what was chosen in it. MathJax 3.2.2 does not wait for
// the explorer's words, and would take every formula away until the page is loaded again.
addEventListener("load", async () => {
  await window.MathJax?.startup.promise;
  const menu = window.MathJax?.startup.document.menu.constructor.prototype;
  if (!menu) return;
  const { rerender } = menu;
  menu.rerender = function (...start) {
    MathJax._.mathjax.mathjax.handleRetriesFor(() => rerender.apply(this, start));
  };
});
