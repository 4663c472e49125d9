# Targets are small: what they do lives in tools/ and in pyproject.toml. Paths are relative, so a checkout may lie
# in a folder with spaces in its name.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo test tools lint docs dist clean

VENV := .venv
PYTHON := $(VENV)/bin/python
PYTEST_ARGS ?=

help:  ## show the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-6s %s\n", $$1, $$2 }' Makefile

demo: $(VENV)/.demo  ## set up what is needed, start real Milvus and the studio, print one URL
	@$(VENV)/bin/milvuslab up

# Half of the suite waits for servers, so two files run at a time, each process with servers of its own.
test: $(VENV)/.dev tools  ## set up and run the whole suite; PYTEST_ARGS='tests/model -x' runs a part
	@$(PYTHON) -m pytest --numprocesses 2 --dist loadfile $(PYTEST_ARGS)

tools:  ## install programs outside pip (Chromium, Korean fonts, etcd, Java) where this machine allows it
	@bash tools/install_programs.sh
	@bash tools/install_jars.sh kafka s3proxy

lint: $(VENV)/.dev  ## ruff, ruff format, mypy
	@$(PYTHON) -m ruff check .
	@$(PYTHON) -m ruff format --check .
	@$(PYTHON) -m mypy

docs: $(VENV)/.dev  ## write the generated pages again
	@$(PYTHON) -m tools.generate_docs

dist: $(VENV)/.dev  ## build the wheel and the source archive into dist/
	@rm -rf dist
	@$(PYTHON) -m build

clean:  ## remove what was built and every cache of a tool; .venv stays
	@rm -rf dist build .pytest_cache .mypy_cache .ruff_cache .hypothesis
	@find src tests tools benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +

# The stamps say which packages are in .venv; they are older than pyproject.toml when it changed.
$(VENV)/.python:
	@bash tools/make_venv.sh $(VENV)
	@touch $@

$(VENV)/.demo: pyproject.toml | $(VENV)/.python
	@echo "installing milvuslab with its applications into $(VENV) (once, about a minute)"
	@bash tools/install_packages.sh $(VENV) --editable '.[all]'
	@touch $@

$(VENV)/.dev: pyproject.toml | $(VENV)/.python
	@echo "installing milvuslab and its development tools into $(VENV) (once, about a minute)"
	@bash tools/install_packages.sh $(VENV) --editable '.[all]' --group dev
	@touch $(VENV)/.demo $@
