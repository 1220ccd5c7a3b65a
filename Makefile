# make study [ARGS="..."]   installs what is missing, then runs the study of the optimizers
# make test                 installs what is missing, then lint, format, types, imports and tests
# make test-all             every test: make test, make test-faults and 20 kills of make soak; some two hours
# make soak [KILLS=100]     kills studies and their processes at random moments, and says what each kill leaves
# make test-faults         the whole quick study killed ten times, full disks and the like: 40 minutes; make test does a part of it at a small size
# make results              writes docs/results.md, its figures and pages, and docs/records/TABLE.md from the records there
# make docs                 builds docs/ as pages, into build/site
# make audit                asks where known faults of the pinned packages are listed; needs a network
# make pins                 writes constraints.txt anew from the versions in .venv
# make bench [ARGS="..."]   installs what is missing, lightly besides, then the benchmarks; writes benchmarks/RESULTS.md
PYTHON ?= python3
TESTS_AT_ONCE ?= 2
CONSTRAINTS ?= constraints.txt
BIN := .venv/bin
PIP := $(BIN)/python -m pip install -qq --disable-pip-version-check $(if $(CONSTRAINTS),--constraint $(CONSTRAINTS))

.PHONY: study test test-all test-faults soak bench results docs audit pins install clean
.DELETE_ON_ERROR:

study: .venv/installed
	$(BIN)/python run_study.py --space optimizers $(ARGS)

test: .venv/installed-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache --no-logo
	$(BIN)/python -m pytest -n $(TESTS_AT_ONCE) --dist loadscope --no-loadscope-reorder $(ARGS)

test-faults: .venv/installed-test
	FAULT_STUDY=whole FAULT_KILLS=10 $(BIN)/python -m pytest tests/faults tests/study/runner/test_sockets.py tests/study/analysis/test_error_rates.py tests/test_spaces.py -s -m 'slow or faults' $(ARGS)

soak: .venv/installed-test
	$(BIN)/python tests/faults/soak.py $(or $(KILLS),100)

test-all: test test-faults
	$(MAKE) soak KILLS=20

bench: .venv/installed .venv-peers/installed
	$(BIN)/python -m benchmarks $(ARGS)

results: .venv/installed-test
	PYTHONPATH=. $(BIN)/python docs/make_results.py

docs: .venv/installed-docs
	$(BIN)/python -m mkdocs build --quiet

audit: .venv-audit/installed
	.venv-audit/bin/pip-audit --no-deps --disable-pip -r constraints.txt

# pip-audit has packages of its own, which are none of ours
.venv-audit/installed:
	$(PYTHON) -m venv .venv-audit
	.venv-audit/bin/python -m pip install -qq --disable-pip-version-check "pip-audit>=2.9"
	@touch $@

pins: .venv/installed-test
	{ sed '/^[^#]/d' constraints.txt; $(BIN)/python -m pip freeze --exclude-editable | grep -v ' @ '; } > constraints.new
	mv constraints.new constraints.txt

install: .venv/installed

.venv/bin/python:
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(None if (3, 11) <= v < (3, 14) else f"Python 3.11 to 3.13 is needed; {sys.executable} is {v[0]}.{v[1]}. Name another: make PYTHON=python3.12")'
	$(PYTHON) -m venv .venv

.venv/installed: .venv/bin/python pyproject.toml $(CONSTRAINTS)
	@echo "Installing torch, Ray and the rest into .venv: some 6 GB, a few silent minutes"
	$(PIP) --upgrade pip
	$(PIP) --editable .
	@touch $@

.venv/installed-test: .venv/installed
	$(PIP) --editable '.[test]'
	@touch $@

.venv/installed-docs: .venv/installed
	$(PIP) --editable '.[docs]'
	@touch $@

# the peers' environment has packages of its own and, by one line, the very torch of ours
.venv-peers/installed: .venv/installed
	$(BIN)/python -m venv .venv-peers
	$(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))' > "$$(.venv-peers/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/torch-of-ours.pth"
	.venv-peers/bin/python -m pip install -qq --disable-pip-version-check "lightly>=1.6,<1.7"
	@touch $@

clean:
	rm -rf .venv .venv-peers .venv-audit build *.egg-info
