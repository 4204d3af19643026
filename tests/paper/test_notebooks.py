"""Guards of the chapters: the twins agree, what is stored was executed, and nbval would notice."""

import copy
import re
import shutil
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import jupytext
import nbformat
import pytest
import yaml
from jupytext.compare import NotebookDifference, compare_notebooks
from jupytext.sync_contentsmanager import TextFileContentsManager

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
QUICKEST = ROOT / "notebooks" / "4_1_one_dimension.ipynb"

# What the header of every chapter says; without the filters, diffs fill with noise.
HEADER = {
    "jupytext": {
        "formats": "notebooks///ipynb,book///md:myst",
        "notebook_metadata_filter": "kernelspec,jupytext",
        "cell_metadata_filter": "-all,tags,mystnb",
    },
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
}

DIGEST = re.compile(r"^digest \| .+ \| .*\d", re.MULTILINE)

CAPTION = re.compile(r'<a id="fig-[\w-]+"></a>\n\n> \*\*Figure\.\*\* \S')

# What plain Jupyter and Colab would show as raw text, and the book not as it should;
# book/_tools/plain.py says what stands for it.
RAW = {
    "an anchor of MyST": re.compile(r"^\([\w-]+\)=", re.MULTILINE),
    "a directive in a colon fence": re.compile(r"^\s*:::+", re.MULTILINE),
    "a link to no file": re.compile(r"\]\((?!https?:|#|\w+\.ipynb\b|\.\./book/\w+\.md\b)"),
    "a directive in a backtick fence": re.compile(r"^\s*(```+|~~~+)\s*\{", re.MULTILINE),
    "a theorem without a number": re.compile(
        r"^> \*\*(Theorem|Lemma|Definition|Proposition|Corollary|Remark)\b(?! \d[\w.]*\*\* \()",
        re.MULTILINE,
    ),
    "a role": re.compile(r"(?<!`)\{[a-z][a-z:-]*\}`"),
    "a labelled equation": re.compile(r"\$\$\s*\([\w-]+\)\s*$|\\label\{", re.MULTILINE),
}


# What is not read in the open as words: folds, code, formulas on their own, captions, tables,
# addresses of links, tags.
NOT_WORDS = (
    r"<details>.*?</details>",
    r"^ *```.*?^ *```",
    r"^(?:> )?\$\$.*?\$\$",
    r"^> \*\*Figure\.\*\*.*?^$",
    r"^\|.*?$",
    r"(?<=\])\(.*?\)",
    r"</?\w[^>]*>",
)
MAX_WORDS = 1500  # ten minutes


def text_twin(notebook):
    """The MyST text of a notebook."""
    return ROOT / "book" / f"{notebook.stem}.md"


def code_cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def outputs(notebook):
    return [output for cell in code_cells(notebook) for output in cell.outputs]


def printed(cell):
    """What a code cell wrote to its standard output."""
    streams = [output for output in cell.outputs if output.output_type == "stream"]
    return "".join(stream.text for stream in streams if stream.name == "stdout")


def shows_picture(cell):
    return any(mime.startswith("image/") for out in cell.outputs for mime in out.get("data", {}))


@pytest.fixture(params=NOTEBOOKS, ids=lambda path: path.stem)
def path(request):
    return request.param


@pytest.fixture
def notebook(path):
    return nbformat.read(path, as_version=4)


def test_every_chapter_of_the_book_has_both_twins():
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text())
    pages = [toc["root"], *(page["file"] for part in toc["parts"] for page in part["chapters"])]
    chapters = {Path(page).name for page in pages if page.startswith("notebooks/")}
    paired = {
        text.stem
        for text in (ROOT / "book").glob("*.md")
        if "formats" in jupytext.read(text).metadata.get("jupytext", {})
    }
    assert chapters, "the table of contents names no chapter"
    assert {path.stem for path in NOTEBOOKS} == chapters
    assert paired == chapters


def test_twins_agree(path, notebook):
    try:
        compare_notebooks(jupytext.read(text_twin(path)), notebook, fmt="md:myst")
    except NotebookDifference as difference:
        pytest.fail(f"run `make notebooks`: {path.name} and {path.stem}.md differ: {difference}")


@pytest.mark.parametrize("cell_type", ["markdown", "code"])
def test_twins_that_drifted_apart_are_noticed(path, notebook, cell_type):
    cell = next(cell for cell in notebook.cells if cell.cell_type == cell_type)
    cell.source += "\n1"
    with pytest.raises(NotebookDifference):
        compare_notebooks(jupytext.read(text_twin(path)), notebook, fmt="md:myst")


def test_headers_are_the_agreed_ones(path, notebook):
    text = dict(jupytext.read(text_twin(path)).metadata)
    text["jupytext"] = {k: v for k, v in text["jupytext"].items() if k in HEADER["jupytext"]}
    assert text == HEADER
    assert set(notebook.metadata) == {"jupytext", "kernelspec", "language_info"}
    assert {key for cell in notebook.cells for key in cell.metadata} <= {"tags", "mystnb"}


def test_every_code_cell_was_executed_in_order_without_error(notebook):
    cells = code_cells(notebook)
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    assert not [output for output in outputs(notebook) if output.output_type == "error"]


def test_nothing_was_written_to_stderr(notebook):
    assert not [output.text for output in outputs(notebook) if output.get("name") == "stderr"]


def test_executing_again_would_give_the_same_file(notebook):
    """No address of an object, and no widget model, whose identifier is random."""
    for cell in code_cells(notebook):
        for output in cell.outputs:
            data = output.get("data", {})
            assert "application/vnd.jupyter.widget-view+json" not in data
            assert not re.search(
                r"\b0x[0-9a-f]{6,}", output.get("text", data.get("text/plain", ""))
            )


