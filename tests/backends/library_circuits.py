"""Every circuit and gate of Qiskit's library that has parameters, small, with an observable."""

import warnings
from functools import lru_cache

import numpy as np
from qiskit import QuantumCircuit
from qiskit.circuit import ParameterVector
from qiskit.circuit import library as lib
from qiskit.circuit.library import get_standard_gate_name_mapping
from qiskit.quantum_info import Pauli, SparsePauliOp, Statevector

P = ParameterVector("p", 4)
ZZ = SparsePauliOp(["ZZ", "XI"], [1.0, 0.5])
MIXER = QuantumCircuit(2)
MIXER.rx(P[0], 0)
MIXER.ry(P[1], 1)


def gates(*items):
    """A circuit of (gate, qubits), each between layers that leave no symmetry."""
    circuit = QuantumCircuit(3)
    for gate, qubits in items:
        for qubit in range(3):
            circuit.u(0.3 + qubit, 0.7, -0.4 * qubit, qubit)
        circuit.append(gate, qubits)
    circuit.ry(0.4, 0)
    circuit.rx(1.1, 1)
    circuit.cx(0, 1)
    return circuit


def standard_gates():
    """The standard gates with parameters, by name."""
    for name, gate in get_standard_gate_name_mapping().items():
        if gate.params and name not in ("delay", "global_phase"):
            free = gate.copy()
            free.params = list(P[: len(gate.params)])
            yield name, (lambda free=free: gates((free, list(range(free.num_qubits)))))


