"""The workflows of a hosted runner: what they call exists, and they may do only what they need."""

import itertools
import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
MAKEFILE = (ROOT / "Makefile").read_text()
TARGETS = set(re.search(r"^\.PHONY: (.+)$", MAKEFILE, re.MULTILINE)[1].split())


@pytest.fixture(params=WORKFLOWS, ids=lambda path: path.stem)
def workflow(request):
    return yaml.load(request.param.read_text(), yaml.BaseLoader)  # with it, `on` is no boolean


def steps(workflow):
    return [step for job in workflow["jobs"].values() for step in job["steps"]]


def commands(workflow):
    return "\n".join(step.get("run", "") for step in steps(workflow))


def test_every_target_called_exists(workflow):
    called = set(re.findall(r"\bmake ([\w-]+)", commands(workflow)))
    assert called
    assert called <= TARGETS


def test_every_path_handed_on_is_made(workflow):
    """Pages and PDF lie where the workflow looks for them."""
    made = {"_build/html", "_build/html/", "_build/mslbook.pdf", ".venv"}
    given = {step["with"]["path"] for step in steps(workflow) if "path" in step.get("with", {})}
    assert given <= made
    assert set(re.findall(r"_build/\S+", commands(workflow))) <= made


def test_actions_are_official_and_of_a_named_major_version(workflow):
    for step in steps(workflow):
        assert re.fullmatch(r"actions/[\w-]+@v\d+", step.get("uses", "actions/none@v0"))


def test_permissions_are_the_least(workflow):
    assert workflow["permissions"] == {"contents": "read"}
    for name, job in workflow["jobs"].items():
        if name == "publish":
            assert job["permissions"] == {"pages": "write", "id-token": "write"}
            assert job["if"] == "github.ref == 'refs/heads/main'"
        else:
            assert "permissions" not in job
    assert "secrets." not in str(workflow)  # so that it works for a fork too
    assert "pull_request_target" not in str(workflow)


def test_a_newer_run_takes_the_place_of_an_older_one(workflow):
    assert "github.ref" in workflow["concurrency"]["group"]


def test_pushes_and_pull_requests_are_tested_and_main_alone_is_published():
    book = yaml.load((ROOT / ".github/workflows/book.yml").read_text(), yaml.BaseLoader)
    assert set(book["on"]) == {"push", "pull_request"}
    assert book["on"]["push"] == {"branches": ["main"]}
    assert "make test" in commands(book)
    assert book["jobs"]["publish"]["needs"] == "test"


def test_every_python_both_processors_and_the_ends_of_all_ranges_are_tested():
    book = yaml.load((ROOT / ".github/workflows/book.yml").read_text(), yaml.BaseLoader)
    job = book["jobs"]["test"]
    matrix = job["strategy"]["matrix"]
    assert matrix["python"] == ["3.11", "3.12", "3.13", "3.14"]
    assert len(matrix["machine"]) == 2
    assert any("arm" in machine for machine in matrix["machine"])
    versions = {(one["machine"], one["versions"]) for one in matrix["include"]}
    assert versions == set(itertools.product(matrix["machine"], ["oldest", "newest"]))
    assert {"make test", "make portable"} <= set(commands(book).splitlines())


def test_a_pull_request_is_validated_and_shown():
    preview = yaml.load((ROOT / ".github/workflows/preview.yml").read_text(), yaml.BaseLoader)
    assert preview["on"] == "pull_request"
    assert "make nbval" in commands(preview)
    assert "GITHUB_STEP_SUMMARY" in commands(preview)
