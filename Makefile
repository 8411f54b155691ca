# Each target sets up what it needs: a virtual environment in .venv, filled from pyproject.toml.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin

.PHONY: demo test lint vectors bench faults partial soak kills vm-test deb clean

demo: $(VENV)/.run
	@$(BIN)/serial-bridge demo

test: $(VENV)/.dev
	$(BIN)/python -m pytest -n auto --dist loadgroup

lint: $(VENV)/.dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

vectors: $(VENV)/.dev
	$(BIN)/python -m tests.vectors_check $(VECTORS)

bench: $(VENV)/.dev
	$(BIN)/python -m tests.benchmarks

faults: $(VENV)/.dev
	$(BIN)/python -m pytest -n auto -m "" tests/faults

partial: $(VENV)/.dev
	$(BIN)/python -m tests.benchmarks.partial_failure
	$(BIN)/python -m tests.benchmarks.failing_in_part --share 0.3 --seconds 90
	$(BIN)/python -m tests.benchmarks.failing_in_part --share 0.05 --seconds 300
	$(BIN)/python -m tests.benchmarks.cut_flush
	$(BIN)/python -m tests.benchmarks.cut_flush --secure

soak: $(VENV)/.dev
	$(BIN)/python -m tests.faults.soak --minutes $(or $(MINUTES),60)

kills: $(VENV)/.dev
	$(BIN)/python -m tests.faults.kills --rounds $(or $(ROUNDS),200)

deb:
	.ci/deb/build

vm-test: $(VENV)/.dev
	$(BIN)/python -m pytest -m "" tests/vm

clean:
	rm -rf dist $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.run: pyproject.toml | $(VENV)/bin/python
	$(BIN)/pip install --quiet --disable-pip-version-check -e .
	@touch $@

$(VENV)/.dev: pyproject.toml | $(VENV)/bin/python
	$(BIN)/pip install --quiet --disable-pip-version-check -e '.[dev]'
	@touch $@ $(VENV)/.run
