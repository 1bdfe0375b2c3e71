"""Circuits that measure, decide and reset at random, and their values outcome by outcome."""

import numpy as np
from qiskit import ClassicalRegister, QuantumCircuit, QuantumRegister
from qiskit.circuit import Parameter, SwitchCaseOp
from qiskit.circuit.classical import expr
from qiskit.quantum_info import Operator, Statevector

ONE = ("rx", "ry", "rz", "p")


def random_circuit(rng, num_qubits=3, length=14, parameters=3):
    """A circuit with parameters, on two registers of bits."""
    bits, register = ClassicalRegister(2, "a"), ClassicalRegister(2, "b")
    circuit = QuantumCircuit(QuantumRegister(num_qubits), bits, register)
    names = [Parameter(f"t{i}") for i in range(parameters)]
    for name in names:
        circuit.ry(name, int(rng.integers(num_qubits)))
    for _ in range(length):
        kind = rng.integers(10)
        qubit = int(rng.integers(num_qubits))
        if kind < 3:
            circuit.measure(qubit, int(rng.integers(4)))
        elif kind == 3:
            circuit.reset(qubit)
        elif kind < 7:
            _decide(rng, circuit, names)
        else:
            _gates(rng, circuit, names)
    return circuit, names


def _gates(rng, circuit, names):
    qubits = [int(q) for q in rng.permutation(circuit.num_qubits)]
    angle = rng.normal() * names[rng.integers(len(names))] + rng.normal()
    getattr(circuit, ONE[rng.integers(4)])(angle, qubits[0])
    which = rng.integers(4)
    if which == 0 and len(qubits) > 1:
        circuit.cx(*qubits[:2])
    elif which == 1 and len(qubits) > 1:
        circuit.crx(angle, *qubits[:2])
    elif which == 2:
        circuit.h(qubits[-1])


def _decide(rng, circuit, names):
    a, b = circuit.cregs
    conditions = [
        (circuit.clbits[rng.integers(4)], bool(rng.integers(2))),
        (a, int(rng.integers(4))),
        expr.bit_and(expr.lift(a[0]), expr.logic_not(b[1])),
        expr.less(a, b),
        expr.bit_xor(a[1], b[0]),
    ]
    if rng.integers(6) == 0:
        with circuit.switch(b) as case:
            with case(0, 3):
                _gates(rng, circuit, names)
            with case(case.DEFAULT):
                _gates(rng, circuit, names)
        return
    with circuit.if_test(conditions[rng.integers(len(conditions))]) as otherwise:
        _gates(rng, circuit, names)
        if rng.integers(3) == 0:
            circuit.reset(int(rng.integers(circuit.num_qubits)))
        if rng.integers(3) == 0:
            with circuit.if_test((circuit.clbits[rng.integers(4)], 1)):
                circuit.x(int(rng.integers(circuit.num_qubits)))
    if rng.integers(2):
        with otherwise:
            _gates(rng, circuit, names)


def branch_values(circuit, observables):
    """Mean values of a circuit without parameters: every outcome by itself, with its share."""
    start = Statevector.from_int(0, 2**circuit.num_qubits).data
    branches = [(start, (False,) * circuit.num_clbits)]
    for state, _ in (branches := _run(circuit, branches, range(circuit.num_qubits), None)):
        assert state.shape == start.shape
    return [
        sum(np.vdot(state, observable.to_matrix() @ state).real for state, _ in branches)
        for observable in observables
    ]


def _run(circuit, branches, qubits, clbits):
    clbits = range(circuit.num_clbits) if clbits is None else clbits
    place = {q: qubits[i] for i, q in enumerate(circuit.qubits)}
    bit = {c: clbits[i] for i, c in enumerate(circuit.clbits)}
    for item in circuit.data:
        on = [place[q] for q in item.qubits]
        own = [bit[c] for c in item.clbits]
        made = []
        for state, values in branches:
            made += _step(item.operation, state, values, on, own, bit)
        branches = [(state, values) for state, values in made if np.abs(state).max() > 1e-14]
    return branches


def _step(operation, state, values, on, own, bit):
    if operation.name in ("measure", "reset"):
        index = np.arange(len(state)) >> on[0] & 1
        halves = [np.where(index == value, state, 0) for value in (0, 1)]
        if operation.name == "measure":
            k = own[0]
            return [
                (half, (*values[:k], bool(v), *values[k + 1 :])) for v, half in enumerate(halves)
            ]
        down = np.zeros_like(state)
        down[index == 0] = state[index == 1]
        return [(halves[0], values), (down, values)]
    if operation.name in ("if_else", "switch_case"):
        block = _chosen(operation, {c: values[k] for c, k in bit.items()})
        return [(state, values)] if block is None else _run(block, [(state, values)], on, own)
    return [(Statevector(state).evolve(Operator(operation), on).data, values)]


def _chosen(operation, values):
    def number(source):
        if isinstance(source, expr.Expr):
            return evaluated(source)
        if hasattr(source, "__len__"):
            return sum(values[c] << i for i, c in enumerate(source))
        return int(values[source])

    def evaluated(node):
        if isinstance(node, expr.Var):
            return number(node.var)
        if isinstance(node, expr.Cast):
            return evaluated(node.operand)
        if isinstance(node, expr.Unary):
            return int(not evaluated(node.operand))
        left, right = evaluated(node.left), evaluated(node.right)
        return {
            "BIT_AND": left & right, "LOGIC_AND": left and right, "LESS": int(left < right),
            "BIT_XOR": left ^ right,
        }[node.op.name]  # fmt: skip

    if isinstance(operation, SwitchCaseOp):
        found = number(operation.target)
        for labels, block in operation.cases_specifier():
            if any(not isinstance(label, int) or label == found for label in labels):
                return block
        return None
    condition = operation.condition
    holds = (
        number(condition[0]) == condition[1]
        if isinstance(condition, tuple)
        else evaluated(condition)
    )
    return [*operation.blocks, None][0 if holds else 1]
