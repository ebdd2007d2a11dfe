# make demo and make test set everything up by themselves; the rest needs make env once.
PYTHON ?= python3
BIN := .venv/bin
export LAYERPRESS_HOME ?= $(CURDIR)/.layerpress

.PHONY: env demo test check bench bench-search gpu-check clean

# made anew when what it is made from changes
.venv/made: pyproject.toml constraints.txt
	@echo "making the environment in .venv (a few minutes, once)"
	$(PYTHON) -c 'import sys; assert sys.version_info >= (3, 11), f"Layerpress needs Python 3.11 or newer, this is {sys.version.split()[0]}; run make PYTHON=python3.11"'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch .venv/made

env: .venv/made

demo: env
	$(BIN)/layerpress run examples/jobs/demo.yaml --out runs/demo

check: env
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -q tests/test_layering.py

test: env
	$(BIN)/python -m pytest -q

bench: env
	$(BIN)/python -m benchmarks.run

# works through what is missing for so long; run it again to go on
MINUTES ?= 60

bench-search: env
	$(BIN)/python -m benchmarks.search run --minutes $(MINUTES)
	$(BIN)/python -m benchmarks.search report

gpu-check: env
	$(BIN)/python -m pytest -q -m gpu tests/spaces tests/compressors tests/evaluators

clean:
	rm -rf .venv .layerpress runs
