# Each target makes the environment it needs, so any of them may be the first command in a fresh
# clone. Needed: Python 3.11 or newer, git, make.

DEMO := .venv-demo
AIRFLOW := .venv-airflow
DEV := .venv
BIN := $(DEV)/bin
TEST_EXTRAS := airflow,alerts,gcs,gx,metrics,report,spark
WORKERS ?= 2

.PHONY: help demo airflow test lint bench docs lock clean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-7s %s\n", $$1, $$2 }' Makefile

demo: $(DEMO)/.ready ## find the drift in a year of flights, and write the report
	@$(DEMO)/bin/python examples/demo.py

airflow: $(AIRFLOW)/.ready ## run a local Airflow with the DAGs of dags/, until Ctrl-C (make airflow PORT=9000)
	@$(AIRFLOW)/bin/python tools/local_airflow.py $(if $(PORT),--port $(PORT))

test: $(DEV)/.ready ## run every test (make test PYTEST_ARGS="-k bins" for some)
	@browser=$$(sh tools/browser.sh $(DEV)) && \
	KL_DRIFT_CHROMIUM="$$browser" $(BIN)/python -m pytest -n $(WORKERS) $(PYTEST_ARGS)

lint: $(DEV)/.ready ## check style, formatting, types and the walls between modules
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(DEV)/.ready ## measure speed and memory beside the naïve rivals
	@for script in benchmarks/[a-z]*.py; do \
		echo "== $$script"; $(BIN)/python "$$script" || exit; \
	done

docs: $(DEV)/.ready ## build the documentation into site/, with every warning an error
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

lock: ## pin every dependency again (make lock LOCK_ARGS=--upgrade for newer ones)
	@sh tools/uv.sh pip compile pyproject.toml --all-extras --group dev --universal \
		--python-version 3.11 --fork-strategy fewest --generate-hashes \
		--custom-compile-command "make lock" --quiet $(LOCK_ARGS) --output-file requirements.lock

clean: ## remove the environments and everything that was built
	rm -rf .venv .venv-* site dist build .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -prune -exec rm -rf {} +

$(DEMO)/.ready: pyproject.toml requirements.lock
	@sh tools/environment.sh $(DEMO) --editable '.[report]'
	@touch $@

$(AIRFLOW)/.ready: pyproject.toml requirements.lock
	@sh tools/environment.sh $(AIRFLOW) --editable '.[airflow,alerts,gx,report]'
	@touch $@

$(DEV)/.ready: pyproject.toml requirements.lock
	@sh tools/environment.sh $(DEV) --editable '.[$(TEST_EXTRAS)]' --group dev
	@touch $@
