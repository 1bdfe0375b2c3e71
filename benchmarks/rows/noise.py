"""What ``benchmarks/noise.py`` measures: one circuit, on our engine and on Aer."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from timing import interleave, repeat, spread

DEVICE = "fake_torino"
Results = dict[str, Any]


class Case:
    """A block's circuit on the device, its noise without readout error, and values for it."""

    def __init__(self, num_qubits: int) -> None:
        """Compile; the time for that is everybody's alike."""
        import numpy as np

        from qvlm_qiskit.backends import open_backend, open_noise
        from qvlm_qiskit.blocks.core import build_core

        self.network = build_core("quantum", num_qubits, 2, False).layer.neural_network
        self.isa = open_backend(f"noisy:{DEVICE}", seed=0).compile(
            self.network.circuit, self.network.observables
        )
        spec = open_noise(DEVICE)
        silent = [replace(q, p_meas1_prep0=0.0, p_meas0_prep1=0.0) for q in spec.qubits]
        self.spec = replace(spec, qubits=tuple(silent))
        own = {p.name: p for p in self.isa.circuit.parameters}
        names = [*self.network.input_params, *self.network.weight_params]
        self.parameters = [own[p.name] for p in names]
        rng = np.random.default_rng(0)
        self.inputs = rng.uniform(-np.pi, np.pi, (64, self.network.num_inputs))
        self.weights = rng.uniform(-np.pi, np.pi, self.network.num_weights)

    def observables(self) -> list[Any]:
        """On the device's qubits."""
        from qiskit.quantum_info import SparsePauliOp

        array = self.isa.observables.sparse_observables_array().ravel()
        return [SparsePauliOp.from_sparse_observable(observable) for observable in array]

    def engine(self) -> Any:
        """Ours, with everything that is done once per circuit."""
        from qvlm_qiskit.quantum import TorchEstimator

        estimator = TorchEstimator(noise_model=self.spec, dtype="complex128")
        return estimator.engine(
            self.isa.circuit, self.observables(), self.parameters, self.network.num_inputs
        )

    def pub(self, batch: int, reduced: bool) -> tuple[Any, Any, Any]:
        """All observables against all samples; on the active qubits only if ``reduced``."""
        import numpy as np
        from qiskit.primitives.containers.observables_array import ObservablesArray

        from qvlm_qiskit.backends.pubs.active_qubits import (
            active_qubits,
            restrict_circuit,
            restrict_observables,
        )

        circuit, observables = self.isa.circuit, ObservablesArray.coerce(self.observables())
        if reduced:
            qubits = active_qubits(circuit, observables)
            circuit = restrict_circuit(circuit, qubits)
            observables = restrict_observables(observables, qubits)
        whole = [*self.inputs[:batch].T, *(np.full(batch, w) for w in self.weights)]
        columns = {p.name: c for p, c in zip(self.parameters, whole, strict=True)}
        values = np.stack([columns[p.name] for p in circuit.parameters], axis=-1)
        return circuit, observables.reshape(-1, 1), values

    def aer(self, reduced: bool) -> Any:
        """Aer's EstimatorV2 with this noise: for the whole device, or the active qubits."""
        from qiskit_aer import AerSimulator
        from qiskit_aer.primitives import EstimatorV2

        from qvlm_qiskit.backends.devices.fake_devices import fake_device
        from qvlm_qiskit.backends.pubs.active_qubits import active_qubits
        from qvlm_qiskit.noise_models import build, restricted

        if not reduced:
            return EstimatorV2.from_backend(AerSimulator.from_backend(fake_device(DEVICE)))
        _, observables, _ = self.pub(1, reduced=False)
        model = build(restricted(self.spec, active_qubits(self.isa.circuit, observables)))
        return EstimatorV2.from_backend(AerSimulator(method="density_matrix", noise_model=model))


def forward(case: Case, batch: int, options: argparse.Namespace) -> Results:
    """Values of all samples and observables: set-up, time per call, deviation."""
    import numpy as np
    import torch

    start = time.perf_counter()
    engine = case.engine()
    setup = {"ours": time.perf_counter() - start}
    inputs, weights = torch.tensor(case.inputs[:batch]), torch.tensor(case.weights)

    def ours() -> Any:
        with torch.no_grad():
            return engine.expectations(inputs, weights).numpy()

    calls: dict[str, Callable[[], Any]] = {"ours": ours}
    for name, reduced in (("aer", True), ("aer, whole device", False)):
        if options.smoke and not reduced:
            continue
        start = time.perf_counter()
        estimator = case.aer(reduced)
        setup[name] = time.perf_counter() - start
        pub = case.pub(batch, reduced)
        calls[name] = lambda estimator=estimator, pub=pub: (
            estimator.run([pub], precision=0.0).result()[0].data.evs.T
        )
    values = {name: call() for name, call in calls.items()}
    times = interleave(calls, options.rounds, 0.01 if options.smoke else 0.5)
    return {
        "device": DEVICE,
        "qubits": case.network.circuit.num_qubits,
        "batch": batch,
        "observables": len(case.network.observables),
        "two_qubit_gates": case.isa.two_qubit_gates,
        "entries": {
            name: {
                "setup_s": setup[name],
                "ms": times[name],
                "ratio": times[name]["median"] / times["ours"]["median"],
                "deviation": float(np.abs(found - values["ours"]).max()),
            }
            for name, found in values.items()
        },
    }


def gradient(case: Case, batch: int, options: argparse.Namespace) -> Results:
    """All gradients by inputs and weights: autograd against the shift rule on reduced Aer."""
    import numpy as np
    from qiskit_machine_learning.neural_networks import EstimatorQNN

    from qvlm_qiskit.quantum import BatchedEstimatorGradient

    step = _step(case, case.engine(), batch)
    circuit, observables, _ = case.pub(1, reduced=True)
    estimator = case.aer(reduced=True)
    split = case.network.num_inputs
    network = EstimatorQNN(
        circuit=circuit,
        estimator=estimator,
        observables=list(observables.sparse_observables_array().ravel()),
        input_params=case.parameters[:split],
        weight_params=case.parameters[split:],
        gradient=BatchedEstimatorGradient(estimator, precision=0.0),
        input_gradients=True,
        default_precision=0.0,
    )

    def shifted() -> Any:
        by_inputs, by_weights = network.backward(case.inputs[:batch], case.weights)
        return by_inputs.sum(1), by_weights.sum((0, 1))

    found, expected = step(), shifted()
    deviation = max(
        float(np.abs(one.detach().numpy() - other).max())
        for one, other in zip(found, expected, strict=True)
    )
    seconds = 0.01 if options.smoke else 0.5
    ours = spread([t for _ in range(options.rounds) for t in repeat(step, seconds)])
    theirs = spread(repeat(shifted, seconds))
    return {
        "batch": batch,
        "ours": ours,
        "aer": theirs,
        "ratio": theirs["median"] / ours["median"],
        "deviation": deviation,
    }


def scaling(num_qubits: int, options: argparse.Namespace) -> Results:
    """Forward and gradient of 8 samples, over the number of qubits."""
    case = Case(num_qubits)
    start = time.perf_counter()
    engine = case.engine()
    setup = time.perf_counter() - start
    step = _step(case, engine, 8)
    step()
    seconds = 0.01 if options.smoke else 0.5
    return {
        "qubits": num_qubits,
        "two_qubit_gates": case.isa.two_qubit_gates,
        "setup_s": setup,
        "gradient_ms": spread([t for _ in range(options.rounds) for t in repeat(step, seconds)]),
    }


def _step(case: Case, engine: Any, batch: int) -> Callable[[], Any]:
    import torch

    inputs = torch.tensor(case.inputs[:batch], requires_grad=True)
    weights = torch.tensor(case.weights, requires_grad=True)

    def step() -> Any:
        return torch.autograd.grad(engine.expectations(inputs, weights).sum(), (inputs, weights))

    return step
