# Everything the book needs, from nothing: `make help` lists the commands.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.ONESHELL:
.DEFAULT_GOAL := help
.PHONY: help book pdf test check portable oldest nbval notebooks serve browser constraints clean

PYTHON ?= python3
PORT ?= 8000
VERSIONS ?= pinned
UV := uv==0.13.9
BIN := .venv/bin
LIBRARY := tests --ignore=tests/paper
NBVAL := -n auto --dist loadscope --nbval --nbval-current-env \
  --nbval-sanitize-with tests/paper/nbval_sanitize.cfg

# Kernels are the environment's own, whatever the user has installed or configured elsewhere, and
# sums are added up in one order, so that stored outputs come out the same on any number of cores.
export JUPYTER_PREFER_ENV_PATH := 1
export IPYTHONDIR := $(CURDIR)/.venv/ipython
export PYDEVD_DISABLE_FILE_VALIDATION := 1
export OMP_NUM_THREADS := 1

# Chromium arrives while the environment is installed.
MAKEFLAGS += --jobs=2

help:  ## this list
	@sed -nE 's/^([a-z]+):.*## (.*)/  make \1\t\2/p' Makefile | expand -t 20

book: .venv/.html  ## build the HTML into _build/html from the stored outputs
	@exec 9>.make.lock; flock 9
	$(BIN)/jupyter-book build --all --warningiserror --nitpick --keep-going --quiet .

pdf: .venv/.dev browser book  ## print the built book into _build/mslbook.pdf
	$(BIN)/python book/_tools/pdf.py

test: .venv/.dev browser book  ## run everything that guards the book
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports --no-cache
	$(BIN)/pytest $(NBVAL) --no-loadscope-reorder notebooks tests mslbook

check: .venv/.dev  ## lint, and the tests of the library: for every day
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports --no-cache
	$(BIN)/pytest -q -n auto $(LIBRARY)

portable: .venv/.dev oldest  ## validate the notebooks as other machines would, and the library as below
	$(BIN)/python tests/paper/portable/run.py

oldest: .venv/.html  ## test the library without PyTorch, on the oldest versions that pyproject.toml allows
	@$(BIN)/uv venv --quiet --clear --python $(BIN)/python _build/oldest
	$(BIN)/uv pip install --quiet --python _build/oldest/bin/python --resolution lowest-direct \
	  --editable '.[test]'
	_build/oldest/bin/python -m pytest -q -p no:cacheprovider $(LIBRARY)

nbval: .venv/.dev  ## compare what the notebooks store with what they give when executed
	$(BIN)/pytest $(NBVAL) notebooks

notebooks: .venv/.dev  ## re-execute every notebook and refresh both twins (or CHAPTERS=book/X.md)
	$(BIN)/python book/_tools/execute.py $(CHAPTERS)

serve: book  ## build the book and serve it on this machine
	@echo "Serving the book at http://127.0.0.1:$(PORT)/ until Ctrl-C."
	$(BIN)/python -m http.server --bind 127.0.0.1 --directory _build/html $(PORT)

browser:  ## get the Chromium that the browser tests drive
	@if [ ! -x /usr/bin/chromium ]; then
	  if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
	    { apt-get -qq update && apt-get -qq install --no-install-recommends chromium; } || true
	  fi
	  [ -x /usr/bin/chromium ] || echo "The browser tests need Debian's Chromium at" \
	    "/usr/bin/chromium: run 'sudo apt-get install chromium'. They are skipped without it."
	fi

constraints: .venv/.dev  ## pin exact versions of everything pyproject.toml asks for
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --all-extras --no-annotate \
	  --custom-compile-command "make constraints" pyproject.toml \
	  --output-file constraints.txt

clean:  ## remove what was built, the environment included
	rm -rf .venv _build .make.lock .pytest_cache .ruff_cache

# The environment comes in two sizes: .html builds the book, .dev runs everything and contains .html.
# A stamp stands only while its environment is complete, so an interrupted installation is started
# afresh, and a second job waits for the first and finds its work done. Bytecode is compiled once and
# for all, since many processes import torch.
# VERSIONS says which ones: pinned, or the oldest or the newest that pyproject.toml allows.
pinned := --constraint constraints.txt
oldest := --resolution lowest-direct
newest := --resolution highest
.venv/.html: EXTRAS := html,book
.venv/.dev: EXTRAS := dev
.venv/.html .venv/.dev: pyproject.toml constraints.txt
	@exec 9>.make.lock; flock 9
	if [ $@ -nt pyproject.toml ] && [ $@ -nt constraints.txt ]; then exit; fi
	if [ ! -e .venv/.html ]; then
	  $(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
	    { echo "mslbook needs Python 3.11 or later: name one with 'make PYTHON=...'." >&2; exit 1; }
	  $(PYTHON) -c 'import ensurepip' 2>/dev/null || apt-get -qq install python3-venv ||
	    { echo "python3 cannot make environments: run 'sudo apt-get install python3-venv'." >&2; exit 1; }
	  rm -rf .venv
	  $(PYTHON) -m venv .venv
	  $(BIN)/pip install --quiet --disable-pip-version-check $(UV)
	fi
	rm -f .venv/.html .venv/.dev
	$(BIN)/uv pip install --compile-bytecode --python $(BIN)/python \
	  $(or $($(VERSIONS)),$(error VERSIONS is pinned, oldest or newest)) \
	  --editable '.[$(EXTRAS)]'
	touch .venv/.html $@
