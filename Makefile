# Kentongan. Needs python3 (3.11 or newer, with venv) and make; everything else comes from requirements.lock.
# Paths are relative on purpose: this folder may have any name and lie anywhere.

SHELL := /bin/sh
.SHELLFLAGS := -eu -c
.DEFAULT_GOAL := help
.PHONY: help setup demo test conformance check lint coverage lock migration clean

PYTHON ?= python3
BIN := .venv/bin
# Two cores and up; more than four PostgreSQL clusters at once serve nobody.
PYTEST := $(BIN)/python -m pytest -n auto --maxprocesses=4 --dist=worksteal

help: ## Say what there is
	@echo "Kentongan, the alarm drum of a region's CERTs. What make can do here:"
	@sed -n 's/^\([a-z]*\):[^#]*## \(.*\)/  make \1@\2/p' Makefile | awk -F@ '{ printf "%-18s %s\n", $$1, $$2 }'

setup: ## Prepare .venv, so that .venv/bin/kentongan runs
	@PYTHON='$(PYTHON)' sh .ci/setup

demo: setup ## Show the main job on real incidents; ONCE=1 ends after the table, PORT=8000 chooses the port
	@exec $(BIN)/kentongan demo $(if $(filter-out 0 no,$(ONCE)),--once) $(if $(PORT),--port "$(PORT)")

test: setup ## Pass all tests, on SQLite and PostgreSQL; ARGS="-k gate" chooses
	@$(PYTEST) $(if $(filter-out 0 no,$(COVERAGE)),--cov --cov-report=) $(ARGS)

conformance: setup ## Put the TAXII server to the conformance test, on SQLite and on PostgreSQL with four web processes
	@$(BIN)/python tests/taxii_trials.py

check: lint ## Format, lint, types, import contracts, tests, coverage
	@$(MAKE) --no-print-directory test COVERAGE=1
	@$(MAKE) --no-print-directory coverage

lint: setup ## Format, lint, types and import contracts alone
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/mypy tests/*.py
	$(BIN)/lint-imports

coverage: ## Show what the last "make test COVERAGE=1" did not reach
	$(BIN)/coverage report --skip-covered

lock: setup ## Choose the newest versions that fit together and write them to the locks
	$(BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	    --extra dev pyproject.toml -o requirements.lock
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	    -c requirements.lock pyproject.toml -o requirements-runtime.lock

migration: setup ## Write the next migration from what changed in storage; NAME="What it does"
	@test -n "$(NAME)" || { echo 'make migration NAME="What it does"' >&2; exit 2; }
	$(BIN)/python -c 'import sys; from kentongan.storage.migrate import draft; draft(sys.argv[1])' "$(NAME)"
	$(BIN)/ruff format platform/kentongan/storage/migrations
	$(BIN)/ruff check --fix platform/kentongan/storage/migrations

clean: ## Remove what was made here: .venv and caches, never an installation's data
	rm -rf .venv .coverage .coverage.* .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis build dist
