// On a telephone a row of a wide table stands on its own, each number beside the head of its column
// (custom.css). Heads are copied before MathJax comes, which typesets the copies as well.
for (const table of document.querySelectorAll("article table")) {
  const heads = [...table.tHead?.rows[0].cells ?? []];
  if (heads.length < 5) continue;
  table.classList.add("wide");
  for (const { cells } of table.tBodies[0].rows) {
    heads.slice(1).forEach((head, i) => {
      const copy = document.createElement("span");
      copy.className = "column";
      copy.append(...head.cloneNode(true).querySelector("p").childNodes);
      cells[i + 1].prepend(copy);
    });
  }
}
