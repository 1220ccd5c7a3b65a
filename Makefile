# make study [ARGS="..."]   installs what is missing, then runs the study of the optimizers
# make test                 installs what is missing, then lint, format, types and tests
PYTHON ?= python3
BIN := .venv/bin

.PHONY: study test install clean
.DELETE_ON_ERROR:

study: .venv/installed
	$(BIN)/python run_study.py --space optimizers $(ARGS)

test: .venv/installed-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest $(ARGS)

install: .venv/installed

.venv/bin/python:
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(None if (3, 11) <= v < (3, 14) else f"Python 3.11 to 3.13 is needed; {sys.executable} is {v[0]}.{v[1]}. Name another: make PYTHON=python3.12")'
	$(PYTHON) -m venv .venv

.venv/installed: .venv/bin/python pyproject.toml
	@echo "Installing torch, Ray and the rest into .venv: some 6 GB, a few silent minutes"
	$(BIN)/python -m pip install -qq --disable-pip-version-check --upgrade pip
	$(BIN)/python -m pip install -qq --disable-pip-version-check --editable .
	@touch $@

.venv/installed-test: .venv/installed
	$(BIN)/python -m pip install -qq --disable-pip-version-check --editable '.[test]'
	@touch $@

clean:
	rm -rf .venv build *.egg-info
