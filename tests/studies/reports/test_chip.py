from itertools import combinations

import numpy as np
import pytest
from qiskit.circuit.library import CXGate, Measure
from qiskit.transpiler import InstructionProperties, Target

from qvlm_qiskit.backends.devices.fake_devices import fake_device
from qvlm_qiskit.studies.reports.chip import Chip, positions


def chip(couplers, num_qubits):
    return Chip((None,) * num_qubits, dict.fromkeys(couplers))


def test_errors_are_those_of_the_target_and_the_better_gate_of_two():
    target = Target(num_qubits=3)
    both = {(0, 1): InstructionProperties(error=0.02), (1, 0): InstructionProperties(error=0.01)}
    target.add_instruction(CXGate(), {**both, (2, 1): None})
    target.add_instruction(Measure(), {(0,): InstructionProperties(error=0.1), (1,): None})
    assert Chip.of(target) == Chip((0.1, None, None), {(0, 1): 0.01, (1, 2): None})
    assert Chip.of(target).num_qubits == 3


def test_noise_without_couplers_is_no_device():
    assert Chip.of(Target.from_configuration(["sx", "cx", "measure"], num_qubits=4)) is None


@pytest.mark.parametrize("name", ["fake_sherbrooke", "fake_torino", "fake_kingston"])
def test_large_devices_are_drawn_on_a_grid_with_couplers_of_length_one(name):
    drawn = Chip.of(fake_device(name).target)
    places = positions(drawn)
    assert len({tuple(place) for place in places}) == drawn.num_qubits
    assert all(np.abs(places[a] - places[b]).sum() == 1 for a, b in drawn.couplers)
    assert places.min() == 0
    assert tuple(places[0]) == (0, 0)


@pytest.mark.parametrize(
    ("couplers", "num_qubits"),
    [
        ([(0, 1), (1, 2), (2, 3), (0, 3), (3, 4)], 5),
        ([(i, (i + 1) % 12) for i in range(11)] + [(0, 11)], 12),
        ([(0, 2), (2, 4), (1, 3)], 6),
        ([(0, 1)], 2),
    ],
)
def test_other_devices_are_drawn_with_their_qubits_apart(couplers, num_qubits):
    """A loop with a tail, a ring, two parts and a single qubit, and a pair."""
    places = positions(chip(couplers, num_qubits))
    apart = [np.linalg.norm(places[a] - places[b]) for a, b in combinations(range(num_qubits), 2)]
    assert min(apart) > 0.6
    assert all(0.6 < np.linalg.norm(places[a] - places[b]) < 1.5 for a, b in couplers)
    assert np.ptp(places[:, 0]) >= np.ptp(places[:, 1])


def test_a_device_with_a_qubit_that_nothing_reaches_is_drawn():
    places = positions(Chip.of(fake_device("fake_cairo").target))
    apart = [np.linalg.norm(places[a] - places[b]) for a, b in combinations(range(27), 2)]
    assert min(apart) > 0.5
    assert np.ptp(places, axis=0).max() < 16
