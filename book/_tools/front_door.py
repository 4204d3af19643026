"""Sphinx extension: the root address, which people share, has the card and title of the home page.

A browser goes on from there to the home page; what shows cards of links does not.
"""

import re
from pathlib import Path

CARD = re.compile(r'<title>.*?</title>|<meta (?:property="og:|name="description").*?>', re.DOTALL)


def write(app, exception):
    """Write the page of the root address from the head of the home page."""
    if exception is None and app.builder.name == "html":
        home = app.builder.get_target_uri(app.config.root_doc)
        card = "\n".join(CARD.findall(Path(app.outdir, home).read_text(encoding="utf-8")))
        text = (
            f'<!DOCTYPE html>\n<html lang="{app.config.language}">\n<meta charset="utf-8">\n'
            f"{card}\n"
            f'<link rel="canonical" href="{app.config.html_baseurl}{home}">\n'
            f'<meta http-equiv="refresh" content="0; url={home}">\n'
            f'<p><a href="{home}">{app.config.ogp_site_name}</a></p>\n</html>\n'
        )
        Path(app.outdir, "index.html").write_text(text, encoding="utf-8")


def setup(app):
    """Register with Sphinx."""
    app.connect("build-finished", write, priority=100)  # before the bare redirect of the contents
    return {"parallel_read_safe": True, "parallel_write_safe": True}