def test_notebook_is_light(path):
    assert path.stat().st_size < 500_000


def test_every_figure_prints_its_digest(notebook):
    """nbval skips pictures: the digest, a line of numbers from the same cell, stands for them."""
    for cell in code_cells(notebook):
        if shows_picture(cell):
            assert DIGEST.search(printed(cell)), f"call digest(...) in the cell:\n{cell.source}"


def test_every_figure_has_its_caption_beneath(notebook):
    """In the text, where every reader of the notebook sees it; the book makes a figure of both."""
    for cell, after in pairwise([*notebook.cells, nbformat.v4.new_code_cell()]):
        if cell.cell_type == "code" and shows_picture(cell):
            assert CAPTION.match(after.source), f"no caption beneath the cell:\n{cell.source}"


def words_in_the_open(notebook):
    """How many words a reader reads who opens no fold; a formula within a sentence is one."""
    cells = [cell.source for cell in notebook.cells if cell.cell_type == "markdown"]
    text = "\n\n".join([*cells, ""])
    for pattern in NOT_WORDS:
        text = re.sub(pattern, "", text, flags=re.DOTALL | re.MULTILINE)
    text = re.sub(r"\$.*?\$", "formula", text, flags=re.DOTALL)
    return sum(any(map(str.isalnum, word)) for word in text.split())


def test_a_page_is_read_in_ten_minutes(notebook):
    assert 100 < words_in_the_open(notebook) <= MAX_WORDS


def test_words_are_counted_in_the_open_only():
    text = """# A title

One, *two*, $x = 1$ – [four](five.ipynb#six).

$$
x = 2
$$

> **Figure.** A caption.
> Its end.

| a | table |

<details>
<summary>Why</summary>

Because of $y$.

</details>

`last`"""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell(text)])
    assert words_in_the_open(notebook) == 7


def test_code_cells_are_short(notebook):
    for cell in code_cells(notebook):
        assert len(cell.source.splitlines()) <= 20, f"split the cell:\n{cell.source}"


def test_pictures_are_our_own(notebook):
    """Every picture is drawn by a cell: none is linked, pasted or attached."""
    for cell in notebook.cells:
        assert not cell.get("attachments")
        if cell.cell_type == "markdown":
            assert not re.search(r"!\[|<img\b", cell.source), cell.source
        for output in cell.get("outputs", []):
            stills = r'<img [^>]*\bsrc="data:image/png;base64,[^>]*>'  # of a demo
            text = re.sub(stills, "", output.get("data", {}).get("text/html", ""))
            assert not re.search(r"<img\b|\bsrc=[\"']?(https?:)?//", text), text


def test_nothing_reads_as_raw_text_in_plain_jupyter(notebook):
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            found = [name for name, pattern in RAW.items() if pattern.search(cell.source)]
            assert not found, f"{found} in:\n{cell.source}"


def test_no_cell_escapes_nbval(notebook):
    for cell in code_cells(notebook):
        told = " ".join([cell.source, *cell.metadata.get("tags", [])]).lower()
        assert not re.search(r"nbval|raises.exception|validate_ignore", told), cell.source


def nbval(notebook, folder):
    """Validate one notebook as `make test` does; what pytest printed, and its exit status."""
    file = folder / "chapter.ipynb"
    nbformat.write(notebook, file)
    sanitize = ROOT / "tests" / "paper" / "nbval_sanitize.cfg"
    command = [sys.executable, "-m", "pytest", "--nbval", "--nbval-current-env"]
    command += ["--nbval-sanitize-with", sanitize, "-p", "no:cacheprovider", file]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    return done.returncode, done.stdout


def test_nbval_notices_one_changed_number(tmp_path):
    """A chapter until its first digest passes as it is, and fails with one digit of that off."""
    notebook = nbformat.read(QUICKEST, as_version=4)
    last = next(cell for cell in code_cells(notebook) if DIGEST.search(printed(cell)))
    del notebook.cells[notebook.cells.index(last) + 1 :]
    status, report = nbval(notebook, tmp_path)
    assert status == 0, report

    tampered = copy.deepcopy(notebook)
    stream, found = next(
        (output, match)
        for output in tampered.cells[-1].outputs
        if (match := DIGEST.search(output.get("text", "")))
    )
    end = found.end() - 1
    digit = stream.text[end]
    stream.text = stream.text[:end] + str((int(digit) + 1) % 10) + stream.text[end + 1 :]
    status, report = nbval(tampered, tmp_path)
    assert status == 1, report
    assert re.search(r"\b1 failed\b", report), report


@pytest.mark.parametrize(
    "opened", ["book/4_1_one_dimension.md", "notebooks/4_1_one_dimension.ipynb"]
)
def test_jupyterlab_keeps_the_twins_in_step(tmp_path, opened):
    """Saving either writes the other, and loses no output."""
    for twin in (text_twin(QUICKEST), QUICKEST):
        (tmp_path / twin.parent.name).mkdir()
        shutil.copy(twin, tmp_path / twin.parent.name)
    manager = TextFileContentsManager(root_dir=str(tmp_path))
    model = manager.get(opened, content=True, type="notebook")
    model["content"].cells[0].source += "\n\nA new sentence."
    manager.save(model, opened)

    text = jupytext.read(tmp_path / "book" / f"{QUICKEST.stem}.md")
    notebook = nbformat.read(tmp_path / "notebooks" / QUICKEST.name, as_version=4)
    assert text.cells[0].source == notebook.cells[0].source
    assert text.cells[0].source.endswith("A new sentence.")
    stored = nbformat.read(QUICKEST, as_version=4)
    assert [cell.outputs for cell in code_cells(notebook)] == [
        cell.outputs for cell in code_cells(stored)
    ]
