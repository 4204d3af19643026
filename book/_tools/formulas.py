"""Sphinx extension: a formula and the comma or full stop after it stay on one line.

A browser may break a line on either side of a formula, as it may beside a picture.
"""

import re

from docutils import nodes

PUNCTUATION = re.compile(r"[.,;:!?)]+")


def keep_together(app, doctree, docname):
    """Bind each formula to the punctuation that follows it."""
    for formula in list(doctree.findall(nodes.math)):
        after = formula.next_node(descend=False, siblings=True)
        found = PUNCTUATION.match(after) if isinstance(after, nodes.Text) else None
        if found:
            after.parent.replace(after, nodes.Text(after[found.end() :]))
            bound = nodes.inline(classes=["together"])
            formula.replace_self(bound)
            bound += [formula, nodes.Text(found[0])]


def setup(app):
    """Register with Sphinx."""
    app.connect("doctree-resolved", keep_together)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
