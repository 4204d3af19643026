"""Sphinx extension: a formula and what touches it, a bracket or a full stop, stay on one line.

A browser may break a line on either side of a formula, as it may beside a picture.
"""

import re

from docutils import nodes

BEFORE = re.compile(r"\S*\Z")
AFTER = re.compile(r"\S*")


def cut(node, pattern):
    """Take from the text beside a formula what touches it."""
    if not isinstance(node, nodes.Text):
        return ""
    found = pattern.search(node)
    siblings = node.parent.children
    at = next(i for i, other in enumerate(siblings) if other is node)  # another may be equal
    node.parent[at] = nodes.Text(node[: found.start()] + node[found.end() :])
    return found[0]


def keep_together(app, doctree, docname):
    """Bind each formula to what touches it."""
    for formula in list(doctree.findall(nodes.math)):
        beside = dict(enumerate(formula.parent))
        at = formula.parent.index(formula)
        before, after = cut(beside.get(at - 1), BEFORE), cut(beside.get(at + 1), AFTER)
        if before or after:
            bound = nodes.inline(classes=["together"])
            formula.replace_self(bound)
            bound += [nodes.Text(before), formula, nodes.Text(after)]


def setup(app):
    """Register with Sphinx."""
    app.connect("doctree-resolved", keep_together)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
