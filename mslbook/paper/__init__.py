"""The book of one paper: a folder for each section, and what the sections share.

A section is found by its folder, a package that says which ``SECTION`` of the paper it is about.
It may have claims (claims.py), figures (figures.py), experiments (``EXPERIMENTS``, where they are
and what they do) and what these recorded. Nothing else in mslbook imports this package.
"""

from importlib import import_module
from pkgutil import iter_modules


def sections():
    """The packages of the sections by the paper's number, in the paper's order.

    >>> from mslbook.paper import sections
    >>> sections()["2.1"].__name__
    'mslbook.paper.edge_of_stability'
    """
    names = [f"{__name__}.{found.name}" for found in iter_modules(__path__) if found.ispkg]
    packages = [package for package in map(import_module, names) if hasattr(package, "SECTION")]
    in_order = sorted(packages, key=lambda package: [*map(int, package.SECTION.split("."))])
    return {package.SECTION: package for package in in_order}
