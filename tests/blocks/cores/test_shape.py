import math

import pytest

from qvlm_qiskit.blocks.cores.classical import ClassicalCore
from qvlm_qiskit.blocks.cores.quantum import QuantumCore
from qvlm_qiskit.blocks.cores.shape import ENCODINGS, CoreShape
from qvlm_qiskit.errors import InputError, UnknownNameError


def test_circuit_and_twin_have_equally_many_parameters(parameter_count, shape):
    circuit, twin = QuantumCore(shape), ClassicalCore(shape)
    assert parameter_count(circuit) == parameter_count(twin)
    own = shape.layer_weights * shape.num_layers + shape.pooling_weights
    uploads = 2 * shape.num_qubits * shape.num_layers if shape.encoding == "re-upload" else 0
    assert parameter_count(circuit) == own + uploads


def test_the_circuit_has_the_angles_weights_and_values_that_the_shape_says(shape):
    network = QuantumCore(shape).layer.neural_network
    n, amplitudes = shape.num_qubits, shape.encoding == "amplitude"
    angles = 2**n - 1 if amplitudes else len(shape.angle_qubits)
    assert network.num_inputs == angles + (n if shape.positional else 0)
    assert network.num_weights == shape.layer_weights * shape.num_layers + shape.pooling_weights
    assert network.output_shape == (shape.outputs,)


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5, 6, 12])
def test_every_pooling_step_leaves_half_of_the_qubits(n):
    for pooling in range((n - 1).bit_length() + 1):
        assert CoreShape(n, 1, pooling=pooling).outputs == math.ceil(n / 2**pooling)
    assert CoreShape(n, 1, pooling=(n - 1).bit_length()).outputs == 1


def test_the_features_are_what_the_encoding_takes():
    features = {encoding: CoreShape(12, 2, encoding=encoding).features for encoding in ENCODINGS}
    assert features == {"amplitude": 4096, "angle": 12, "re-upload": 12, "mps": 43}
    # behind the first staircase, another one has no RY before it
    assert CoreShape(12, 2, encoding="mps", bond=4).features == 43 + 42


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"num_qubits": 0}, "num_qubits is a whole number from 1 to 1000, got 0"),
        ({"num_qubits": 10**9}, "num_qubits is a whole number from 1 to 1000, got 1000000000"),
        ({"num_qubits": "4"}, "num_qubits is a whole number from 1 to 1000, got '4'"),
        ({"num_qubits": 2.0}, "num_qubits is a whole number from 1 to 1000, got 2.0"),
        ({"num_layers": 0}, "num_layers is a whole number from 1 to 1000, got 0"),
        ({"pooling": -1}, "pooling is a whole number from 0 to 10, got -1"),
        ({"pooling": True}, "pooling is a whole number from 0 to 10, got True"),
        ({"pooling": 3}, "pooling=3 is more than num_qubits=4 allows: one is left after 2"),
        ({"num_qubits": 1, "pooling": 1}, "pooling=1 is more than num_qubits=1 allows"),
        ({"bond": 4}, "bond goes with the encoding mps, not with amplitude"),
        ({"encoding": "mps", "bond": 8}, "bond dimension of 8 needs at least 6 qubits, got 4"),
        ({"encoding": "mps", "bond": 3}, "power of two, got 3"),
        ({"encoding": "mps", "num_qubits": 1}, "bond dimension of 2 needs at least 2 qubits"),
    ],
)
def test_shapes_that_no_circuit_has_are_refused_in_one_line(options, says):
    with pytest.raises(InputError, match=says) as error:
        CoreShape(**{"num_qubits": 4, "num_layers": 1, **options})
    assert "\n" not in str(error.value)


def test_an_unknown_encoding_names_the_nearest():
    with pytest.raises(UnknownNameError, match="unknown encoding 'angel': did you mean 'angle'"):
        CoreShape(4, 1, encoding="angel")
