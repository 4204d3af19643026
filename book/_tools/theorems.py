"""Sphinx extension: theorems carry the numbers that the text gives them.

Those are the paper's, and for what is ours a chapter and a letter. sphinx-proof would count for
itself, and its "Theorem 3" would stand beside the preprint's. It also names a theorem without a
label by its place on the page, and complains when two pages have the same name; counting from a
different number on each page keeps them apart.
"""

from zlib import crc32

from sphinx_proof.directive import ElementDirective


def name_apart(app, docname, source):
    """Let this page's blocks be named from a number on that is its own."""
    app.env.temp_data["serialno"] = crc32(docname.encode())


def without_number(directive, run=ElementDirective.run):
    """Run the directive as if it had been given the option nonumber."""
    directive.options["nonumber"] = None
    return run(directive)


def setup(app):
    """Register with Sphinx."""
    ElementDirective.run = without_number
    app.connect("source-read", name_apart)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
