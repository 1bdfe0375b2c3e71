"""Random circuits, observables and parameters, and their comparison with the slow twin."""

import numpy as np
import torch
from hypothesis import strategies as st
from qiskit import QuantumCircuit
from qiskit.circuit import ParameterVector
from qiskit.circuit import library as lib
from qiskit.quantum_info import (
    SparsePauliOp,
    random_unitary,
)

from qvlm_qiskit.quantum.program.program import compile_circuit
from qvlm_qiskit.quantum.statevector.engine import StatevectorEngine

X = ParameterVector("x", 2)
W = ParameterVector("w", 2)
PARAMETERS = [*X, *W]

# what may stand in a gate: constants, affine and other expressions of inputs and weights
ANGLES = {
    "constant": lambda c: c,
    "x0": lambda c: X[0],
    "w0": lambda c: W[0],
    "scaled": lambda c: 2 * X[1] + c,
    "negated": lambda c: -W[1] / 2,
    "sum": lambda c: X[0] - W[0] + c,
    "product": lambda c: 2 * W[0] * X[0],
    "feature map": lambda c: (np.pi - X[0]) * (np.pi - X[1]),
    "sine": lambda c: X[0].sin() + W[1],
    "weights only": lambda c: W[0] * W[1] + W[0].cos(),
}

# name → (qubits, angles, gate of those angles)
GATES = {
    "h": (1, 0, lib.HGate),
    "s": (1, 0, lib.SGate),
    "tdg": (1, 0, lib.TdgGate),
    "sx": (1, 0, lib.SXGate),
    "y": (1, 0, lib.YGate),
    "id": (1, 0, lib.IGate),
    "rx": (1, 1, lib.RXGate),
    "ry": (1, 1, lib.RYGate),
    "rz": (1, 1, lib.RZGate),
    "p": (1, 1, lib.PhaseGate),
    "u1": (1, 1, lib.U1Gate),
    "u2": (1, 2, lib.U2Gate),
    "u3": (1, 3, lib.U3Gate),
    "u": (1, 3, lib.UGate),
    "r": (1, 2, lib.RGate),
    "cx": (2, 0, lib.CXGate),
    "cx_o0": (2, 0, lambda: lib.CXGate(ctrl_state=0)),
    "cy": (2, 0, lib.CYGate),
    "cz": (2, 0, lib.CZGate),
    "ch": (2, 0, lib.CHGate),
    "csx": (2, 0, lib.CSXGate),
    "ecr": (2, 0, lib.ECRGate),
    "dcx": (2, 0, lib.DCXGate),
    "swap": (2, 0, lib.SwapGate),
    "iswap": (2, 0, lib.iSwapGate),
    "crx": (2, 1, lib.CRXGate),
    "cry": (2, 1, lib.CRYGate),
    "crz": (2, 1, lib.CRZGate),
    "cp": (2, 1, lib.CPhaseGate),
    "cu1": (2, 1, lib.CU1Gate),
    "cu3": (2, 3, lib.CU3Gate),
    "cu": (2, 4, lib.CUGate),
    "crx_o0": (2, 1, lambda a: lib.CRXGate(a, ctrl_state=0)),
    "cry_o0": (2, 1, lambda a: lib.CRYGate(a, ctrl_state=0)),
    "crz_o0": (2, 1, lambda a: lib.CRZGate(a, ctrl_state=0)),
    "cp_o0": (2, 1, lambda a: lib.CPhaseGate(a, ctrl_state=0)),
    "cu_o0": (2, 4, lambda *a: lib.CUGate(*a, ctrl_state=0)),
    "rxx": (2, 1, lib.RXXGate),
    "ryy": (2, 1, lib.RYYGate),
    "rzz": (2, 1, lib.RZZGate),
    "rzx": (2, 1, lib.RZXGate),
    "xx_plus_yy": (2, 2, lib.XXPlusYYGate),
    "xx_minus_yy": (2, 2, lib.XXMinusYYGate),
    "ccx": (3, 0, lib.CCXGate),
    "ccx_o1": (3, 0, lambda: lib.CCXGate(ctrl_state=1)),
    "ccz": (3, 0, lib.CCZGate),
    "cswap": (3, 0, lib.CSwapGate),
    "mcp": (3, 1, lambda a: lib.MCPhaseGate(a, 2)),
    "mcp_o1": (3, 1, lambda a: lib.MCPhaseGate(a, 2, ctrl_state=1)),
    "ccry": (3, 1, lambda a: lib.RYGate(a).control(2, annotated=False)),
}


