# make demo and make test set everything up by themselves; the rest needs make env once.
PYTHON ?= python3
BIN := .venv/bin
export LAYERPRESS_HOME ?= $(CURDIR)/.layerpress

.PHONY: env demo test check check-pages check-loaders bench bench-search gpu-check clean

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

# the pages' types come from the service's own OpenAPI document; needs Node, which running Layerpress does not
dashboards/node_modules/made: dashboards/package.json dashboards/package-lock.json
	cd dashboards && npm ci --ignore-scripts --no-audit --no-fund
	touch dashboards/node_modules/made

check-pages: env dashboards/node_modules/made
	cd dashboards && npm run --silent types && npm run --silent check
	cd dashboards && node --test tests/*.test.mjs

check: env check-pages
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -q tests/test_layering.py

# each process starts its own Ray, PostgreSQL and browser, so more of them than cores gain nothing; reordered, the
# files with few but long tests would come last
PROCESSES ?= 2

test: env
	$(BIN)/python -m pytest -q --numprocesses $(PROCESSES) --dist loadfile --no-loadscope-reorder --durations 30 --durations-min 5

# tools that pin other versions of torch and transformers than ours lie beside the environment, not in it;
# without torch's compiler, which GPTQModel's kernel keeps busy for a minute
.loaders/made: .venv/made tests/exporters/loaders.txt
	rm -rf .loaders
	$(BIN)/python -m pip install --quiet --no-deps --target .loaders --requirement tests/exporters/loaders.txt
	touch .loaders/made

check-loaders: env .loaders/made
	PYTHONPATH=.loaders $(BIN)/python -c "import gptqmodel, llmcompressor"
	PYTHONPATH=.loaders TORCHDYNAMO_DISABLE=1 $(BIN)/python -m pytest -q tests/exporters/test_gptq_checkpoint.py tests/exporters/test_llm_compressor.py

bench: env
	$(BIN)/python -m benchmarks.run

# works through what is missing for so long; run it again to go on
MINUTES ?= 60

bench-search: env
	$(BIN)/python -m benchmarks.search front --minutes $(MINUTES)
	$(BIN)/python -m benchmarks.search run --minutes $(MINUTES)
	$(BIN)/python -m benchmarks.search report

gpu-check: env
	$(BIN)/python -m pytest -q -m gpu tests/spaces tests/compressors tests/evaluators

clean:
	rm -rf .venv .loaders .layerpress runs
