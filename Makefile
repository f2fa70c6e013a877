# The first Python that is new enough; `make PYTHON=... setup` chooses another.
FITS := import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	$$p -c '$(FITS)' 2>/dev/null && { echo $$p; break; }; done)
# `make VENV=.venv-3.12 PYTHON=python3.12 setup test-fast` does the same on another Python, beside the first.
VENV ?= .venv
BIN := $(VENV)/bin
DONE := $(VENV)/.complete
TESTS := -q -n auto --maxprocesses 4 --dist loadfile

.PHONY: setup run pages test test-fast lint types lock release screenshots clean

setup: $(DONE)

# --no-deps: the lock is complete, and pip check says so afterwards.
$(DONE): requirements.lock pyproject.toml
	@test -n "$(PYTHON)" || { echo "tomorrow needs Python 3.11 to 3.13, and found none: make PYTHON=/its/place setup"; exit 2; }
	$(PYTHON) -m venv --clear $(VENV)
	$(BIN)/python -m pip install --quiet --no-deps --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation -e .
	$(BIN)/python -m pip check
	@touch $(DONE)

run: setup
	$(BIN)/python -m flows.cli.demo

# The pages of MLflow and Prefect, until Ctrl-C: their links are shown on the terminal.
pages: setup
	$(BIN)/tomorrow up --pages

test: setup
	$(BIN)/python -m pytest $(TESTS)

# Without the tests that start servers, run whole commands or fit for seconds; under two minutes on two cores.
test-fast: setup
	$(BIN)/python -m pytest $(TESTS) -m "not slow"

# The style, and the walls between the folders: [tool.importlinter] in pyproject.toml.
lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports

types: setup
	$(BIN)/mypy

# Needs uv; everything else needs only what the lock names.
lock:
	uv pip compile --universal --generate-hashes --python-version 3.11 --extra dev --extra statistics --no-annotate \
		--custom-compile-command "make lock" --upgrade pyproject.toml -o requirements.lock

# Checks the version, the changelog and the tree, and builds the wheel. Uploads nothing, and makes no tag.
release: setup
	@.ci/release $(BIN)/python

# Needs Chromium: /usr/bin/chromium, or the program that CHROMIUM names.
screenshots: setup
	$(BIN)/python -m docs.screenshots

clean:
	rm -rf .venv .venv-* build dist *.egg-info .import_linter_cache .mypy_cache .pytest_cache .ruff_cache .hypothesis
