"""Sphinx extension: theorems need no label of their own.

sphinx-proof names a theorem without a label by its place on the page, and then complains that two
pages have the same names. Counting from a different number on each page keeps them apart.
"""

from zlib import crc32


def count_from(app, docname, source):
    """Let this page's unnamed blocks count from a number that is its own."""
    app.env.temp_data["serialno"] = crc32(docname.encode())


def setup(app):
    """Register with Sphinx."""
    app.connect("source-read", count_from)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
