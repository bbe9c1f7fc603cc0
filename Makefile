# Two commands do all the set-up: `make scan` (REPO=/path/to/repository) and `make test`.
# Everything lives in $(VENV); delete that folder to start over.

PYTHON ?= python3
VENV ?= .venv
REPO ?= .
ARGS ?=
BIN := $(VENV)/bin

.PHONY: scan install test chaos deployment check conformance lint format types layers schemas clean

scan: install
	@$(BIN)/weft scan "$(REPO)" $(ARGS)

install: $(VENV)/.installed

test: $(VENV)/.installed-dev
	$(BIN)/pytest -n 2 --dist loadfile $(ARGS)

# Every fault, with a table of outcomes; CHAOS_RUNS random ones (default 5).
chaos: $(VENV)/.installed-dev
	$(BIN)/pytest tests/chaos -m "not deployment" -o faulthandler_timeout=600 $(ARGS)

# Where a docker engine is: the image and docker-compose.yml, run for real.
deployment: $(VENV)/.installed-dev
	$(BIN)/pytest -m deployment tests/test_deployment.py $(ARGS)

# All that CI runs.
check: lint types layers test

# Weft's edges against ruff, grimp, go list, …: on the case files, or on REPOSITORIES="/path/to/one /path/to/another".
conformance: $(VENV)/.installed-dev
	$(BIN)/python -m conformance $(ARGS) $(REPOSITORIES)

lint: $(VENV)/.installed-dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

format: $(VENV)/.installed-dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

types: $(VENV)/.installed-dev
	$(BIN)/mypy

layers: $(VENV)/.installed-dev
	$(BIN)/lint-imports

clean:
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "weft needs Python 3.11 or newer: make PYTHON=/path/to/python3.11" >&2; exit 2; }
	@$(PYTHON) -m venv $(VENV) || { echo "cannot make a virtual environment: install your system's python3-venv package" >&2; rm -rf $(VENV); exit 2; }

$(VENV)/.installed: $(VENV)/bin/python pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade "pip>=25.1"
	$(BIN)/python -m pip install --quiet --editable .
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --editable . --group dev
	@touch $@
