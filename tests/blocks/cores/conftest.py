"""All forms of a core that are small enough to be looked at."""

import itertools

import pytest

from qvlm_qiskit.blocks.cores.shape import CoreShape

FORMS = [
    CoreShape(n, layers, positional, encoding, bond, pooling)
    for (n, layers, pooling), positional, (encoding, bond) in itertools.product(
        [(1, 1, 0), (2, 1, 1), (3, 2, 1), (4, 2, 0), (5, 1, 3)],
        [False, True],
        [("amplitude", 2), ("angle", 2), ("re-upload", 2), ("mps", 2), ("mps", 4)],
    )
    if encoding != "mps" or bond <= 2 ** (n // 2)
]


def pytest_generate_tests(metafunc):
    """A test with an argument `shape` is made for each of them."""
    if "shape" in metafunc.fixturenames:
        ids = ["-".join(map(str, vars(shape).values())) for shape in FORMS]
        metafunc.parametrize("shape", FORMS, ids=ids)


@pytest.fixture
def small():
    """Qubits, layers and pooling of a core that runs in a moment on any machine."""
    return {"num_qubits": 3, "num_layers": 2, "pooling": 1}
