"""``python -m mslbook`` is ``mslbook``, the book's command line: the way in for torchrun."""

from runpy import run_module

run_module("mslbook.paper.cli", run_name="__main__")  # by name: the library needs no paper
