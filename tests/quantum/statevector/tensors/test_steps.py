from unittest import mock

import numpy as np
import torch
from qiskit.quantum_info import SparsePauliOp

from qvlm_qiskit.quantum.program.program import compile_circuit
from qvlm_qiskit.quantum.statevector import engine as statevector
from qvlm_qiskit.quantum.statevector.engine import StatevectorEngine
from qvlm_qiskit.quantum.statevector.tensors import steps
from tests.quantum.statevector.tensors.everything import everything


def test_gates_stay_matrices_where_tables_would_be_too_large(twin):
    circuit, x, w = everything()
    rng = np.random.default_rng(3)
    rows = rng.uniform(-3, 3, (2, 6))
    rows[1, 3:] = rows[0, 3:]
    observables = [SparsePauliOp("XYZ"), SparsePauliOp("ZIZ")]
    with (
        mock.patch.object(steps, "MAX_TABLE_QUBITS", 2),
        mock.patch.object(statevector, "MAX_SWEEP_QUBITS", -1),
    ):
        engine = StatevectorEngine(compile_circuit(circuit, [*x, *w]), observables, 3)
        kinds = {type(step) for step in engine.tensor_executor._steps}
        values = engine.expectations(torch.as_tensor(rows[:, :3]), torch.as_tensor(rows[0, 3:]))
    assert kinds.isdisjoint({steps.Permutation, steps.Diagonal})
    expected = twin(circuit, observables, rows, [*x, *w])
    np.testing.assert_allclose(values.numpy(), expected, atol=1e-12, rtol=0)


def test_every_kind_of_step_occurs():
    circuit, x, w = everything()
    found = [type(step).__name__ for step in steps.steps_of(compile_circuit(circuit, [*x, *w]))]
    assert found == [
        *("GateLayer", "Permutation", "Diagonal", "FixedUnitary"),
        *("PauliRotation", "PauliRotation", "GateLayer"),
    ]
