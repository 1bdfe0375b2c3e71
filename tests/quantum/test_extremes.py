"""Finite input never gives NaN, forwards or backwards; NaN and infinity give one clear error."""

import numpy as np
import pytest
import torch
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter, ParameterVector
from qiskit.quantum_info import SparsePauliOp

from qvlm_qiskit import open_backend
from qvlm_qiskit.blocks.cores.classical import ClassicalCore
from qvlm_qiskit.blocks.cores.quantum import QuantumCore
from qvlm_qiskit.blocks.cores.shape import CoreShape
from qvlm_qiskit.blocks.gate import GatedResidual
from qvlm_qiskit.errors import InputError, QVLMError
from qvlm_qiskit.quantum import AmplitudeEncoding, QuantumLayer, TorchEstimator, make_qnn
from qvlm_qiskit.quantum.encoding import amplitude_angles, amplitudes_from_angles, unit_vectors

DTYPES = [torch.float64, torch.float32, torch.float16, torch.bfloat16]
Z = SparsePauliOp("Z")


def extreme_rows(dtype):
    """Rows of eight features, by name; the last one is harmless."""
    limits = torch.finfo(dtype)
    tiny = limits.smallest_normal
    least = tiny * limits.eps  # the smallest subnormal
    rows = {
        "zero": [0.0] * 8,
        "one subnormal": [0.0, 0, 0, least, 0, 0, 0, 0],
        "all subnormal": [least] * 8,
        "subnormal beside one": [1.0, least, 0, least, -least, 0, 0, least],
        "equal": [1.0] * 8,
        "huge": [limits.max] * 8,
        "huge beside tiny": [limits.max, 1, 0, -limits.max, tiny, least, 0, 0],
        "tiny": [tiny * 3, -tiny, 0, 0, 0, 0, 0, 0],
        "plain": [1.0, 2, 3, 4, 5, 6, 7, -8],
    }
    return torch.tensor(list(rows.values()), dtype=torch.float64).to(dtype)


def directions(rows):
    exact = rows.detach().double()
    largest = exact.abs().amax(-1, keepdim=True)
    exact = exact / torch.where(largest == 0, 1.0, largest)
    return exact / exact.norm(dim=-1, keepdim=True).clamp_min(0.5)


def layer():
    x, w = ParameterVector("x", 7), ParameterVector("w", 3)
    circuit = QuantumCircuit(3)
    circuit.append(AmplitudeEncoding(list(x)), range(3))
    for qubit in range(3):
        circuit.ry(w[qubit], qubit)
    circuit.cx(0, 1)
    return QuantumLayer(make_qnn(circuit, list(x), list(w)))


FUNCTIONS = {
    "angles": amplitude_angles,
    "unit vectors": unit_vectors,
    "there and back": lambda rows: amplitudes_from_angles(amplitude_angles(rows)),
    "sweeps": lambda rows: layer().encode(rows),
    "tensors": lambda rows: torch.func.vmap(layer().encode)(rows),
    "quantum core": lambda rows: QuantumCore(CoreShape(3, 1))(rows),
    "classical core": lambda rows: ClassicalCore(CoreShape(3, 1)).to(rows.dtype)(rows),
    "gate": lambda rows: GatedResidual("scalar", 8)(torch.ones_like(rows), rows),
}


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_finite_features_have_finite_values_and_gradients(name, dtype):
    rows = extreme_rows(dtype).requires_grad_()
    values = FUNCTIONS[name](rows)
    assert values.isfinite().all()
    torch.manual_seed(1)
    (values.double() * torch.randn(values.shape, dtype=torch.float64)).sum().backward()
    assert rows.grad.isfinite().all()


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("name", ["unit vectors", "there and back"])
def test_directions_are_kept_at_any_length(name, dtype):
    rows = extreme_rows(dtype)[1:]
    found = FUNCTIONS[name](rows).double()
    torch.testing.assert_close(found, directions(rows), atol=20 * torch.finfo(dtype).eps, rtol=0)


def test_all_executors_agree_on_extreme_features():
    rows, shared = extreme_rows(torch.float64), layer()
    together = shared.encode(rows)
    torch.testing.assert_close(together, torch.func.vmap(shared.encode)(rows), atol=1e-12, rtol=0)
    torch.testing.assert_close(together, shared(amplitude_angles(rows)), atol=1e-12, rtol=0)


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_what_is_not_finite_is_refused_in_one_line(bad):
    encoder, rows = layer(), torch.ones(2, 8)
    rows[1, 3] = bad
    with pytest.raises(InputError, match="hold NaN or infinity"):
        encoder.encode(rows)
    with pytest.raises(InputError, match="hold NaN or infinity"):
        encoder(rows[:, 1:])
    circuit = QuantumCircuit(1)
    circuit.rx(Parameter("a"), 0)
    for estimator in (TorchEstimator(), open_backend("aer").estimator()):
        with pytest.raises(InputError, match="hold NaN or infinity"):
            estimator.run([(circuit, Z, [bad])]).result()


@pytest.mark.parametrize("angle", [lambda a: 4 * a, lambda a: a * a, lambda a: a.exp()])
def test_an_angle_beyond_all_numbers_is_refused(angle):
    circuit = QuantumCircuit(1)
    circuit.rx(angle(Parameter("a")), 0)
    with pytest.raises(QVLMError, match=r"largest number|not a real number"):
        TorchEstimator(dtype="complex128").run([(circuit, Z, [1e308])]).result()


@pytest.mark.parametrize("value", [0.0, 5e-324, -5e-324, 1e300, -1.7e308])
def test_angles_of_any_size_turn(value):
    circuit = QuantumCircuit(1)
    circuit.rx(Parameter("a"), 0)
    found = TorchEstimator(dtype="complex128").run([(circuit, Z, [value])]).result()[0].data.evs
    np.testing.assert_allclose(found, np.cos(value), atol=1e-12)
