"""The address of the repository: _config.yml has it, and everything else follows from it.

As a Sphinx extension it tells where GitHub publishes the pages, for the cards and the site map.
As a script, `make address`, it writes the address into files that others read as they are: the
first cell of the chapters, which serves Colab, the link to the PDF, and the citation.
"""

import re
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]
REPOSITORY = yaml.safe_load((ROOT / "_config.yml").read_text())["repository"]["url"]
OWNER, NAME = REPOSITORY.split("/")[-2:]
PUBLISHED = f"https://{OWNER.lower()}.github.io/{NAME}/"
TWINS = [*(ROOT / "book").glob("*.md"), *(ROOT / "notebooks").glob("*.ipynb")]
PLACES = [
    (TWINS, r'(?<=@ git\+)https://[^"\\]+', REPOSITORY),
    (TWINS, r"(?<=\]\()https://[^)]+(?=mslbook\.pdf\))", PUBLISHED),
    ([ROOT / "CITATION.cff"], r'(?<=^repository-code: ")[^"]+', REPOSITORY),
    ([ROOT / "CITATION.cff"], r'(?<=^url: ")[^"]+', PUBLISHED),
]


def rewritten(path):
    """The text of a file, with the addresses that it should have."""
    text = path.read_text(encoding="utf-8")
    for files, pattern, address in PLACES:
        if path in files:
            text = re.sub(pattern, address, text, flags=re.MULTILINE)
    return text


def set_address(app, config):
    """Tell the other extensions where the pages will be."""
    config.html_baseurl = config.ogp_site_url = PUBLISHED


def setup(app):
    """Register with Sphinx."""
    app.connect("config-inited", set_address)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


if __name__ == "__main__":
    for path in {path for files, *_ in PLACES for path in files}:
        path.write_text(rewritten(path), encoding="utf-8")
