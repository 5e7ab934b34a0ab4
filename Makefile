# make setup   .venv with the locked dependencies and agentlens itself
# make demo    record the shipped Pong agent, explain every step, write the video
# make test    lint, types, import contracts, examples in docstrings, tests
# make gpu     maps, captum, recording and the tests that need it, on a GPU (about two minutes)
# make fuzz    20,000 altered store files and 100,000 altered checkpoints a format (hours)
# make bench   all benchmarks (some minutes on an idle machine) and docs/performance.md
.PHONY: setup demo test lint fuzz gpu bench clean
.DEFAULT_GOAL := demo

PYTHON ?= python3
BIN := .venv/bin

setup: .venv/.ready

.venv/.ready: requirements.lock pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	touch $@

demo: setup
	$(BIN)/agentlens demo

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

test: lint
	$(BIN)/python -m pytest --doctest-modules agentlens
	$(BIN)/python -m pytest

gpu: setup
	$(BIN)/python -m benchmarks.gpu

fuzz: setup
	AGENTLENS_FUZZ=20000 $(BIN)/python -m pytest tests/properties/test_store_fuzz.py
	AGENTLENS_FUZZ=100000 $(BIN)/python -m pytest tests/properties/test_hostile_files.py

bench: setup
	$(BIN)/python -m benchmarks.recording --games 1 --steps 500 --rounds 5
	$(BIN)/python -m benchmarks.recording --games 8 --steps 200 --rounds 3
	$(BIN)/python -m benchmarks.render
	$(BIN)/python -m benchmarks.saliency
	$(BIN)/python -m benchmarks.residual
	$(BIN)/python -m benchmarks.pipeline
	$(BIN)/python -m benchmarks.live
	$(BIN)/python -m benchmarks.mask_network
	$(BIN)/python -m benchmarks.report > docs/performance.md

clean:
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .hypothesis dist build
