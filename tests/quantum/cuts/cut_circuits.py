"""Random circuits that can be cut, and one that is small."""

from qiskit import QuantumCircuit
from qiskit.circuit import ParameterVector
from qiskit.quantum_info import SparsePauliOp

from qvlm_qiskit.quantum import make_qnn
from tests.quantum.problems import ANGLES, GATES, W, X


def random_cut(rng, qubits=6, cuts=2, gates=18):
    """A network and where it can be cut: qubits move between up to three fragments.

    Fragments may be entered again, cuts may lie in a row on one wire, and qubits may stay idle.
    """
    homes = [int(home) for home in rng.integers(0, 3, qubits)]
    circuit, at, touched = QuantumCircuit(qubits), [], set()
    while len(circuit.data) < gates or len(at) < cuts:
        if touched and len(at) < cuts and rng.random() < 0.3:
            qubit = int(rng.choice(sorted(touched)))
            at.append((qubit, len(circuit.data)))
            homes[qubit] = (homes[qubit] + int(rng.integers(1, 3))) % 3
            touched -= {qubit}
            touched |= _append(circuit, rng, homes, qubit)
        else:
            touched |= _append(circuit, rng, homes, int(rng.integers(qubits)))
    return network(circuit, _observables(rng, qubits)), at


def _append(circuit, rng, homes, qubit):
    """Some gate on a qubit and others that are at home with it."""
    others = [q for q, home in enumerate(homes) if home == homes[qubit] and q != qubit]
    least = min(2, 1 + len(others)) if rng.random() < 0.7 else 1
    fitting = [name for name, (width, _, _) in GATES.items() if least <= width <= 1 + len(others)]
    width, count, gate = GATES[rng.choice(fitting)]
    chosen = [qubit, *(int(q) for q in rng.permutation(others)[: width - 1])]
    names = rng.choice(list(ANGLES), count)
    angles = [ANGLES[name](rng.uniform(-1, 1)) for name in names]
    circuit.append(gate(*angles), [int(q) for q in rng.permutation(chosen)])
    if rng.random() < 0.1:
        circuit.barrier()
    return set(chosen)


def _observables(rng, qubits):
    strings = ["".join(rng.choice(list("IIXYZ"), qubits)) for _ in range(5)]
    sums = [SparsePauliOp(strings[i : i + 2], rng.uniform(-1, 1, 2)) for i in (0, 2)]
    return [*sums, SparsePauliOp("I" * qubits, 0.5), SparsePauliOp(strings[4])]


def network(circuit, observables):
    """Inputs and weights are those that the circuit has."""
    inputs, weights = ([p for p in given if p in circuit.parameters] for given in (X, W))
    return make_qnn(circuit, inputs, weights, observables)


def brick(qubits, blocks):
    """A circuit of gates on pairs, block by block, its inputs and its weights."""
    pairs = [pair for block in blocks for pair in block]
    x, w = ParameterVector("x", qubits), ParameterVector("w", 2 * len(pairs))
    circuit = QuantumCircuit(qubits)
    for qubit in range(qubits):
        circuit.ry(x[qubit], qubit)
    for number, (a, b) in enumerate(pairs):
        circuit.ry(w[2 * number], a)
        circuit.rx(w[2 * number + 1], b)
        circuit.cx(a, b)
    return circuit, list(x), list(w)


def two_fragments(**options):
    """Five qubits in fragments of three, with one cut: network and place."""
    circuit, x, w = brick(5, [[(0, 1), (1, 2)], [(2, 3), (3, 4)]])
    observables = [SparsePauliOp(one) for one in ("IIIIZ", "ZIIIZ", "XIYII")]
    observables.append(SparsePauliOp(["IXIII", "IIIII"], [0.5, 0.25]))
    return make_qnn(circuit, x, w, observables, **options), (2, 11)
