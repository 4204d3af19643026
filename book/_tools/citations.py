"""Sphinx extension: the bibliography claims no role that its entries do not bear out.

Docutils calls it a list, but its entries are no list items: screen readers announce an empty list.
Their own role is out of use.
"""

import re

ROLES = re.compile(r'(?<=<div) role="list" class="citation-list"| role="doc-biblioentry"')


def plain(app, pagename, templatename, context, doctree):
    """Take the roles from the bibliography of a page."""
    if body := context.get("body"):
        context["body"] = ROLES.sub("", body)


def setup(app):
    """Register with Sphinx."""
    app.connect("html-page-context", plain)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
