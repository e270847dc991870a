# Everything a contributor runs. Each target sets up what it needs on a fresh machine.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.complete
PIP := $(BIN)/python -m pip install -qq --disable-pip-version-check

.DEFAULT_GOAL := help
.PHONY: help setup train test long matrix check docs bench validate

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(STAMP) ## build .venv from constraints.txt (nothing to do when it is up to date)

train: $(STAMP) ## train a small language model under a schedule, about a minute
	@$(BIN)/glideslope train

test: $(STAMP) ## run the tests and the documentation's examples
	@$(BIN)/python -m pytest

long: $(STAMP) ## run the exhaustive checks, with 10,000 examples of every property
	@HYPOTHESIS_PROFILE=long $(BIN)/python -m pytest -m "long or hypothesis"

matrix: ## run the tests on every torch and every Python that is supported and found, for hours
	@$(PYTHON) tests/matrix.py

check: $(STAMP) ## lint, formatting, types, and every public name documented
	@$(BIN)/ruff check --quiet
	@$(BIN)/ruff format --check --quiet
	@$(BIN)/mypy
	@$(BIN)/python -m pytest tests/test_public_names.py

docs: $(STAMP) ## build the documentation into site/, warnings being errors
	@$(BIN)/sphinx-build --fail-on-warning --keep-going --quiet docs site
	@echo "open site/index.html"

bench: $(STAMP) ## measure the speed claims of the documentation
	@$(BIN)/python -m benchmarks

validate: $(STAMP) ## train four small models with every optimizer, about half an hour
	@$(PIP) -c constraints.txt -e '.[validate]' --no-build-isolation
	@$(BIN)/python -m validation

# The stamp is removed first and written last, so a venv that was interrupted while
# it was made carries none and is made anew; a complete one is only brought up to date.
$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	  found=$$($(PYTHON) --version 2>&1) || found=missing; \
	  echo "Glideslope needs Python 3.11 or newer, but $(PYTHON) is $$found." >&2; \
	  echo "Name another one: make PYTHON=python3.12 $(or $(MAKECMDGOALS),setup)" >&2; exit 1; }
	@test -e $(STAMP) || $(PYTHON) -m venv --clear $(VENV)
	@rm -f $(STAMP)
	@echo "installing the packages of constraints.txt into $(VENV) (once, a minute or two)"
	@$(PIP) -c constraints.txt pip hatchling editables
	@$(PIP) -c constraints.txt --no-build-isolation -e '.[dev]'
	@touch $(STAMP)
