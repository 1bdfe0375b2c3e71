import numpy as np
import pytest
from qiskit.circuit import QuantumCircuit

from qvlm_qiskit.studies.search.circuits import (
    GATES,
    KINDS,
    circuit_of,
    graphs_of,
    random_plan,
    random_plans,
)


def test_random_circuits_are_what_was_asked_for():
    plans = random_plans(4, 10, 5, 50, 0)
    assert len(set(plans)) == 50
    assert {name for plan in plans for name, _ in plan} == set(GATES)
    for plan in plans:
        circuit = circuit_of(plan, 4)
        assert circuit.size() == 10 and circuit.depth() <= 5
        assert circuit.num_parameters == sum(GATES[name] for name, _ in plan)
    assert plans == random_plans(4, 10, 5, 50, 0) != random_plans(4, 10, 5, 50, 1)


def test_a_full_grid_of_gates_can_be_drawn():
    plan = random_plan(2, 6, 3, np.random.default_rng(0))
    assert circuit_of(plan, 2).size() == 6


def test_parameters_are_in_the_order_of_the_gates():
    circuit = circuit_of((("u", (1,)), ("rx", (0,))), 2)
    wanted = QuantumCircuit(2)
    wanted.u(0.1, 0.2, 0.3, 1)
    wanted.rx(0.4, 0)
    assert circuit.assign_parameters([0.1, 0.2, 0.3, 0.4]) == wanted


def test_edges_are_the_wires():
    graphs = graphs_of([(("h", (0,)), ("cx", (1, 0)))], 2)
    assert graphs.edges[0].tolist() == [[0, 1, 1, 0], [0, 0, 1, 0], [0, 0, 0, 1], [0, 0, 0, 0]]
    kinds = graphs.features[0, :, : len(KINDS)].argmax(-1)
    assert [KINDS[k] for k in kinds] == ["start", "h", "cx", "end"]
    places = graphs.features[0, :, len(KINDS) :].reshape(4, 2, 2)
    assert places[2].tolist() == [[0, 1], [1, 0]]
    assert not places[0].any() and places[1].tolist() == [[1, 0], [0, 0]]


def test_an_idle_wire_leads_from_the_start_to_the_end():
    graphs = graphs_of([(("h", (0,)),)], 2)
    assert graphs.edges[0, 0].tolist() == [0, 1, 1]


def test_two_graphs_are_equal_where_only_the_order_of_writing_differs():
    one, two = graphs_of([(("h", (0,)), ("x", (1,))), (("x", (1,)), ("h", (0,)))], 2).edges
    assert np.array_equal(one, two)


@pytest.mark.parametrize("pair", ["cx", "cz", "swap"])
def test_gates_of_two_qubits_are_qiskits(pair):
    circuit = circuit_of(((pair, (1, 0)),), 2)
    wanted = QuantumCircuit(2)
    getattr(wanted, pair)(1, 0)
    assert circuit == wanted
