# Each target makes .venv itself; nothing else has to be set up.
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready
NOTEBOOKS := $(wildcard notebooks/*.ipynb)

.PHONY: help study study-oxford report app test lint notebooks bench clean

help:  ## this list
	@sed -n 's/^\([a-z-]*\):.*## /\1: /p' Makefile

study: $(READY)  ## the whole study on the embedded synthetic pets (ARGS="--only 02" and the like are passed on)
	$(BIN)/petseg study --profile quick $(ARGS)

study-oxford: $(READY)  ## the measured study: DATA_ROOT=DIR, a 128-px copy of Oxford-IIIT Pet; ARGS="--only 02" for a part, ARGS="--name oxford-128-seed-1 --set SEED=1" for another seed
	@test -n "$(DATA_ROOT)" || { echo 'make: say DATA_ROOT=DIR, the folder that holds oxford-iiit-pet'; exit 2; }
	$(BIN)/petseg study --profile oxford-128 --data-root "$(DATA_ROOT)" $(ARGS)

report: $(READY)  ## notebook 07 without code as one HTML file (ARGS="--profile oxford-128": of the measured study)
	$(BIN)/petseg report --profile quick $(ARGS)

app: $(READY)  ## click on a photo, see the mask: opens a page in the browser (ARGS="--no-browser" and the like)
	$(BIN)/voila petseg_utils/widgets/app.ipynb --port 8866 \
		--Voila.tornado_settings="{'websocket_max_message_size': 104857600}" $(ARGS)

test: $(READY) lint  ## all tests; nbval runs the notebooks and compares the cells tagged nbval-check-output
	PETSEG_PROFILE=smoke PETSEG_ROOT=$$(mktemp -d) $(BIN)/pytest tests notebooks --nbval-lax $(ARGS)

lint: $(READY)
	$(BIN)/ruff check petseg_utils tests benchmarks
	$(BIN)/mypy petseg_utils

notebooks: $(READY)  ## store the outputs of a quick run in the notebooks
	PETSEG_PROFILE=quick $(BIN)/jupyter nbconvert --to notebook --execute --inplace \
		--ExecutePreprocessor.record_timing=False --ExecutePreprocessor.timeout=1800 $(NOTEBOOKS)

bench: $(READY)  ## ratios, each side by side in one run (ARGS="step metric" for some of them)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[bench]'
	$(BIN)/python benchmarks/bench.py $(ARGS)

clean:  ## remove the environment, caches and executed notebooks
	rm -rf .venv cache executed

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[notebooks,test]'
	touch $(READY)
