"""Sphinx extension: pages are written on as many cores as there are.

They are read on one: not all extensions of Jupyter Book can be read in parallel.
"""

import os


def share(app, env):
    """Once all pages are read, let Sphinx write them in parallel."""
    app.parallel = os.cpu_count()


def setup(app):
    """Register with Sphinx."""
    app.connect("env-updated", share)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
