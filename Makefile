# Each target sets up what it needs: a virtual environment in .venv, filled from pyproject.toml.
# Python: Debian's own, which is what runs at a site, unless that is too old or not there.
PYTHON ?= $(shell for python in /usr/bin/python3 python3; do \
	$$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2> /dev/null && break; done; echo $$python)
VENV   := .venv
BIN    := $(VENV)/bin

.PHONY: demo test coverage test-debian lint models vectors bench bench-compare screens faults activity partial soak line-soak kills stops vm-test deb clean

demo: $(VENV)/.run
	@$(BIN)/serial-bridge demo

test: $(VENV)/.dev
	@.ci/packages
	$(BIN)/python -m pytest -n auto --dist loadgroup

# Of the unit tests, in whose own processes it is measured. It takes them two thirds more CPU, so it stands apart.
coverage: $(VENV)/.dev
	$(BIN)/python -m pytest -n auto --dist loadgroup -m 'not end_to_end and not long' --timeout 600 \
		--cov --cov-report=term:skip-covered

test-debian: $(VENV)/bin/python
	.ci/debian $(or $(SUITE),bookworm)

lint: $(VENV)/.dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

vectors: $(VENV)/.dev
	$(BIN)/python -m tests.vectors_check $(VECTORS)

models: $(VENV)/.dev
	$(BIN)/python -m tests.models

bench: $(VENV)/.dev
	$(BIN)/python -m tests.benchmarks

bench-compare: $(VENV)/.dev
	$(BIN)/python -m tests.benchmarks.compare $(REV)

screens: $(VENV)/.dev
	$(BIN)/python -m pip install --quiet pillow
	$(BIN)/python -m tests.support.screens docs/screens

faults: $(VENV)/.dev
	$(BIN)/python -m pytest -n auto -m "" tests/faults

activity: $(VENV)/.dev
	$(BIN)/python -m tests.faults.activity
	$(BIN)/python -m tests.benchmarks.gateway_device

partial: $(VENV)/.dev
	$(BIN)/python -m tests.benchmarks.partial_failure
	$(BIN)/python -m tests.benchmarks.failing_in_part --share 0.3 --seconds 90
	$(BIN)/python -m tests.benchmarks.failing_in_part --share 0.05 --seconds 300
	$(BIN)/python -m tests.benchmarks.cut_flush
	$(BIN)/python -m tests.benchmarks.cut_flush --secure

soak: $(VENV)/.dev
	$(BIN)/python -m tests.faults.soak --minutes $(or $(MINUTES),60)

line-soak: $(VENV)/.dev
	$(BIN)/python -m tests.faults.line_soak --minutes $(or $(MINUTES),60)

kills: $(VENV)/.dev
	$(BIN)/python -m tests.faults.kills --rounds $(or $(ROUNDS),200)

stops: $(VENV)/.dev
	$(BIN)/python -m tests.faults.stops --rounds $(or $(ROUNDS),50)

deb:
	.ci/deb/build

vm-test: $(VENV)/.dev
	$(BIN)/python -m pytest -m "" tests/vm

clean:
	rm -rf dist $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

# The environment is made again where another Python made it.
made_by   := $(shell sed -n 's/^home = //p; s/^version = //p' $(VENV)/pyvenv.cfg 2> /dev/null)
asked_for := $(shell $(PYTHON) -c 'import os, platform, sys; print(os.path.dirname(sys.executable), platform.python_version())')
ifneq ($(strip $(made_by)),$(asked_for))
.PHONY: $(VENV)/bin/python
endif

$(VENV)/bin/python:
	@echo "$(VENV): made with $(PYTHON), Python $(lastword $(asked_for))"
	@$(PYTHON) -m venv --clear $(VENV)

$(VENV)/.run: pyproject.toml $(VENV)/bin/python
	$(BIN)/pip install --quiet --disable-pip-version-check -e .
	@touch $@

$(VENV)/.dev: pyproject.toml $(VENV)/bin/python
	$(BIN)/pip install --quiet --disable-pip-version-check -e '.[dev]'
	@touch $@ $(VENV)/.run