@st.composite
def gate_applications(draw, num_qubits, names):
    name = draw(st.sampled_from([n for n in names if GATES[n][0] <= num_qubits]))
    width, num_angles, gate = GATES[name]
    qubits = draw(st.permutations(range(num_qubits)))[:width]
    angles = [
        ANGLES[draw(st.sampled_from(list(ANGLES)))](draw(st.sampled_from([0.0, 0.37, -1.9])))
        for _ in range(num_angles)
    ]
    return gate(*angles), qubits


@st.composite
def pauli_sums(draw, num_qubits):
    labels = draw(
        st.lists(
            st.text("IXYZ", min_size=num_qubits, max_size=num_qubits),
            min_size=1,
            max_size=4,
            unique=True,
        )
    )
    coefficients = [draw(st.sampled_from([1.0, -0.5, 0.25])) / len(labels) for _ in labels]
    return SparsePauliOp(labels, coefficients)


@st.composite
def circuits(draw, max_qubits=4, max_gates=10):
    num_qubits = draw(st.integers(1, max_qubits))
    circuit = QuantumCircuit(num_qubits)
    for gate, qubits in draw(
        st.lists(gate_applications(num_qubits, list(GATES)), min_size=1, max_size=max_gates)
    ):
        circuit.append(gate, qubits)
        if draw(st.integers(0, 9)) == 0:
            seed = draw(st.integers(0, 50))
            circuit.append(lib.UnitaryGate(random_unitary(2, seed=seed)), [qubits[0]])
        if draw(st.integers(0, 9)) == 0:
            circuit.barrier()
    return circuit


@st.composite
def problems(draw, max_qubits=4, max_gates=10, batches=(1, 3, 18)):
    """A circuit, observables, and rows of parameters whose weights are the same in every row."""
    circuit = draw(circuits(max_qubits, max_gates))
    observables = draw(st.lists(pauli_sums(circuit.num_qubits), min_size=1, max_size=3))
    rng = np.random.default_rng(draw(st.integers(0, 2**16)))
    rows = rng.uniform(-1.5, 1.5, size=(draw(st.sampled_from(batches)), len(PARAMETERS)))
    rows[:, len(X) :] = rows[0, len(X) :]
    return circuit, observables, rows.astype(np.float32).astype(np.float64)


def check_values(problem, twin, engine):
    circuit, observables, rows = problem
    expected = twin(circuit, observables, rows, PARAMETERS)
    shared = engine(circuit, observables, rows, PARAMETERS, len(X))
    np.testing.assert_allclose(shared, expected, atol=1e-10, rtol=0)
    all_batched = engine(circuit, observables, rows, PARAMETERS)
    np.testing.assert_allclose(all_batched, expected, atol=1e-10, rtol=0)
    none_batched = engine(circuit, observables, rows[:1], PARAMETERS, 0)
    np.testing.assert_allclose(none_batched, expected[:1], atol=1e-10, rtol=0)


def check_jacobian(problem, twin_jacobian):
    circuit, observables, rows = problem
    engine = StatevectorEngine(compile_circuit(circuit, PARAMETERS), observables, len(X))

    def values(inputs, weights):
        return engine.expectations(inputs[None], weights)[0]

    row = torch.as_tensor(rows[0])
    blocks = torch.autograd.functional.jacobian(values, (row[: len(X)], row[len(X) :]))
    jacobian = torch.cat(blocks, dim=-1).numpy()
    expected = twin_jacobian(circuit, observables, rows[0], PARAMETERS)
    np.testing.assert_allclose(jacobian, expected, atol=1e-6, rtol=0)
