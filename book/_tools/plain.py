"""Sphinx extension: chapters are ordinary Markdown, which notebooks show without any sign of MyST.

What MyST has a syntax of its own for is written in a way that Jupyter, Colab and GitHub know:

- an anchor, as `<a id="eq-4-1"></a>` on a line of its own;
- a theorem, as a quotation that begins with `**Theorem 4.1** (its title).`, and so a note in a box;
- the caption of a figure, as a quotation that begins with `**Figure.**` right after the cell that
  draws it, with an anchor before it;
- a link to an anchor of another chapter, as `[text](4_1_one_dimension.ipynb#eq-4-1)`, and of the
  same chapter, as `[text](#eq-4-1)`;
- a citation, as a link that ends in the year, `([Cohen et al. 2021](https://…))`, to the address
  that references.bib has for the work.

And a page is calmer than a notebook: hidden cells in a row are one there, and the digests of the
figures, which are for nbval, are left out.
"""

import json
import re
from functools import cache
from itertools import pairwise
from pathlib import Path

from pybtex.database import parse_file

ANCHOR = re.compile(r'^<a id="([\w-]+)"></a>\n\n?', re.MULTILINE)
KINDS = "Theorem|Lemma|Definition|Proposition|Corollary|Remark|Note"
QUOTE = re.compile(rf"^> \*\*({KINDS})(?: ([\w.]+))?\*\* \((.*)\)\.\n((?:>.*\n?)+)", re.MULTILINE)
LINK = re.compile(r"\]\((?:(?:\.\./notebooks/)?\w+\.ipynb)?#([\w-]+)\)")
CITATION = re.compile(r"(\()?\[([^\]]* \d{4})\]\((https?:[^)]+)\)(?(1)\))")
CAPTION = re.compile(r"\(([\w-]+)\)=\n> \*\*Figure\.\*\* ((?:.+\n?)+)\n*")
DIGEST = re.compile(r"^digest \|.*\n?", re.MULTILINE)
SITES = {"doi": "https://doi.org/", "eprint": "https://arxiv.org/abs/", "url": ""}


@cache
def by_address(bibliography):
    """The key of each work in a bibliography, by every address that it has."""
    works = parse_file(bibliography).entries.items()
    return {
        site + work.fields[field]: key
        for key, work in works
        for field, site in SITES.items()
        if field in work.fields
    }


def as_directive(quote):
    """A quotation that states a theorem or a note, as its directive."""
    kind, number, title, body = quote.groups()
    lines = [line.removeprefix(">").removeprefix(" ") for line in body.strip("\n").split("\n")]
    if kind == "Note":
        return "\n".join([f":::{{admonition}} {title}", *lines, ":::\n"])
    label = f"{kind.lower()}-{number.replace('.', '-')}-box"  # the anchor before it has the name
    head = f":::{{prf:{kind.lower()}}} {number} · {title}\n:label: {label}\n:nonumber:\n"
    return "\n".join([head, *lines, ":::\n"])


def cited(link, works):
    """A citation, to which the book gives brackets of its own; any other link stays as it is."""
    return f"[{link[2]}]({works[link[3]]})" if link[3] in works else link[0]


def as_myst(text, works):
    """Ordinary Markdown in the syntax of MyST."""
    text = ANCHOR.sub(r"(\1)=\n", QUOTE.sub(as_directive, text + "\n"))
    text = CITATION.sub(lambda link: cited(link, works), text)
    return LINK.sub(r"](\1)", text).rstrip("\n")


def take_caption(cell, after):
    """Move the caption of a figure from the text after it into the cell that draws it."""
    caption = CAPTION.match(after["source"])
    if cell["cell_type"] == "code" and caption:
        words = {"caption": caption[2].replace("\n> ", "\n"), "name": caption[1]}
        cell["metadata"].setdefault("mystnb", {})["figure"] = words
        after["source"] = after["source"][caption.end() :]


def leave_out_digests(cell):
    """Take out the lines that stand for pictures where pictures cannot be compared."""
    for output in cell["outputs"]:
        if "text" in output:
            output["text"] = DIGEST.sub("", "".join(output["text"]))
    cell["outputs"] = [output for output in cell["outputs"] if output.get("text") != ""]


def joined(cells):
    """Join each hidden cell that shows nothing with the hidden cell after it."""
    kept = []
    for cell in cells:
        if kept and hidden(kept[-1]) and hidden(cell) and not kept[-1]["outputs"]:
            cell["source"] = kept.pop()["source"] + "\n\n\n" + cell["source"]
        kept.append(cell)
    return kept


def hidden(cell):
    """Whether the code of a cell is folded on its page."""
    return "hide-input" in cell["metadata"].get("tags", [])


def rewrite(app, docname, source):
    """Rewrite a page as it is read."""
    works = by_address(Path(app.srcdir, app.config.bibtex_bibfiles[0]))
    if not app.env.doc2path(docname).endswith(".ipynb"):
        source[0] = as_myst(source[0], works)
        return
    notebook = json.loads(source[0])
    for cell in notebook["cells"]:
        cell["source"] = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            cell["source"] = as_myst(cell["source"], works)
        else:
            leave_out_digests(cell)
    for cell, after in pairwise(notebook["cells"]):
        take_caption(cell, after)
    notebook["cells"] = joined(notebook["cells"])
    source[0] = json.dumps(notebook)


def setup(app):
    """Register with Sphinx."""
    app.connect("source-read", rewrite)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
