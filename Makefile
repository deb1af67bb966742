# Short names for the lines in README.md and CONTRIBUTING.md. Everything runs in .venv, which is made when it is missing.

PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.installed

.PHONY: help demo test lint format types layers check clean

help: ## Show this list
	@grep -E '^[a-z]+:.*##' Makefile | sed -E 's/:.*## /\t/' | expand -t 12

demo: $(STAMP) ## both simulators, sample data, the shipped flows: no account, no network
	$(BIN)/ml-connector demo

test: $(STAMP) ## All tests
	$(BIN)/python -m pytest -q

lint: $(STAMP) ## Style and formatting
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

format: $(STAMP) ## Repair style and formatting
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

types: $(STAMP) ## Static types, strictly
	$(BIN)/mypy

layers: $(STAMP) ## Which package may import which
	$(BIN)/lint-imports

check: lint types layers test ## All of the above, as CI does

clean: ## Remove the environment and what the tools left
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

# Installed again whenever the dependencies change.
$(STAMP): pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install -q -e ".[test]"
	@touch $(STAMP)
