"""Sections are found by their folders, and need nothing that only some of them use."""

import subprocess
import sys
from pathlib import Path

import yaml

from mslbook.paper import sections

ROOT = Path(__file__).resolve().parents[2]


def test_sections_are_in_the_order_of_the_paper():
    assert [*sections()] == ["2.1", "2.2", "3.1", "3.2", "4.1", "4.2", "4.3", "4.4", "5", "6"]


def test_the_page_of_a_section_has_the_name_of_its_folder():
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text())
    pages = {Path(page["file"]).name for part in toc["parts"] for page in part["chapters"]}
    for number, package in sections().items():
        assert f"{number.replace('.', '_')}_{package.__name__.rpartition('.')[2]}" in pages


def test_what_experiments_there_are_is_known_without_torch_and_anywidget():
    program = """
import sys
from mslbook.paper.experiments import EXPERIMENTS
assert len(EXPERIMENTS) > 10
print(*({"torch", "anywidget", "matplotlib", "sklearn"} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == []
