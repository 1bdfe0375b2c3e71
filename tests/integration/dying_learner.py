"""A process that buys mitigated values, and dies when its first job was accepted.

python -m tests.integration.dying_learner FOLDER [TILES]
"""

import sys
from pathlib import Path

import numpy as np
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter

from qvlm_qiskit.backends import open_backend
from qvlm_qiskit.jobs import JobStore, Recording, recorded_backend
from tests.integration.test_jobs_on_runtime import PATIENCE, SERVICE

ROOT = Path(__file__).parents[2]
DEVICE = "fake_kolkata"
OBSERVABLES = [["ZI"], ["IZ"]]
VALUES = np.random.default_rng(4).uniform(-3, 3, (2, 1))


def repeated(layers):
    """One layer, as often as asked."""
    circuit, angle = QuantumCircuit(2), Parameter("t")
    for _ in range(layers):
        circuit.ry(angle, 0)
        circuit.ry(angle, 1)
        circuit.cx(0, 1)
    return circuit


CIRCUIT = repeated(4)


def opened(mitigation, shots=200, tiles="none"):
    return open_backend(f"ibm:{DEVICE}", shots=shots, seed=1, mitigation=mitigation, tiles=tiles)


def asked(backend, store, repeated_layers=4, values=VALUES, **recording):
    """The values of the circuit, bought from the service."""
    kept = Recording(policy=PATIENCE, service={**SERVICE, "post_seconds": 3.0}, **recording)
    estimator = recorded_backend(backend, store, kept).estimator()
    pub = (repeated(repeated_layers), OBSERVABLES, values)
    return estimator.run([pub]).result()[0].data.evs


if __name__ == "__main__":
    from tests.jobs.kill_everywhere import Boundaries

    points = Boundaries(fatal=("read the answer to POST /jobs", 1))
    points.watch_client()
    tiles = int(sys.argv[2]) if len(sys.argv) > 2 else "none"
    asked(opened("pea(samples=4,randomizations=2)", tiles=tiles), JobStore(Path(sys.argv[1])))
