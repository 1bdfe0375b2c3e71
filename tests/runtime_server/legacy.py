"""Run the older `estimator` programs, whose mitigation happened on the server.

The mitigation is not imitated: whatever the resilience level, expectation values are those of the
noisy device, as the job's log says.
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np
from qiskit.primitives import BackendEstimatorV2, PrimitiveResult, PubResult
from qiskit.primitives.containers import DataBin
from qiskit.primitives.containers.estimator_pub import EstimatorPub
from qiskit_aer import AerSimulator
from qiskit_ibm_runtime.json import RuntimeDecoder, RuntimeEncoder

from qvlm_qiskit.backends.pubs.active_qubits import (
    ReducedBackend,
    active_qubits,
    restrict_circuit,
    restrict_observables,
)

from .machines import Machine
from .records import Outcome

DEFAULT_PRECISION = 0.015625


def run_estimator(params: dict[str, Any], machine: Machine, instant: bool, seed: int) -> Outcome:
    """Run the pubs of a legacy estimator job.

    Args:
        params: `pubs` and options, as in the job's payload.
        machine: Where to run.
        instant: Every value 1 and nothing simulated.
        seed: Of the simulation.
    """
    inputs = json.loads(json.dumps(params), cls=RuntimeDecoder)
    precision = _default_precision(inputs)
    pubs = [EstimatorPub.coerce(_pub(raw, precision)) for raw in inputs["pubs"]]
    answers = [_ones(pub) if instant else _run(pub, machine, seed) for pub in pubs]
    result = PrimitiveResult(answers, metadata={"version": 2})
    level = inputs.get("resilience_level", 1)
    logs = f"resilience_level {level} is not applied: values are those of the noisy device\n"
    executions = sum(pub.size * _shots(pub) for pub in pubs)
    return Outcome(json.dumps(result, cls=RuntimeEncoder), executions, logs)


def _default_precision(inputs: dict[str, Any]) -> float:
    options = inputs.get("options", {})
    if options.get("default_shots"):
        return float(options["default_shots"] ** -0.5)
    return float(options.get("default_precision") or DEFAULT_PRECISION)


def _pub(raw: Any, precision: float) -> tuple[Any, ...]:
    """The pub's four fields; a JSON list of observables stays as nested as it is."""
    circuit, observables, values, own = (*raw, None, None)[:4]
    return (circuit, observables, values, own or precision)


def _shots(pub: EstimatorPub) -> int:
    return int(np.ceil(1.0 / pub.precision**2))


def _run(pub: EstimatorPub, machine: Machine, seed: int) -> PubResult:
    qubits = active_qubits(pub.circuit, pub.observables)
    reduced = EstimatorPub(
        restrict_circuit(pub.circuit, qubits),
        restrict_observables(pub.observables, qubits),
        pub.parameter_values,
        pub.precision,
    )
    simulator = AerSimulator.from_backend(ReducedBackend(machine.device, qubits))
    estimator = BackendEstimatorV2(backend=simulator, options={"seed_simulator": seed})
    answer = estimator.run([reduced]).result()[0]
    return PubResult(answer.data, {**_metadata(pub), "active_qubits": list(qubits)})


def _ones(pub: EstimatorPub) -> PubResult:
    ones, zeros = np.ones(pub.shape), np.zeros(pub.shape)
    return PubResult(DataBin(evs=ones, stds=zeros, shape=pub.shape), _metadata(pub))


def _metadata(pub: EstimatorPub) -> dict[str, Any]:
    return {"shots": _shots(pub), "target_precision": pub.precision}
