"""Ways of looking into a block."""

import pytest


def count(module):
    return sum(p.numel() for p in module.parameters())


def instructions(circuit):
    """``(gate name, qubit indices, angles)`` in order of application."""
    return [
        (i.operation.name, tuple(circuit.find_bit(q).index for q in i.qubits), i.operation.params)
        for i in circuit.data
    ]


@pytest.fixture(scope="session")
def parameter_count():
    return count


@pytest.fixture(scope="session")
def instructions_of():
    return instructions
