"""Sphinx extension: the package's docstrings as the reference pages show them.

In their sections of parameters and attributes a name is followed by a colon and by words, as many
lines as they take, rather than by a type. They become lists of definitions. What is cited by the
journal's number becomes a link to where the book has it; the build complains if it does not.
"""

import re
from dataclasses import is_dataclass
from inspect import getdoc, isclass
from textwrap import indent

from sphinx.pycode import ModuleAnalyzer

EXAMPLES = re.compile(r"^Examples\n-+\n", re.MULTILINE)  # they speak for themselves
SECTION = re.compile(r"^(\w+)\n-+\n((?:.+\n?)+)", re.MULTILINE)
PLACE = re.compile(r"(journal (eq\.|theorem|lemma|definition)\s+(\d)\.(\d))", re.IGNORECASE)
ENTRY = re.compile(r"^(\S.*?) : (.*)((?:\n +.*)*)", re.MULTILINE)


def as_definition(entry):
    """A name as the term, what is said of it as its definition; a type ends with a full stop."""
    names, words, further = entry.groups()
    stop = "." if re.match(r"\s+[A-Z]", further) else ""
    words = " ".join(f"{words}{stop}{further}".split())
    return f"{names}\n    {words}"


def as_field(section):
    """A section as a field, with its entries one below the other."""
    return f":{section[1]}:\n{indent(ENTRY.sub(as_definition, section[2]), '    ')}"


def as_link(place):
    """A place in the paper as a link to its anchor in the book, such as eq-4-1."""
    text, kind, section, number = place.groups()
    return f":ref:`{text} <{kind.strip('.').lower()}-{section}-{number}>`"


def set_docstring(app, what, name, obj, options, lines):
    """Rewrite one docstring; a loss of the paper has the comment above it in place of one."""
    if what == "data":
        comments = ModuleAnalyzer.for_module("mslbook.losses.paper").find_attr_docs()
        lines[:] = comments["", name.rpartition(".")[2]]
    text = SECTION.sub(as_field, EXAMPLES.sub("", "\n".join(lines)))
    lines[:] = PLACE.sub(as_link, text).split("\n")


def omit_fields(app, what, name, obj, options, signature, returns):
    """Of a record whose fields are described, or of a protocol, show the name alone."""
    if not isclass(obj):
        return None
    protocol = getattr(obj, "_is_protocol", False)
    listed = "members" in options or "\nAttributes\n" in (getdoc(obj) or "")
    record = is_dataclass(obj) or hasattr(obj, "_fields")
    return ("", None) if protocol or (record and listed) else None


def setup(app):
    """Register with Sphinx."""
    app.setup_extension("sphinx.ext.autodoc")
    app.connect("autodoc-process-docstring", set_docstring)
    app.connect("autodoc-process-signature", omit_fields)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
