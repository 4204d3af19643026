# Everything the book needs, from nothing: `make help` lists the commands.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help book pdf test check lint portable oldest bench gpu nbval notebooks address serve browser constraints clean
MAKEFLAGS += --jobs=2  # Chromium arrives while the environment is installed

PYTHON ?= python3
PORT ?= 8000
VERSIONS ?= pinned
BIN := .venv/bin
UV := $(BIN)/uv
LIBRARY := tests --ignore=tests/paper
NBVAL := -n auto --dist loadscope --nbval --nbval-current-env --nbval-kernel-startup-timeout 600 \
  --nbval-sanitize-with tests/paper/nbval_sanitize.cfg

# Kernels are the environment's own, whatever the user has installed or configured elsewhere, and
# sums are added up in one order, so that stored outputs come out the same on any number of cores.
export JUPYTER_PREFER_ENV_PATH := 1
export IPYTHONDIR := $(CURDIR)/.venv/ipython
export PYDEVD_DISABLE_FILE_VALIDATION := 1
export OMP_NUM_THREADS := 1

help:  ## this list
	@sed -nE 's/^([a-z]+):.*## (.*)/  make \1\t\2/p' Makefile | expand -t 20

book: .venv/.html  ## build the HTML into _build/html from the stored outputs
	@$(BIN)/jupyter-book build --all --warningiserror --nitpick --keep-going --quiet .

pdf: .venv/.dev browser book  ## print the built book into _build/mslbook.pdf
	$(BIN)/python book/_tools/pdf.py

test: lint browser book  ## run everything that guards the book
	$(BIN)/pytest $(NBVAL) --no-loadscope-reorder notebooks tests mslbook

check: lint  ## lint, and the tests of the library: for every day
	$(BIN)/pytest -q -n auto -m "not ranks" $(LIBRARY)

lint: .venv/.dev  ## style, and that the library imports nothing of the book
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports --no-cache

portable: .venv/.dev oldest  ## validate the notebooks as other machines would, and the library as below
	$(BIN)/python tests/paper/portable/run.py

oldest: .venv/.html  ## test the library without PyTorch, on the oldest versions that pyproject.toml allows
	@$(UV) venv --quiet --clear --python $(BIN)/python _build/oldest
	$(UV) pip install --quiet --python _build/oldest/bin/python $(oldest) --editable '.[test]'
	_build/oldest/bin/python -m pytest -q -p no:cacheprovider $(LIBRARY)

bench: .venv/.dev  ## measure speed and memory beside floors and peers, and print one table
	$(BIN)/python benchmarks/run.py

gpu: .venv/.dev  ## on a machine with a GPU: its tests, then nine minutes of recordings (GPU="--data FOLDER")
	$(BIN)/python book/_tools/gpu.py $(GPU)

nbval: .venv/.dev  ## compare what the notebooks store with what they give when executed
	$(BIN)/pytest $(NBVAL) notebooks

notebooks: .venv/.dev  ## re-execute every notebook and refresh both twins (or CHAPTERS=book/X.md)
	$(BIN)/python book/_tools/execute.py $(CHAPTERS)

address: .venv/.html  ## write the address of the repository, as _config.yml has it, where others read it
	$(BIN)/python book/_tools/address.py

serve: book  ## build the book and serve it on this machine
	@echo "Serving the book at http://127.0.0.1:$(PORT)/ until Ctrl-C."
	$(BIN)/python -m http.server --bind 127.0.0.1 --directory _build/html $(PORT)

browser:  ## get the Chromium that the browser tests drive
	@[ -x /usr/bin/chromium ] || { [ "$$(id -u)" = 0 ] && apt-get -qq update && \
	  apt-get -qq install --no-install-recommends chromium; } || echo "Browser tests are skipped:" \
	  "they need Debian's Chromium. Run 'sudo apt-get install chromium'."

constraints: .venv/.dev  ## pin exact versions of everything pyproject.toml asks for
	@$(UV) pip compile --quiet --universal --python-version 3.11 --all-extras --no-annotate \
	  --generate-hashes --custom-compile-command "make constraints" pyproject.toml \
	  --output-file constraints.txt

clean:  ## remove what was built, the environment included
	rm -rf .venv _build .pytest_cache .ruff_cache

# The environment comes in two sizes: .html builds the book, .dev runs everything and contains it.
# VERSIONS says which ones: pinned, or the oldest or the newest that pyproject.toml allows.
# Bytecode is compiled once and for all, since many processes import torch.
pinned := --constraint constraints.txt
oldest := --resolution lowest-direct
newest := --resolution highest
.venv/.html: extras := html,book
.venv/.dev: extras := dev
.venv/.dev: .venv/.html
.venv/.html .venv/.dev: $(UV) pyproject.toml constraints.txt
	$(UV) pip install --compile-bytecode --python $(BIN)/python --editable '.[$(extras)]' \
	  $(or $($(VERSIONS)),$(error VERSIONS is pinned, oldest or newest))
	touch $@

$(UV):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "mslbook needs Python 3.11 or later: name one with 'make PYTHON=...'." >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || apt-get -qq install python3-venv || \
	  { echo "python3 cannot make environments: run 'sudo apt-get install python3-venv'." >&2; exit 1; }
	$(PYTHON) -m venv --clear .venv
	$(BIN)/pip install --quiet --disable-pip-version-check uv==0.13.9
