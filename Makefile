# Every target does its own set-up and may be repeated. See CONTRIBUTING.md.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
COMPILE := $(BIN)/uv pip compile -q pyproject.toml --group build --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-emit-find-links --no-header
FAULTS_SECONDS ?= 180
FAULTS_SEED ?=

.PHONY: help demo test check faults bench lock documents format clean

help:  ## Say what can be made
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

demo: $(VENV)/.demo  ## Run broker, hub and one site on sample devices; print where to look
	@$(BIN)/diwang demo

test: $(VENV)/.dev system  ## Run every test that a newcomer can run, with the real parts
	$(BIN)/pytest -n 2 --dist loadfile tests/unit tests/contract tests/integration
	$(BIN)/pytest tests/e2e  # alone: the browser's library keeps an event loop running in its process

check: $(VENV)/.dev  ## Formatting, lint, types, import contracts, generated documents, house rules
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python docs/generate.py --check
	$(BIN)/pytest -q tests/house

faults: $(VENV)/.dev system  ## Kill, cut, fill and bend everything for some minutes; print what was lost
	$(BIN)/python -m tests.faults.testbed --seconds $(FAULTS_SECONDS) $(if $(FAULTS_SEED),--seed $(FAULTS_SEED))

bench: $(VENV)/.dev system  ## Measure, as ratios within one run; write docs/benchmarks.md
	$(BIN)/python -m tests.bench

documents: $(VENV)/.dev  ## Write again what is generated from the code
	$(BIN)/python docs/generate.py

format: $(VENV)/.dev
	$(BIN)/ruff format . && $(BIN)/ruff check --fix .

lock: $(VENV)/.dev  ## Resolve the dependencies anew, with hashes
	$(COMPILE) --extra demo -o requirements/demo.lock
	$(COMPILE) --extra demo --extra devices --group dev -c requirements/demo.lock -o requirements/dev.lock
	$(COMPILE) --extra hub -c requirements/dev.lock -o requirements/hub.lock
	$(COMPILE) --extra edge --extra devices --extra installer -c requirements/dev.lock -o requirements/edge.lock

clean:
	rm -rf $(VENV) .cache .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or later is needed"; exit 1; }
	@$(PYTHON) -m venv $(VENV) >/dev/null 2>&1 || { rm -rf $(VENV); sh tools/install python3-venv && $(PYTHON) -m venv $(VENV); }

$(VENV)/.demo: requirements/demo.lock pyproject.toml | $(BIN)/python
	@[ -f $(VENV)/.dev ] || { echo "installing Diwang into $(VENV) (once, about a minute)" && \
		$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements/demo.lock && \
		$(BIN)/python -m pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e .; }
	@touch $@

$(VENV)/.dev: requirements/dev.lock pyproject.toml | $(BIN)/python
	@$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements/dev.lock
	@$(BIN)/python -m pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

.PHONY: system
system:
	@sh tools/install postgresql-15 chromium mosquitto fonts-noto-cjk faketime dbus-daemon docker-compose
