# make demo, make test: both set up their own .venv first (once), from the tested versions in
# constraints.txt. On a bare Debian: apt-get install make python3.11 python3.11-venv.
# Another Python beside it: make PYTHON=python3.12 VENV=.venv-3.12 test
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: demo test lint slow lowest docs results bench bench-gpu setup clean
.DEFAULT_GOAL := test

setup: $(READY)

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --progress-bar off -c constraints.txt setuptools
	$(BIN)/python -m pip install --quiet --progress-bar off -c constraints.txt -e '.[all,dev]'
	$(BIN)/python -c 'from qvlm_qiskit.quantum.statevector.cpu.warm_up import warm_up; warm_up()'
	touch $@

demo: $(READY)
	$(BIN)/qvlm demo --out runs/demo --overwrite

test: lint
	$(BIN)/python -m pytest -n 2 --dist worksteal

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

slow: $(READY)
	$(BIN)/python -m pytest -m slow -n 2 --dist loadscope

# The layer, the backends and the ledger on the lowest versions that pyproject.toml allows.
lowest: .venv-lowest/.ready
	.venv-lowest/bin/python -m pytest tests/quantum/test_layer.py tests/backends/test_catalog.py \
	  tests/backends/test_stack.py tests/backends/mitigation/test_mitigator.py tests/jobs/ledger

.venv-lowest/.ready: pyproject.toml constraints-lowest.txt
	$(PYTHON) -m venv .venv-lowest
	.venv-lowest/bin/python -m pip install --quiet --progress-bar off -c constraints-lowest.txt setuptools
	.venv-lowest/bin/python -m pip install --quiet --progress-bar off -c constraints-lowest.txt -e '.[all,dev]'
	touch $@

docs: $(READY)
	$(BIN)/python docs/make_cli_reference.py
	$(BIN)/python docs/make_mitigation_table.py
	$(BIN)/python docs/make_faults_table.py
	$(BIN)/python docs/make_noise_study.py
# The benchmark's peers live in an environment of their own.
bench: .venv-bench/.ready
	.venv-bench/bin/python benchmarks/engine.py --json benchmarks/results/engine.json

.venv-bench/.ready: benchmarks/requirements.txt constraints.txt pyproject.toml
	$(PYTHON) -m venv .venv-bench
	.venv-bench/bin/python -m pip install --quiet --progress-bar off -c constraints.txt setuptools
	.venv-bench/bin/python -m pip install --quiet --progress-bar off -c constraints.txt -e .
	.venv-bench/bin/python -m pip install --quiet --progress-bar off -c constraints.txt -r benchmarks/requirements.txt
	touch $@

# On a machine with a CUDA device, and a torch that is built for it.
bench-gpu: $(READY)
	$(BIN)/python benchmarks/gpu.py --json benchmarks/results/gpu.json

results: $(READY)
	$(BIN)/python docs/make_results.py

clean:
	rm -rf $(VENV) .venv-bench .venv-lowest build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache
