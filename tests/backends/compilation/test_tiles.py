"""Tiles of a device, against an obvious search and on three kinds of maps."""

import itertools

import numpy as np
import pytest
import rustworkx as rx
from qiskit import QuantumCircuit
from qiskit.circuit import Measure, Parameter
from qiskit.circuit.library import CZGate, RZGate, SXGate
from qiskit.transpiler import InstructionProperties, Target

from qvlm_qiskit.backends import Compiler
from qvlm_qiskit.backends.compilation.placement import log_success
from qvlm_qiskit.backends.compilation.tile_rule import TileRule
from qvlm_qiskit.backends.compilation.tiles import around, coupled, find_tiles
from qvlm_qiskit.backends.devices.fake_devices import fake_device
from qvlm_qiskit.errors import InputError

pytestmark = pytest.mark.filterwarnings("ignore:Properties of fake_nighthawk")


def device(edges, seed=0, errors=True):
    """A device whose couplers work in both directions, with errors that all differ."""
    rng = np.random.default_rng(seed)
    count = 1 + max(itertools.chain(*edges))

    def of(size):
        error = float(rng.uniform(0.2, 1.0)) * 10.0**-size if errors else None
        return InstructionProperties(error=error)

    target = Target(num_qubits=count)
    target.add_instruction(SXGate(), {(q,): of(4) for q in range(count)})
    target.add_instruction(RZGate(Parameter("t")), {(q,): None for q in range(count)})
    both = {}
    for pair in edges:
        both[pair] = both[pair[::-1]] = of(2)
    target.add_instruction(CZGate(), both)
    target.add_instruction(Measure(), {(q,): of(2) for q in range(count)})
    return target


def grid(rows, columns):
    graph = rx.generators.grid_graph(rows, columns)
    return [tuple(edge) for edge in graph.edge_list()]


def chain(length, reps=1):
    circuit = QuantumCircuit(length)
    for _ in range(reps):
        for qubit in range(length):
            circuit.ry(Parameter(f"t{_}{qubit}"), qubit)
        for qubit in range(length - 1):
            circuit.cz(qubit, qubit + 1)
    return circuit


def compiled(circuit, target):
    isa = Compiler(target, 1, trials=1).isa(circuit)
    return isa.circuit, isa.final_layout


def moved_log_success(circuit, measured, tile, target):
    """The slow twin: the circuit rebuilt on the tile, then counted gate by gate."""
    there = QuantumCircuit(target.num_qubits)
    for item in circuit.data:
        qubits = [tile.placement[circuit.find_bit(bit).index] for bit in item.qubits]
        there.append(item.operation, qubits)
    return log_success(there, target, [tile.placement[q] for q in measured])


@pytest.mark.parametrize("name", ["fake_kingston", "fake_torino", "fake_nighthawk"])
@pytest.mark.parametrize("spacing", [0, 1, 2])
def test_tiles_run_the_circuit_apart_from_each_other_and_the_best_come_first(name, spacing):
    target = fake_device(name).target
    circuit, measured = compiled(chain(4), target)
    tiles = find_tiles(circuit, measured, target, TileRule("auto", 100.0, spacing))
    assert len(tiles) >= {0: 20, 1: 12, 2: 6}[spacing]
    for tile in tiles:
        assert tile.log_success == pytest.approx(
            moved_log_success(circuit, measured, tile, target), abs=1e-12
        )
    assert [t.error for t in tiles] == sorted(t.error for t in tiles)
    graph = rx.PyGraph()
    graph.add_nodes_from(range(target.num_qubits))
    graph.add_edges_from_no_data([(a, b) for a, of in coupled(target).items() for b in of])
    far = rx.graph_distance_matrix(graph, null_value=np.inf)
    for one, other in itertools.combinations(tiles, 2):
        assert far[np.ix_(one.qubits, other.qubits)].min() > spacing


def test_the_first_tile_is_the_best_place_of_all_and_each_next_one_of_what_is_left():
    """Against every ordered choice of qubits, tried one by one."""
    target = device(grid(3, 4), seed=5)
    circuit, measured = compiled(chain(3), target)
    tiles = find_tiles(circuit, measured, target, TileRule("auto", 1e6, 0))
    used = sorted(tiles[0].placement)
    taken = set()
    for tile in tiles:
        best = -np.inf
        for places in itertools.permutations(set(range(12)) - taken, 3):
            placement = dict(zip(used, places, strict=True))
            moved = {
                (placement[circuit.find_bit(i.qubits[0]).index],
                 placement[circuit.find_bit(i.qubits[1]).index])
                for i in circuit.data if len(i.qubits) == 2
            }  # fmt: skip
            if moved <= set(target["cz"]):
                candidate = type(tile)(placement, 0.0)
                best = max(best, moved_log_success(circuit, measured, candidate, target))
        assert tile.log_success == pytest.approx(best, abs=1e-12)
        taken |= set(tile.qubits)
    assert len(tiles) >= 3


