# make demo    certify the shipped example; results and evidence go to build/demo
# make test    every check CI runs
# make peers   what other tools make of our envelopes, crates and bills of materials (an environment of its own)
# make cuda    the CUDA kernels compiled for sm_70 and sm_90 and run in the simulator; no card needed, 0.5 GB of wheels
#              in an environment of its own
# make browser the report in a browser: Node.js and chromium are needed, its modules go to build/browser
# make lab     list the experiments of benchmarks/lab.py
# make lab-NAME (or make lab ITEM=NAME)   one of them
# make clean   remove what the above made
#
# The first run sets up .venv; nothing outside this folder is touched.

PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt

# A compiled kernel does not notice when a function it inlines from another file changes, so every state of the
# sources has a cache of its own.
export NUMBA_CACHE_DIR ?= $(CURDIR)/build/numba/$(shell find src -name '*.py' | LC_ALL=C sort | xargs cat | sha256sum | cut -c1-16)

.PHONY: help demo test peers cuda browser lab clean
help:
	@sed -n 's/^# \(make .*\)/\1/p' Makefile

demo: .venv/core
	$(BIN)/hybrid-ai demo -o build/demo

test: .venv/dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/pytest -q -n 2 --dist worksteal -m "not clock" $(PYTEST_ARGS)
	$(BIN)/pytest -q -m clock $(PYTEST_ARGS)

peers: .venv-peers/done
	PYTHONPATH=src .venv-peers/bin/python -m pytest -q tests/peers tests/unit/audit/test_envelope.py

cuda: .venv-cuda/done
	.venv-cuda/bin/python -m pytest -q tests/gpu tests/unit/bounds

browser: .venv/dev
	sh tests/browser/setup.sh build/browser
	HYBRID_AI_BROWSER=build/browser HYBRID_AI_BROWSER_REQUIRED=1 $(BIN)/pytest -q tests/browser

lab: .venv/dev
	$(BIN)/python benchmarks/lab.py $(ITEM) $(LAB_ARGS)

lab-%: .venv/dev
	$(BIN)/python benchmarks/lab.py $* $(LAB_ARGS)

clean:
	rm -rf .venv .venv-peers .venv-cuda build dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find src tests benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or later is needed; point to one: make PYTHON=/path/to/python3" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
	  { echo "Python has no venv module. On Debian and Ubuntu: sudo apt-get install python3-venv" >&2; exit 1; }
	$(PYTHON) -m venv .venv

.venv/core: .venv/bin/python pyproject.toml constraints.txt
	$(PIP) -e .
	@touch $@

.venv/dev: .venv/bin/python pyproject.toml constraints.txt
	$(PIP) -e '.[dev]'
	@touch .venv/core $@

.venv-peers/done: requirements/peers.txt
	$(PYTHON) -m venv .venv-peers
	.venv-peers/bin/pip install --quiet --disable-pip-version-check -r requirements/peers.txt
	@touch $@

.venv-cuda/done: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv-cuda
	.venv-cuda/bin/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev,cuda12]'
	@touch $@
