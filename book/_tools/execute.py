"""Execute every chapter and write both twins: notebooks/X.ipynb and the text book/X.md.

The notebook is a function of its text: cell identifiers are made from the code, and times, versions
and widget models are left out, so executing twice gives the same file twice.
"""

import base64
import hashlib
import io
import sys
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import jupytext
from nbclient import NotebookClient
from PIL import Image

ROOT = Path(__file__).resolve().parents[2]
WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"


def execute(notebook):
    """Run all cells with this environment's Python, in the folder of the notebooks."""
    client = NotebookClient(
        notebook,
        timeout=None,
        startup_timeout=600,  # a busy machine takes its time
        kernel_name="python3",
        record_timing=False,
        store_widget_state=False,
        coalesce_streams=True,  # prints arrive in one piece or in several, as time will have it
        extra_arguments=["--log-level=ERROR"],
        resources={"metadata": {"path": str(ROOT / "notebooks")}},
    )
    client.execute()


def settle(notebook):
    """Leave out whatever differs from one run or one machine to the next."""
    notebook.metadata["language_info"] = {"name": "python", "pygments_lexer": "ipython3"}
    seen = Counter()
    for cell in notebook.cells:
        seen[cell.source] += 1
        name = f"{cell.cell_type} {seen[cell.source]} {cell.source}"
        cell.id = hashlib.sha256(name.encode()).hexdigest()[:8]
        for output in cell.get("outputs", []):
            data = output.get("data", {})
            data.pop(WIDGET_VIEW, None)
            if "image/png" in data:
                data["image/png"] = lightened(data["image/png"])


def lightened(png):
    """The picture in 256 colours, which nobody sees and which takes a third of the bytes."""
    picture = Image.open(io.BytesIO(base64.b64decode(png))).convert("RGBA")
    file = io.BytesIO()
    picture.quantize(256, Image.Quantize.FASTOCTREE).save(file, "PNG", optimize=True)
    return base64.b64encode(file.getvalue()).decode()


def refresh(text):
    """Execute one text and write both twins."""
    notebook = jupytext.read(text)
    if "formats" not in notebook.metadata.get("jupytext", {}):
        return  # a prose page
    print(f"Executing {text.relative_to(ROOT)}", flush=True)
    execute(notebook)
    settle(notebook)
    jupytext.write(notebook, ROOT / "notebooks" / f"{text.stem}.ipynb")
    jupytext.write(notebook, text, fmt="md:myst")


def main():
    """Refresh the texts named on the command line, or all in book/, as many at once as cores."""
    texts = [Path(name).resolve() for name in sys.argv[1:]]
    with ProcessPoolExecutor() as pool:
        for _ in pool.map(refresh, texts or sorted((ROOT / "book").glob("*.md"))):
            pass  # raises here what went wrong in a chapter


if __name__ == "__main__":
    main()
