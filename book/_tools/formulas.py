"""Sphinx extension: a formula and what touches it, a bracket or a full stop, stay on one line.

A browser may break a line on either side of a formula, as it may beside a picture.
"""

import re

from docutils import nodes

BEFORE = re.compile(r"\S*\Z")
AFTER = re.compile(r"\S*")


def cut(parent, at, pattern):
    """Take from the text beside a formula, at a place of its parent, what touches the formula."""
    if not 0 <= at < len(parent) or not isinstance(parent[at], nodes.Text):
        return ""
    text = parent[at]
    found = pattern.search(text)
    parent[at] = nodes.Text(text[: found.start()] + text[found.end() :])
    return found[0]


def keep_together(app, doctree, docname):
    """Bind each formula to what touches it."""
    for formula in list(doctree.findall(nodes.math)):
        parent, at = formula.parent, formula.parent.index(formula)
        before, after = cut(parent, at - 1, BEFORE), cut(parent, at + 1, AFTER)
        if before or after:
            bound = nodes.inline(classes=["together"])
            formula.replace_self(bound)
            bound += [nodes.Text(before), formula, nodes.Text(after)]


def setup(app):
    """Register with Sphinx."""
    app.connect("doctree-resolved", keep_together)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
