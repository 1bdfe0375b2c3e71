"""qiskit-addon-cutting's markers, the cuts that it finds, and its own reconstruction."""

import numpy as np
import pytest
import torch
from qiskit import QuantumCircuit
from qiskit.circuit import ParameterVector
from qiskit.quantum_info import PauliList, SparsePauliOp

from qvlm_qiskit.errors import CircuitError
from qvlm_qiskit.quantum import QuantumLayer, cut_layer, make_qnn

addon = pytest.importorskip("qiskit_addon_cutting")

LABELS = ["IIIIZ", "ZIIII", "ZIIIZ", "XIYIX"]
W = ParameterVector("w", 10)


def circuit(marker=None):
    """Two blocks of three qubits that share one, and a marker between them."""
    made = QuantumCircuit(5)
    for number, (a, b) in enumerate([(0, 1), (1, 2), (2, 3), (3, 4), (2, 3)]):
        if number == 2 and marker is not None:
            made.append(marker, [2])
        made.ry(W[2 * number], a)
        made.rx(W[2 * number + 1], b)
        made.cx(a, b)
    return made


def layers(marked):
    """The whole circuit's layer, and the cut one with the same weights."""
    observables = [SparsePauliOp(label) for label in LABELS]
    whole = QuantumLayer(make_qnn(circuit(), [], list(W), observables))
    cut = cut_layer(make_qnn(marked, [], list(W), observables))
    cut.load_state_dict(whole.state_dict())
    return whole, cut, whole.weight.detach().double()


def test_a_marked_wire_is_cut_and_the_addon_finds_the_same_values():
    from qiskit_addon_cutting.instructions import CutWire
    from qiskit_addon_cutting.utils.simulation import ExactSampler

    _, cut, weight = layers(circuit(CutWire()))
    bound = circuit(CutWire()).assign_parameters(weight.numpy())
    expanded = addon.cut_wires(bound)
    observables = addon.expand_observables(PauliList(LABELS), bound, expanded)
    parts = addon.partition_problem(circuit=expanded, observables=observables)
    subexperiments, coefficients = addon.generate_cutting_experiments(
        parts.subcircuits, parts.subobservables, np.inf
    )
    results = {k: ExactSampler().run(v).result() for k, v in subexperiments.items()}
    expected = addon.reconstruct_expectation_values(results, coefficients, parts.subobservables)
    found = cut(weight.new_zeros(0), weight)
    torch.testing.assert_close(found, torch.tensor(expected).double(), atol=1e-10, rtol=0)
    widths = sorted(one.num_qubits for one in parts.subcircuits.values())
    assert widths == sorted(cut.overhead.qubits)
    assert np.prod([basis.overhead for basis in parts.bases]) == cut.overhead.sampling
    # two bases of each of 8: here three above and four below do
    assert [len(each) for each in subexperiments.values()] == [16, 16]


def test_the_wires_that_the_addon_finds_are_cut():
    options = addon.OptimizationParameters(seed=1, gate_lo=False)
    marked, found = addon.find_cuts(circuit(), options, addon.DeviceConstraints(3))
    whole, cut, weight = layers(marked)
    assert {kind for kind, _ in found["cuts"]} == {"Wire Cut"}
    assert max(cut.overhead.qubits) <= 3
    assert cut.overhead.sampling == found["sampling_overhead"]
    none = weight.new_zeros(0)
    torch.testing.assert_close(cut(none, weight), whole(none, weight), atol=1e-10, rtol=0)


def test_a_gate_that_the_addon_cuts_is_refused():
    options = addon.OptimizationParameters(seed=1, wire_lo=False)
    marked, _ = addon.find_cuts(circuit(), options, addon.DeviceConstraints(3))
    with pytest.raises(CircuitError, match="gate_lo=False"):
        layers(marked)