FUNCTIONS = {
    "efficient_su2": lambda: lib.efficient_su2(3, reps=1),
    "evolved_operator_ansatz": lambda: lib.evolved_operator_ansatz([ZZ, SparsePauliOp("YX")]),
    "excitation_preserving": lambda: lib.excitation_preserving(3, reps=1),
    "excitation_preserving_fsim": lambda: lib.excitation_preserving(2, "fsim", reps=1),
    "hamiltonian_variational_ansatz": lambda: lib.hamiltonian_variational_ansatz(
        SparsePauliOp(["ZZ", "XI", "IX"]), reps=1
    ),
    "n_local": lambda: lib.n_local(3, ["ry", "p"], "crx", "linear", reps=1),
    "n_local_cp": lambda: lib.n_local(3, ["h", "u"], "cp", "circular", reps=1),
    "n_local_rzz": lambda: lib.n_local(2, ["rx", "rz"], ["rzz", "rxx"], reps=1),
    "pauli_feature_map": lambda: lib.pauli_feature_map(3, reps=2, paulis=["Z", "XX", "ZYZ"]),
    "pauli_two_design": lambda: lib.pauli_two_design(3, reps=1, seed=1),
    "qaoa_ansatz": lambda: lib.qaoa_ansatz(ZZ, reps=2),
    "real_amplitudes": lambda: lib.real_amplitudes(3, reps=1),
    "unitary_overlap": lambda: lib.unitary_overlap(lib.real_amplitudes(2), lib.zz_feature_map(2)),
    "z_feature_map": lambda: lib.z_feature_map(3, reps=2),
    "zz_feature_map": lambda: lib.zz_feature_map(3, reps=2),
    "zz_feature_map_own": lambda: lib.zz_feature_map(
        2, reps=1, data_map_func=lambda x: (np.prod(x) + 1).sin() + x[0] ** 2
    ),
}
CLASSES = {
    "EfficientSU2": lambda: lib.EfficientSU2(2, reps=1),
    "EvolvedOperatorAnsatz": lambda: lib.EvolvedOperatorAnsatz(ZZ),
    "ExcitationPreserving": lambda: lib.ExcitationPreserving(2, reps=1),
    "NLocal": lambda: lib.NLocal(
        2, lib.RYGate(P[0]), lib.CRZGate(P[0]), reps=1, insert_barriers=True
    ),
    "PauliFeatureMap": lambda: lib.PauliFeatureMap(2, reps=1),
    "PauliTwoDesign": lambda: lib.PauliTwoDesign(2, reps=1, seed=1),
    "QAOAAnsatz": lambda: lib.QAOAAnsatz(ZZ),
    "RealAmplitudes": lambda: lib.RealAmplitudes(2, reps=1),
    "TwoLocal": lambda: lib.TwoLocal(2, "ry", "crx", reps=1),
    "UnitaryOverlap": lambda: lib.UnitaryOverlap(lib.RealAmplitudes(2, reps=1), MIXER),
    "ZFeatureMap": lambda: lib.ZFeatureMap(2, reps=1),
    "ZZFeatureMap": lambda: lib.ZZFeatureMap(2, reps=1),
}
GATES = {
    **dict(standard_gates()),
    "two p": lambda: gates((lib.PhaseGate(P[0]), [0]), (lib.PhaseGate(P[1]), [0])),
    "two cp": lambda: gates((lib.CPhaseGate(P[0]), [0, 1]), (lib.CPhaseGate(P[1]), [1, 2])),
    "global_phase": lambda: gates(
        (lib.GlobalPhaseGate(P[0]), []), (lib.GlobalPhaseGate(P[1]), []), (lib.RXGate(P[2]), [0])
    ),
    "GMS": lambda: gates((lib.MSGate(3, P[0]), [0, 1, 2])),
    "GRZ": lambda: gates((lib.GRZ(3, P[0]).to_gate(), [0, 1, 2])),
    "MCPhaseGate": lambda: gates((lib.MCPhaseGate(P[0], 2), [0, 1, 2])),
    "MCU1Gate": lambda: gates((lib.MCU1Gate(P[0], 2), [0, 1, 2])),
    "PauliEvolutionGate": lambda: gates(
        (lib.PauliEvolutionGate(SparsePauliOp(["XX", "ZZ", "YI"]), P[0]), [0, 1])
    ),
    "PauliProductRotationGate": lambda: gates(
        (lib.PauliProductRotationGate(Pauli("XYZ"), P[0]), [0, 1, 2])
    ),
    "control of a rotation": lambda: gates(
        (lib.RYGate(P[0]).control(2, annotated=False), [0, 1, 2]),
        (lib.RZGate(P[1]).control(1, ctrl_state=0), [0, 1]),
    ),
    "cu with a phase": lambda: gates((lib.CUGate(*P), [0, 1]), (lib.CUGate(*P[::-1]), [1, 2])),
    "expressions": lambda: gates(
        (lib.PhaseGate((2 * P[0]).log() - P[0].log()), [0]),
        (lib.PhaseGate(P[0] * P[1] / P[0]), [1]),
        (lib.RXGate(2 ** P[0] + P[2].exp().log()), [2]),
        (lib.RZZGate(P[1] ** P[2]), [0, 1]),
    ),
    "hidden in an instruction": lambda: gates((lib.zz_feature_map(2).to_instruction(), [0, 1])),
}
CIRCUITS = {**FUNCTIONS, **CLASSES, **GATES}


@lru_cache
def problem(name):
    """A circuit of the table, an observable, two rows of values, and the exact expectation."""
    with warnings.catch_warnings():
        # the classes go with Qiskit 3
        warnings.simplefilter("ignore", DeprecationWarning)
        circuit = CIRCUITS[name]()
        circuit.num_parameters  # noqa: B018  (a class of the library builds itself here)
    width = circuit.num_qubits
    labels = ["Z" * width, "X" + "I" * (width - 1), "I" * (width - 1) + "Y"]
    observable = SparsePauliOp(labels, [1.0, 0.5, -0.7])
    rng = np.random.default_rng(len(name))
    rows = rng.uniform(0.2, 1.4, (2, circuit.num_parameters))
    # what machines run of an evolution is its synthesis
    bound = [circuit.assign_parameters(row).decompose(reps=4) for row in rows]
    expected = [Statevector(c).expectation_value(observable).real for c in bound]
    return circuit, observable, rows, np.array(expected)
