"""Sphinx extension: the book serves MathJax itself, and only what its pages ask for.

The package sphinx-mathjax-offline holds every bundle of MathJax, 24 MB. The pages use one of them
with its fonts and its TeX extensions, 2 MB. What the menu of a formula offers beyond that, another
renderer and the explorer that speaks, is 6 MB, and is loaded where a reader chooses it: the choice
is kept for every page, and a page that does not find what was chosen typesets nothing. Where the
package is not installed, the build says so, and the pages ask the public network for MathJax, where
Sphinx finds it.
"""

import sys
from importlib.metadata import distribution
from importlib.util import find_spec
from pathlib import Path
from shutil import copyfile

from sphinx.errors import ExtensionError
from sphinx.ext.mathjax import MATHJAX_URL

PACKAGE = find_spec("sphinx-mathjax-offline")
FILES = [
    "tex-chtml.js",
    "output/chtml/fonts/woff-v2/*.woff",
    "input/tex/extensions/*.js",
    *("output/svg.js", "output/svg/fonts/*.js"),  # Math Settings: Math Renderer
    *("input/mml.js", "a11y/*.js", "sre/mathmaps/*.json"),  # Accessibility
]
NOTICE = """MathJax, https://www.mathjax.org, copyright (c) The MathJax Consortium,
with Speech Rule Engine, copyright (c) Volker Sorge, both under the following license.

"""


def link_the_network(app, config):
    """Without the package, let pages link MathJax on the network, and tell whoever builds them."""
    if PACKAGE is None:
        config.mathjax_path = MATHJAX_URL
        print("sphinx-mathjax-offline is not installed: the pages will typeset their formulas with "
              "MathJax from the network, and not offline.", file=sys.stderr)  # fmt: skip


def copy_files(app, exception):
    """Copy MathJax into the built book once its pages are written."""
    if exception is not None or PACKAGE is None:
        return
    package = Path(PACKAGE.origin).parent / "static" / "mathjax"
    for pattern in FILES:
        files = list(package.glob(pattern))
        if not files:
            raise ExtensionError(f"{package} has no {pattern}: its layout has changed")
        for file in files:
            copy = Path(app.outdir, "_static", "mathjax", file.relative_to(package))
            copy.parent.mkdir(parents=True, exist_ok=True)
            copyfile(file, copy)
    Path(app.outdir, "_static", "mathjax", "LICENSE").write_text(license(), encoding="utf-8")


def license():
    """MathJax's license, which its package lacks; packaging, which Sphinx needs, has the same."""
    [terms] = [f for f in distribution("packaging").files if f.name == "LICENSE.APACHE"]
    return NOTICE + terms.read_text(encoding="utf-8")


def setup(app):
    """Register with Sphinx."""
    app.connect("config-inited", link_the_network)
    app.connect("build-finished", copy_files)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
