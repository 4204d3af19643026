// A link within the book shows what it leads to (a theorem, an equation, a figure, a citation, a
// function, or how a section begins) under the mouse or the keyboard's focus; touch follows it.
const LINKS = "article a.internal:not(.image-reference)";
const BLOCKS = ".proof, .math, figure, .citation, dt, p";
const MATHJAX = new URL("mathjax/tex-chtml.js", document.currentScript.src);
const card = document.createElement("div");
Object.assign(card, { id: "preview", className: "bd-article", popover: "auto" });
const pages = { [location.pathname]: document };
let wanted = null, timer;
const parse = (text) => new DOMParser().parseFromString(text, "text/html");

// Nothing where nothing can be fetched; the next time it is tried anew. Files may not fetch at all.
async function load({ href, pathname }) {
  const answer = location.protocol !== "file:" && await fetch(href).catch(() => null);
  if (answer?.ok) pages[pathname] = parse(`<base href="${href}">${await answer.text()}`);
  return pages[pathname];
}

function excerpt(page, hash) {
  const target = page.getElementById(hash.slice(1)) ?? page.querySelector("section h1");
  const block = target.closest(BLOCKS), section = target.closest("section");
  const parts = block ? [block] : [section.querySelector("h1, h2, h3"), section.querySelector("p")];
  if (block?.matches("dt")) parts.push(block.nextElementSibling.querySelector("p"));
  return parts.filter(Boolean).map((part) => {
    const copy = part.cloneNode(true);
    for (const extra of copy.querySelectorAll(".headerlink, button, script")) extra.remove();
    for (const named of [copy, ...copy.querySelectorAll("[id]")]) named.removeAttribute("id");
    for (const image of copy.querySelectorAll("img")) image.src += ""; // relative to its own page
    for (const link of copy.querySelectorAll("a")) link.href += "";
    return copy;
  });
}

async function typeset() {
  if (!card.querySelector(".math:not(:has(mjx-container))")) return;
  if (!window.MathJax) await new Promise((done) => { // a page without formulas of its own
    window.MathJax = { startup: { typeset: false } };
    const load = { src: MATHJAX, onload: done, onerror: done };
    document.head.append(Object.assign(document.createElement("script"), load));
  });
  await MathJax.startup.promise?.then(() => MathJax.typesetPromise([card]));
}

async function show(link) {
  if (link === wanted) return;
  wanted = link;
  card.hidePopover();
  const page = link && (pages[link.pathname] ?? await load(link));
  if (!page || link !== wanted) return;
  link.removeAttribute("title"); // the browser would show it as well
  card.replaceChildren(...excerpt(page, link.hash));
  card.style.visibility = "hidden"; // laid out, since formulas are measured, but not yet seen
  card.showPopover();
  await typeset();
  const { left, top, bottom } = link.getBoundingClientRect();
  const right = document.documentElement.clientWidth - card.offsetWidth - 6;
  const above = top - card.offsetHeight - 6, fits = bottom + card.offsetHeight + 6 < innerHeight;
  const x = Math.max(6, Math.min(left, right)), y = fits || above < 0 ? bottom + 6 : above;
  Object.assign(card.style, { left: `${x}px`, top: `${y}px`, visibility: "" });
}
document.body.append(card);
addEventListener("keydown", ({ key }) => key === "Escape" && card.hidePopover());
addEventListener("focusin", ({ target }) => show(target.closest(`:is(${LINKS}):focus-visible`)));
addEventListener("pointerover", ({ target, pointerType }) => {
  clearTimeout(timer);
  if (pointerType !== "mouse" || card.contains(target)) return;
  timer = setTimeout(show, 200, target.closest(LINKS));
});
