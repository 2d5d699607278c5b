# Needs Python >= 3.11, make and a network for the first installation. `make help` lists the targets.
SHELL := /bin/bash
PYTHON ?= python3
BIN := .venv/bin
ARGS ?=
WITHOUT_KAFKA := tests/unit tests/golden tests/contract tests/property tests/simulation tests/topology tests/corpus
IN_BROWSER := tests/browser
ON_KAFKA := tests/integration tests/e2e
ROUNDS ?= 1
KILLS ?= 100
SEEDS ?= 300
FIRST ?= 1

.DEFAULT_GOAL := help
.PHONY: help install demo lint format unit test schemathesis docs screenshots simulate mutants faults bench clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: .venv/.installed ## make .venv with the locked dependencies and the project (quick when done)

.venv/.installed: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python >= 3.11 is needed, this is " + sys.version)'
	@echo "==> virtual environment and dependencies (some 150 MB the first time)"
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --progress-bar off --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

demo: install ## real batches through Apache Kafka, from registration to completion; ARGS="--keep" leaves it running
	@$(BIN)/bos demo $(ARGS)

lint: install ## style, types and import rules
	@echo "==> style" && $(BIN)/ruff check . && $(BIN)/ruff format --check .
	@echo "==> types" && $(BIN)/mypy
	@echo "==> import rules" && $(BIN)/lint-imports --no-logo

format: install ## format the code, and fix what ruff can fix by itself
	@$(BIN)/ruff check --fix . && $(BIN)/ruff format .

unit: install ## the quick tests that need no Kafka, about a minute; ARGS is for pytest
	@$(BIN)/pytest -n 4 --dist worksteal -m "not slow" $(WITHOUT_KAFKA) $(ARGS)

# With ARGS there is one run of pytest, which may select tests of either kind, and write one report.
test: lint ## lint, then all tests, on a real Kafka where it matters; ARGS is for pytest
ifeq ($(strip $(ARGS)),)
	@echo "==> tests without Kafka, four at a time" && $(BIN)/pytest -n 4 --dist worksteal $(WITHOUT_KAFKA)
	@scripts/chromium && echo "==> tests in a browser" && $(BIN)/pytest -n 2 --dist loadfile $(IN_BROWSER)
	@echo "==> tests on a real Kafka, three files at a time, each with a broker of its own"
	@$(BIN)/python -m tests.broker_classes
	@$(BIN)/pytest -n 3 --dist loadfile --no-loadscope-reorder $(ON_KAFKA)
else
	@scripts/chromium && echo "==> tests" && $(BIN)/pytest $(ARGS)
endif
	@echo "==> rules of the decision, each taken out" && $(BIN)/python scripts/mutate

schemathesis: install ## many more requests made up from docs/openapi.json than `make test` has; EXAMPLES=20, some minutes
	@EXAMPLES=$(or $(EXAMPLES),20) $(BIN)/pytest tests/unit/api/openapi/test_schemathesis.py -s $(ARGS)

docs: install ## write docs/openapi.json, asyncapi.json, cli.md and bos.1 from the code
	@$(BIN)/python -m api.documents && $(BIN)/python -m cli.documents

screenshots: install ## pictures of the dashboard for docs/guide, in Chromium, with the clock of the browser tests
	@scripts/chromium && $(BIN)/python -m tests.browser.screenshots

simulate: install ## random histories against a reference model of the rules; SEEDS=10000 FIRST=1
	@$(BIN)/python -m tests.simulation --seeds $(SEEDS) --first $(FIRST)

# mutmut is a tool of the developer's, in no lock: it reads the code, and nothing of it is shipped.
mutants: install ## small changes anywhere in state/decision, each to be noticed by a test; an hour; ARGS="state.decision.texts*"
	@$(BIN)/python -m pip install --quiet "mutmut>=3.8,<4"
	@$(BIN)/mutmut run $(ARGS) && $(BIN)/mutmut results

faults: install ## brokers freeze and go, processes are killed, under traffic; some 25 minutes; ROUNDS=10 KILLS=100
	@ROUNDS=$(ROUNDS) KILLS=$(KILLS) $(BIN)/pytest tests/faults -s $(ARGS)

bench: install ## benchmarks on a real Kafka, some 45 minutes; ARGS="--quick --json FILE"
	@$(BIN)/python -m bench $(ARGS)

clean: ## remove what this Makefile and the tools made here
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .schemathesis .import_linter_cache build dist mutants
