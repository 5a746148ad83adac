# Each target makes the environment it needs, so any of them may be the first command in a fresh
# clone. Needed: Python 3.11 or newer, git, make.

DEMO := .venv-demo
AIRFLOW := .venv-airflow
DEV := .venv
LOWEST := .venv-lowest
BIN := $(DEV)/bin
LOWEST_EXTRAS := airflow,alerts,gcs,gx,metrics,report
LOWEST_LOCK := requirements-airflow-3.2.lock
TEST_EXTRAS := $(LOWEST_EXTRAS),delta,iceberg,spark
WORKERS ?= 2
comma := ,

.PHONY: help demo airflow test test-quick test-lowest lint bench docs lock clean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-11s %s\n", $$1, $$2 }' Makefile

demo: $(DEMO)/.ready ## find the drift in a year of flights, and write the report
	@$(DEMO)/bin/python examples/demo.py

airflow: $(AIRFLOW)/.ready ## run a local Airflow with the DAGs of dags/, until Ctrl-C (make airflow PORT=9000)
	@$(AIRFLOW)/bin/python tools/local_airflow.py $(if $(PORT),--port $(PORT))

test: $(DEV)/.ready ## run every test (make test PYTEST_ARGS="-k bins" for some)
	@$(BIN)/python -m pytest -n $(WORKERS) $(PYTEST_ARGS)

test-quick: $(DEV)/.ready ## run the tests that take no browser, Java, Airflow or Great Expectations, and no seconds
	@$(BIN)/python -m pytest -n $(WORKERS) -m "not (browser or java or slow)" --hypothesis-profile quick \
		--ignore tests/airflow --ignore tests/gx $(PYTEST_ARGS)

test-lowest: $(LOWEST)/.ready ## run the tests of the Airflow part on the lowest Airflow, 3.2.0
	@$(LOWEST)/bin/python -m pytest -n $(WORKERS) tests/airflow \
		--ignore tests/airflow/test_end_to_end.py $(PYTEST_ARGS)

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

COMPILE := sh tools/uv.sh pip compile pyproject.toml --universal --python-version 3.11 \
	--fork-strategy fewest --generate-hashes --custom-compile-command "make lock" --quiet

# The second lock starts as a copy of the first, and uv keeps what it finds there: the two differ
# where the lowest Airflow cannot do otherwise, and nowhere else.
lock: ## pin every dependency again (make lock LOCK_ARGS=--upgrade for newer ones)
	@$(COMPILE) --all-extras --group dev $(LOCK_ARGS) --output-file requirements.lock
	@cp requirements.lock $(LOWEST_LOCK)
	@echo apache-airflow==3.2.0 | $(COMPILE) --constraints - \
		$(foreach extra,$(subst $(comma), ,$(LOWEST_EXTRAS)),--extra $(extra)) --group test \
		--output-file $(LOWEST_LOCK)

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

$(LOWEST)/.ready: pyproject.toml requirements.lock $(LOWEST_LOCK)
	@KL_DRIFT_LOCK=$(LOWEST_LOCK) sh tools/environment.sh $(LOWEST) --editable '.[$(LOWEST_EXTRAS)]' --group test
	@touch $@
