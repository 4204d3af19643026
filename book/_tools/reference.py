"""Sphinx extension: the reference is made from the package, with no list to keep.

What a package exports is on its page. ``.. sections:: figures`` stands for the figures.py of every
folder of the book that has one. A result of the paper, such as theorem 4.1, is a link to where the
book has it; the build complains if it has it nowhere.
"""

import re
from importlib.util import find_spec

from docutils.statemachine import StringList
from sphinx.pycode import ModuleAnalyzer
from sphinx.util.docutils import SphinxDirective

from mslbook.paper import folders

RESULT = re.compile(r"\b(eq\.|theorem|lemma|definition) (\d)\.(\d)\b")


class Sections(SphinxDirective):
    """Document a module of every folder of the book that has it."""

    required_arguments = 1

    def run(self):
        """Return the nodes of all modules."""
        names = [f"{package.__name__}.{self.arguments[0]}" for package in folders()]
        lines = [
            line
            for name in filter(find_spec, names)
            for line in (f".. automodule:: {name}", "   :members:", "")
        ]
        return self.parse_text_to_nodes(StringList(lines, source=self.env.docname))


def describe_data(app, what, name, obj, options, lines):
    """Give a loss of the paper the comment above it in place of the docstring of its class."""
    if what == "data":
        comments = ModuleAnalyzer.for_module("mslbook.losses.paper").find_attr_docs()
        lines[:] = comments["", name.rpartition(".")[2]]


def link_results(app, what, name, obj, options, lines):
    """Make the results that a docstring names links to their anchors in the book."""

    def link(found):
        kind, section, number = found.groups()
        return f":ref:`{found[0]} <{kind.strip('.')}-{section}-{number}>`"

    lines[:] = [RESULT.sub(link, line) for line in lines]


def setup(app):
    """Register with Sphinx."""
    app.setup_extension("sphinx.ext.autodoc")
    app.add_directive("sections", Sections)
    app.connect("autodoc-process-docstring", describe_data)
    app.connect("autodoc-process-docstring", link_results)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
