# Everything works from a bare clone with Python 3.11 to 3.13 and make.
.DEFAULT_GOAL := help
SHELL := /bin/sh
PYTHON ?= $(firstword $(foreach p,python3.13 python3.12 python3.11 python3 python,$(shell command -v $(p) >/dev/null 2>&1 && $(p) -c 'import sys; sys.exit(not (3,11) <= sys.version_info[:2] <= (3,13))' 2>/dev/null && echo $(p))))
UV := uv==0.13.9
READY := .venv/.ready
RUN := PYTHONPATH=plugins .venv/bin/python -m
# Modules that are compiled anew in each of hundreds of processes cost more than the tests do.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: help
help:
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(READY): requirements.txt
	@test -n "$(PYTHON)" || { echo "Kreislauf needs Python 3.11, 3.12 or 3.13; none was found on the PATH." >&2; exit 1; }
	@echo "setting up .venv with $(PYTHON) (once)"
	@.venv/bin/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear .venv # one that works may be in use
	@.venv/bin/python -m pip install --quiet --disable-pip-version-check $(UV)
	@.venv/bin/uv pip install --quiet --python .venv/bin/python -r requirements.txt
	@touch $@

# A second DuckDB, Sail, Spark and what `make bench` compares with: each apart from the first.
.venv-duckdb/.ready: requirements/duckdb.txt | $(READY)
	@.venv/bin/uv pip install --quiet --python .venv/bin/python --target .venv-duckdb -r $<
	@touch $@

.venv-%/.ready: requirements/%.txt | $(READY)
	@echo "setting up .venv-$* (once)"
	@.venv/bin/uv venv --quiet --clear --python .venv/bin/python .venv-$*
	@.venv/bin/uv pip install --quiet --python .venv-$*/bin/python -r $<
	@touch $@

# `make sql segments/lapsed_buyers` is short for `make sql file=segments/lapsed_buyers`.
ifneq (,$(filter sql test-sql,$(firstword $(MAKECMDGOALS))))
file ?= $(word 2,$(MAKECMDGOALS))
$(wordlist 2,2,$(MAKECMDGOALS)): ; @:
endif

.PHONY: run up down test check docs conformance bench sql test-sql segment flow why preview clean
run: $(READY) ## the circuit, once, in a real Airflow against the sandbox (WORLD=file.parquet: real orders)
	@$(RUN) scripts.run $(if $(WORLD),--world "$(WORLD)")

up: $(READY) ## the same, and leave Airflow's UI and the sandbox's inbox open
	@$(RUN) scripts.run --stay $(if $(WORLD),--world "$(WORLD)")

down: ## stop what `make up` left running
	@if [ -x .venv/bin/python ]; then $(RUN) scripts.down; else echo "nothing was running"; fi

test: $(READY) .venv-duckdb/.ready ## the whole test suite
	@$(RUN) pytest --numprocesses auto --dist loadfile --no-loadscope-reorder

check: $(READY) ## ruff, sqlfluff, templates and the conventions of this repository
	@$(RUN) ruff check .
	@$(RUN) ruff format --check .
	@$(RUN) scripts.sql --check
	@$(RUN) sqlfluff lint --processes 2 --disable-progress-bar include/sql
	@$(RUN) scripts.docs --check
	@$(RUN) pytest -q tests/rules tests/templates

docs: $(READY) ## docs/tables and docs/flows: every table and every flow, from their files
	@$(RUN) scripts.docs

conformance: $(READY) .venv-duckdb/.ready .venv-sail/.ready .venv-spark/.ready ## every model on all engines, compared row by row (ENGINES="--spark": only those)
	@$(RUN) scripts.conformance $(ENGINES)

bench: $(READY) .venv-bench/.ready ## time ingest, build, planning and sending beside their floors (SIZE="10000 100000")
	@$(RUN) scripts.bench $(SIZE)

sql: $(READY) ## rendered SQL and first rows of a model: make sql segments/lapsed_buyers
	@$(RUN) scripts.sql $(file)

test-sql: $(READY) ## the tests of one model: make test-sql segments/lapsed_buyers (faults=yes: what they miss)
	@$(RUN) scripts.$(if $(faults),mutate,test_sql) $(file)

segment: $(READY) ## a new segment with its test: make segment name=night_owls
	@$(RUN) scripts.new segment $(name)

flow: $(READY) ## a new flow with its trigger, template and test: make flow name=thanks
	@$(RUN) scripts.new flow $(name)

why: $(READY) ## why a person got a message, and why not: make why contact=shop-1042 [flow=welcome]
	@$(RUN) scripts.why $(if $(contact),"$(contact)") $(if $(flow),--flow "$(flow)")

preview: $(READY) ## who would get what, and what it looks like: make preview flow=welcome [as_of= contact=]
	@$(RUN) scripts.preview $(if $(flow),"$(flow)") $(if $(as_of),--as-of "$(as_of)") $(if $(contact),--contact "$(contact)")

clean: ## remove what runs have left (var/), not the virtual environment
	@$(MAKE) --no-print-directory down
	@rm -rf var .pytest_cache .ruff_cache .hypothesis
