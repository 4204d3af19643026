"""Sphinx extension: chapters are ordinary Markdown, which notebooks show without any sign of MyST.

What MyST has a syntax of its own for is written in a way that Jupyter, Colab and GitHub know:

- an anchor, as `<a id="eq-4-1"></a>` on a line of its own;
- a theorem, as a quotation that begins with `**Theorem** (its title).`, and so a note in a box;
- the caption of a figure, as a quotation that begins with `**Figure.**` right after the cell that
  draws it, with an anchor before it;
- a link to an anchor of another chapter, as `[text](4_1_one_dimension.ipynb#eq-4-1)`, of the same
  chapter, as `[text](#eq-4-1)`, and to a cited work, as `[text](../book/references.md#cohen2021)`.
"""

import json
import re
from itertools import pairwise

ANCHOR = re.compile(r'^<a id="([\w-]+)"></a>\n\n?', re.MULTILINE)
KINDS = "Theorem|Lemma|Definition|Proposition|Corollary|Remark|Note"
QUOTE = re.compile(rf"^> \*\*({KINDS})\*\* \((.*)\)\.\n((?:>.*\n?)+)", re.MULTILINE)
CAPTION = re.compile(r'<a id="([\w-]+)"></a>\n\n> \*\*Figure\.\*\* ((?:.+\n?)+)\n*')
LINK = re.compile(r"\]\((?:\w+\.ipynb|\.\./book/references\.md)?#([\w-]+)\)")


def as_directive(quote):
    """A quotation that states a theorem or a note, as its directive."""
    kind, title, body = quote.groups()
    lines = [line.removeprefix(">").removeprefix(" ") for line in body.strip("\n").split("\n")]
    name = "admonition" if kind == "Note" else f"prf:{kind.lower()}"
    return "\n".join([f":::{{{name}}} {title}", *lines, ":::\n"])


def as_myst(text):
    """The Markdown of a cell in the syntax of MyST."""
    text = ANCHOR.sub(r"(\1)=\n", QUOTE.sub(as_directive, text + "\n"))
    return LINK.sub(r"](\1)", text).rstrip("\n")


def take_caption(cell, text):
    """Give a cell the caption at the beginning of the text after it, and return what is left."""
    caption = CAPTION.match(text)
    if not caption:
        return text
    words = as_myst(caption[2].replace("\n> ", "\n"))
    cell["metadata"].setdefault("mystnb", {})["figure"] = {"caption": words, "name": caption[1]}
    return text[caption.end() :]


def rewrite(app, docname, source):
    """Rewrite the Markdown cells of a notebook as it is read."""
    if app.env.doc2path(docname).endswith(".ipynb"):
        notebook = json.loads(source[0])
        for before, cell in pairwise([None, *notebook["cells"]]):
            if cell["cell_type"] == "markdown":
                text = "".join(cell["source"])
                if before and before["cell_type"] == "code":
                    text = take_caption(before, text)
                cell["source"] = as_myst(text)
        source[0] = json.dumps(notebook)


def setup(app):
    """Register with Sphinx."""
    app.connect("source-read", rewrite)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
