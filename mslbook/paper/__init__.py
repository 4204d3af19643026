"""The book of one paper: a folder for each section, and what the sections share.

A section is found by its folder, a package that says which ``SECTION`` of the paper it is about.
It may have claims (claims.py), figures (figures.py), experiments (``EXPERIMENTS``, where they are
and what they do) and what these recorded; so may a folder that belongs to a page beside the paper.
Nothing else in mslbook imports this package.
"""

from importlib import import_module
from pkgutil import iter_modules


def folders():
    """The packages of the sections in the paper's order, and then those that belong to no section.

    >>> from mslbook.paper import folders
    >>> folders()[0].__name__
    'mslbook.paper.edge_of_stability'
    """
    names = [f"{__name__}.{found.name}" for found in iter_modules(__path__) if found.ispkg]
    return sorted(map(import_module, names), key=_place)


def sections():
    """The packages of the sections by the paper's number, in the paper's order.

    >>> from mslbook.paper import sections
    >>> sections()["2.1"].__name__
    'mslbook.paper.edge_of_stability'
    """
    return {package.SECTION: package for package in folders() if hasattr(package, "SECTION")}


def _place(package):
    """What sorts packages by their sections, and last those that have none."""
    number = getattr(package, "SECTION", None)
    return number is None, [*map(int, number.split("."))] if number else []
