# Everything a contributor runs. Each target sets up what it needs on a fresh machine.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.complete
PIP := $(BIN)/python -m pip install -qq --disable-pip-version-check
CLIENTS := .venv-clients
FRAMEWORKS := .venv-frameworks
TENSORFLOW := .venv-tensorflow

.DEFAULT_GOAL := help
.PHONY: help setup train test long clients frameworks matrix check docs bench validate

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(STAMP) ## build .venv from constraints.txt (nothing to do when it is up to date)

train: $(STAMP) ## train a small language model under a schedule, about a minute
	@$(BIN)/glideslope train

test: $(STAMP) ## run the tests and the documentation's examples, on up to four cores
	@$(BIN)/python -m pytest --numprocesses auto --maxprocesses 4 --dist worksteal

long: $(STAMP) ## run the exhaustive checks, with 10,000 examples of every property
	@HYPOTHESIS_PROFILE=long $(BIN)/python -m pytest --timeout 0 -m "long or hypothesis"

clients: $(CLIENTS)/.complete ## run the tests in Lightning, transformers and others (QUICK=1: most of them)
	@$(CLIENTS)/bin/python -m pytest tests/clients $(if $(QUICK),,--timeout 0 -m "long or not long")

frameworks: $(FRAMEWORKS)/.complete $(TENSORFLOW)/.complete ## run the tests in optax, MLX, Keras and others
	@$(FRAMEWORKS)/bin/python -m pytest tests/frameworks
	@KERAS_BACKEND=torch $(FRAMEWORKS)/bin/python -m pytest tests/frameworks/test_keras.py
	@KERAS_BACKEND=tensorflow $(TENSORFLOW)/bin/python -m pytest \
	  tests/frameworks/test_keras.py tests/frameworks/test_tensorflow.py

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

validate: $(STAMP) ## compare pairs of an optimizer and a schedule, for a night (QUICK=1: for minutes)
	@$(PIP) -c constraints.txt -e '.[validate]' --no-build-isolation
	@$(BIN)/python -m validation $(if $(QUICK),--quick)

# An environment, for $(1) the extra of pyproject.toml and $(2) packages besides. The stamp is
# removed first and written last, so one that was interrupted while it was made carries none and
# is built again; a complete one is only brought up to date.
define environment
@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
  found=$$($(PYTHON) --version 2>&1) || found=missing; \
  echo "Glideslope needs Python 3.11 or newer, but $(PYTHON) is $$found." >&2; \
  echo "Name another one: make PYTHON=python3.12 $(or $(MAKECMDGOALS),setup)" >&2; exit 1; }
@test -e $@ || $(PYTHON) -m venv --clear $(@D)
@rm -f $@
@echo "installing the packages of constraints.txt into $(@D) (once, a minute or two)"
@$(@D)/bin/python -m pip install -qq --disable-pip-version-check -c constraints.txt \
  pip hatchling editables $(2)
@$(@D)/bin/python -m pip install -qq --disable-pip-version-check -c constraints.txt \
  --no-build-isolation -e '.[$(1)]'
@touch $@
endef

$(STAMP): pyproject.toml constraints.txt
	$(call environment,dev)

# setuptools builds DeepSpeed, without its kernels.
$(CLIENTS)/.complete: pyproject.toml constraints.txt
	$(call environment,clients,setuptools)

$(FRAMEWORKS)/.complete: pyproject.toml constraints.txt
	$(call environment,frameworks)

# Apart: a process that imports TensorFlow and Paddle crashes.
$(TENSORFLOW)/.complete: pyproject.toml constraints.txt
	$(call environment,tensorflow)
