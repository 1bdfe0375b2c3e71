"""Which pubs a batch leads to."""

import numpy as np
import pytest
from qiskit import QuantumCircuit

from qvlm_qiskit.backends import open_backend
from qvlm_qiskit.blocks import build_core
from qvlm_qiskit.errors import InputError


@pytest.mark.parametrize(
    ("subject", "batch", "says"),
    [
        (QuantumCircuit(1), 1, "QuantumCircuit"),
        ({}, 1, "no quantum layer"),
        ({"a": QuantumCircuit(1)}, 1, "pair"),
        ({"a": (QuantumCircuit(1), ["Z"])}, 0, "at least 1 row"),
        ({"a": (QuantumCircuit(1), ["Z"])}, np.zeros((2, 0)), "number of rows"),
    ],
)
def test_what_cannot_be_understood_is_named(subject, batch, says):
    with pytest.raises(InputError, match=says):
        open_backend("noisy:fake_manila").preflight(subject, batch)


def test_a_layer_is_rehearsed_with_its_own_inputs():
    core = build_core("quantum", 2, 1)
    backend = open_backend("noisy:fake_manila", shots=10)
    rows = np.zeros((5, 3), dtype=np.float32)
    rows[3:] = 0.5
    import torch

    report = backend.preflight(core.layer, torch.as_tensor(rows), mitigations=["none"])
    assert (report.rows, report.levels[0].executions) == (2, 20)  # equal rows are sent once
    again = backend.preflight(
        core.layer, lambda: [core.layer(torch.as_tensor(rows)) for _ in range(3)]
    )
    assert (again.calls, again.rows) == (3, 6)
