# make setup   create $(VENV) with all that is needed (idempotent)
# make demo    train and compare RDN and a single-frame detector on the CPU
# make tables  the paper's Tables 3 to 7 on moving digits, three seeds (hours; run again to continue)
# make benchmark  measure what relation costs (about 20 minutes)
# make test    lint and all tests
# make test-fast  the tests that are not marked slow, under two minutes on two cores
# make coverage  all tests, and which lines they run (htmlcov/index.html)
# make lint    ruff (lint, imports, layout), mypy, import contracts, codespell
# make docs    HTML of docs/ in docs/_build
# make clean   remove what builds and tests leave; `distclean` also .venv*
#
# PYTHON= chooses the interpreter that $(VENV) is created with, VENV= another
# environment; one that exists is completed, its torch>=2.4 kept.
# STACK=openmmlab: the original mmengine and mmdet instead of the onedl forks,
# in an environment of their own, .venv-openmmlab. OPS=compiled: mmcv compiled
# from source, for its other operators (a C++ compiler, ten minutes or more).
PYTHON ?= python3
STACK ?= onedl
OPS ?= own
VENV ?= .venv$(if $(filter onedl,$(STACK)),,-$(STACK))$(if $(filter own,$(OPS)),,-$(OPS))

RUN := $(VENV)/bin/python
# As many tests at once as there are cores, four at most: each worker needs about 2 GB.
PYTEST := $(RUN) -m pytest tests -n auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder
# Python rewrites the assertions of each test file: half a minute, unless the last run's are kept.
unexport PYTHONDONTWRITEBYTECODE
SOURCES := $(wildcard mmrdn runtime configs tools tests docs setup.py)

.PHONY: help setup demo tables benchmark test test-fast coverage lint docs clean distclean check-python
.DEFAULT_GOAL := help

help:
	@sed -n 's/^# \{0,1\}//p;/^PYTHON ?=/q' Makefile

check-python:
	@command -v "$(PYTHON)" >/dev/null || { \
	  echo "error: no interpreter '$(PYTHON)': say make PYTHON=/path/to/python3"; \
	  exit 1; }
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 10))' \
	  2>/dev/null || { \
	  echo "error: mmrdn needs Python >= 3.10, '$(PYTHON)' is" \
	    "'$$("$(PYTHON)" --version 2>&1 | head -n 1)':" \
	    "say make PYTHON=/path/to/python3"; \
	  exit 1; }
	@test -x "$(RUN)" || "$(PYTHON)" -c 'import ensurepip, venv' 2>/dev/null || { \
	  echo "error: '$(PYTHON)' has no venv module (Debian: python3-venv)"; \
	  exit 1; }

setup: check-python
	@"$(PYTHON)" tools/misc/setup_env.py --stack "$(STACK)" --ops "$(OPS)" --venv "$(VENV)"

demo: setup
	@$(RUN) tools/demo.py --work-dir work_dirs/demo

tables: setup
	@$(RUN) tools/analysis_tools/make_tables.py --work-dir work_dirs/tables

benchmark: setup
	@$(RUN) tools/analysis_tools/benchmark.py --out work_dirs/benchmark

test: lint
	@$(PYTEST)

test-fast: setup
	@$(PYTEST) -m 'not slow'

coverage: setup
	@$(PYTEST) --cov --cov-report=term:skip-covered --cov-report=html

lint: setup
	@$(RUN) -m ruff check --quiet $(SOURCES)
	@$(RUN) -m ruff format --diff --quiet $(SOURCES)
	@$(RUN) -m mypy
	@$(VENV)/bin/lint-imports --no-logo
	@$(RUN) -m codespell_lib $(SOURCES) $(wildcard *.md *.yml *.toml Makefile .github)
	@echo 'lint: clean'

docs: setup
	@$(RUN) -m pip install -q -r requirements/docs.txt \
	  -c requirements/constraints.txt
	@$(RUN) -m sphinx -q -W --keep-going -c docs . docs/_build
	@echo 'docs: docs/_build/index.html'

clean:
	rm -rf build dist *.egg-info docs/_build .*_cache .hypothesis .coverage* htmlcov
	find mmrdn configs tools tests -name __pycache__ -prune -exec rm -rf {} +

distclean: clean
	rm -rf .venv .venv-*
