# make setup   .venv with the locked dependencies and agentlens itself
# make demo    record the shipped Pong agent, explain every step, write the video
# make test    lint, types, import contracts, tests
.PHONY: setup demo test lint bench clean
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
	$(BIN)/python -m pytest

bench: setup
	for script in benchmarks/recording.py benchmarks/render.py benchmarks/saliency.py benchmarks/pipeline.py; do $(BIN)/python $$script || exit 1; done

clean:
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .hypothesis dist build
