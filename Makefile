# The first Python that is new enough; `make PYTHON=... setup` chooses another.
FITS := import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	$$p -c '$(FITS)' 2>/dev/null && { echo $$p; break; }; done)
# `make VENV=.venv-3.12 PYTHON=python3.12 setup test-fast` does the same on another Python, beside the first.
VENV ?= .venv
BIN := $(VENV)/bin
DONE := $(VENV)/.complete
DEV := $(VENV)/.complete-dev
# One worker more than processors, at most 4: half of the time a test waits for servers.
WORKERS ?= $(shell n=$$(getconf _NPROCESSORS_ONLN); echo $$((n < 3 ? n + 1 : 4)))
# The files in the order of tests/conftest.py: those that last longest first, so that the workers end together.
TESTS := -q -n $(WORKERS) --dist loadfile --no-loadscope-reorder

.PHONY: setup dev run pages test test-fast lint types docs audit lock release cluster screenshots clean

# What the product needs to run: the first part of the lock.
setup: $(DONE)

# The product, and the tools to work on it.
dev: $(DEV)

# --no-deps: the lock is complete, and pip check says so afterwards.
$(DONE): requirements.lock pyproject.toml
	@test -n "$(PYTHON)" || { echo "tomorrow needs Python 3.11 to 3.13; none was found: make PYTHON=/its/place setup"; exit 2; }
	$(PYTHON) -m venv --clear $(VENV)
	.ci/lock-part product >$(VENV)/product.lock
	$(BIN)/python -m pip install --quiet --no-deps --require-hashes -r $(VENV)/product.lock
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation -e .
	$(BIN)/python -m pip check
	@touch $(DONE)

$(DEV): $(DONE)
	.ci/lock-part tools >$(VENV)/tools.lock
	$(BIN)/python -m pip install --quiet --no-deps --require-hashes -r $(VENV)/tools.lock
	$(BIN)/python -m pip check
	@touch $(DEV)

run: setup
	$(BIN)/python -m flows.cli.demo

# The pages of MLflow and Prefect, until Ctrl-C: their links are shown on the terminal.
pages: setup
	$(BIN)/tomorrow up --pages

test: dev
	$(BIN)/python -m pytest $(TESTS)

# Without the tests that start servers, run whole commands or fit for seconds; two to four minutes on two cores.
test-fast: dev
	$(BIN)/python -m pytest $(TESTS) -m "not slow"

# The style, and the walls between the folders: [tool.importlinter] in pyproject.toml.
lint: dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports

types: dev
	$(BIN)/mypy

# The documentation as pages, in build/docs: open build/docs/index.html. Fails on any warning, broken link, or anything
# that a browser would load from another host. Needs no internet.
docs: dev
	$(BIN)/zensical build --strict --clean
	$(BIN)/python -m docs.check_pages build/docs

# Asks the Python Packaging Advisory Database, through the package index, for known faults of all that the lock names.
# A package that cannot be checked is an error.
audit: dev
	$(BIN)/pip-audit --requirement requirements.lock --require-hashes --disable-pip --strict

# Needs uv; everything else needs only what the lock names. UPGRADE= keeps the locked versions.
UPGRADE ?= --upgrade
lock:
	.ci/lock $(UPGRADE)

# Checks the version, the changelog and the tree, and builds the wheel and its bill of materials. Uploads nothing, and makes no tag.
release: dev
	@.ci/release $(BIN)/python

# All of it in containers, with PostgreSQL, SeaweedFS and Dask: docs/cluster.md. Makes the images, and the secrets in
# cluster.env, where there are none. Needs podman and podman-compose, or Docker with its compose.
cluster:
	.ci/cluster up --build

# Needs Chromium: /usr/bin/chromium, or the program that CHROMIUM names.
screenshots: dev
	$(BIN)/python -m docs.screenshots

clean:
	rm -rf .cache .venv .venv-* build dist *.egg-info .import_linter_cache .mypy_cache .pytest_cache .ruff_cache .hypothesis