@pytest.mark.parametrize("factor", [1.0, 1.1, 1.25, 1.6])
def test_auto_adds_tiles_while_their_error_stays_within_the_factor(factor):
    target = fake_device("fake_kingston").target
    circuit, measured = compiled(chain(4), target)
    everything = find_tiles(circuit, measured, target, TileRule("auto", 1e9))
    chosen = find_tiles(circuit, measured, target, TileRule("auto", factor))
    limit = factor * everything[0].error
    assert chosen == tuple(tile for tile in everything if tile.error <= limit)
    assert 1 <= len(chosen) < len(everything)


def test_none_is_the_compiled_place_and_a_number_takes_the_best():
    target = fake_device("fake_torino").target
    circuit, measured = compiled(chain(4), target)
    (own,) = find_tiles(circuit, measured, target, TileRule())
    assert all(there == here for here, there in own.placement.items())
    five = find_tiles(circuit, measured, target, TileRule(5))
    assert five == find_tiles(circuit, measured, target, TileRule("auto", 1e9))[:5]


def test_the_whole_of_a_device_is_reached_when_one_search_does_not_list_it_all(monkeypatch):
    target = fake_device("fake_kingston").target
    circuit, measured = compiled(chain(4), target)
    whole = len(find_tiles(circuit, measured, target, TileRule("auto", 1e9)))
    monkeypatch.setattr("qvlm_qiskit.backends.compilation.tiles.MAX_PLACES", 20)
    assert len(find_tiles(circuit, measured, target, TileRule("auto", 1e9))) > 0.7 * whole


def test_tiles_of_unstated_errors_and_of_circuits_without_gates():
    target = device(grid(4, 4), errors=False)
    circuit, measured = compiled(chain(2), target)
    assert len(find_tiles(circuit, measured, target, TileRule("auto"))) >= 3
    empty = QuantumCircuit(16)
    assert find_tiles(empty, [], target, TileRule("auto"))[0].qubits == ()
    only_read = find_tiles(empty, [3], target, TileRule(4))
    assert len({tile.qubits for tile in only_read}) == 4


def test_a_place_that_always_fails_is_no_tile():
    target = device(grid(1, 8))
    for pair in ((4, 5), (5, 4), (5, 6), (6, 5), (6, 7), (7, 6)):
        target.update_instruction_properties("cz", pair, InstructionProperties(error=1.0))
    circuit, measured = compiled(chain(2), target)
    tiles = find_tiles(circuit, measured, target, TileRule("auto", 1e9, 0))
    assert {frozenset(tile.qubits) for tile in tiles} <= {
        frozenset(pair) for pair in ((0, 1), (1, 2), (2, 3), (3, 4))
    }


def test_more_tiles_than_fit_and_a_spacing_that_leaves_none_are_refused_in_a_line():
    target = device(grid(2, 4))
    circuit, measured = compiled(chain(3), target)
    with pytest.raises(InputError, match="9 were asked for") as caught:
        find_tiles(circuit, measured, target, TileRule(9, spacing=0))
    assert "\n" not in str(caught.value)
    with pytest.raises(InputError, match="leaves no second tile"):
        find_tiles(circuit, measured, target, TileRule("auto", 1e9, 4))


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"count": 0}, "tiles is 0"),
        ({"count": -3}, "tiles is -3"),
        ({"count": 2.5}, "tiles is 2.5"),
        ({"count": True}, "tiles is True"),
        ({"count": "many"}, "tiles is 'many'"),
        ({"factor": 0.9}, "tile_factor is 0.9"),
        ({"factor": float("nan")}, "tile_factor is nan"),
        ({"spacing": -1}, "tile_spacing is -1"),
        ({"spacing": 0.5}, "tile_spacing is 0.5"),
        ({"repeats": -2}, "tile_repeats is -2"),
    ],
)
def test_rules_that_mean_nothing_are_refused(given, said):
    with pytest.raises(InputError, match=said):
        TileRule(**{"count": "auto", **given})


def test_around_counts_steps():
    line = coupled(device([(q, q + 1) for q in range(6)]))
    assert around([2], line, 0) == {2}
    assert around([2], line, 2) == {0, 1, 2, 3, 4}
    assert around([2], line, 50) == set(range(7))
