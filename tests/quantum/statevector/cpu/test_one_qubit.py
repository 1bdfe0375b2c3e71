"""Products of a gate's factors and their derivatives, against matrices of Qiskit's gates."""

import numpy as np
import pytest
from qiskit.circuit.library import HGate, RXGate, RYGate, RZGate

from qvlm_qiskit.quantum.statevector.cpu import arrays, one_qubit
from tests.quantum.callable_kernels import callable_kernel

constant, rotate = callable_kernel(one_qubit.constant), callable_kernel(one_qubit.rotate)
kernel_products = callable_kernel(one_qubit.products)
gradients = callable_kernel(one_qubit.gradients)
LANES = 3
STRIDE, MATRIX = int(arrays.STRIDE), int(arrays.MATRIX)
H = HGate().to_matrix()
# axis, whether the angle is batched, and its index: RZ(shared) · H · RY(batched) · RX(shared)
FACTORS = np.array([[0, 0, 0], [1, 1, 0], [3, 0, 0], [2, 0, 1]])
SHARED, BATCHED = np.array([0.7, -1.3]), np.array([0.2, 1.9, -2.2])


def expected(shared, batched):
    first, second = (RXGate(shared[0]).to_matrix(), RYGate(batched).to_matrix())
    return RZGate(shared[1]).to_matrix() @ H @ second @ first


def half(angles):
    return np.stack([np.cos(angles / 2), np.sin(angles / 2)])


def matrices(count):
    """Scratch for so many matrices."""
    return np.full(count * MATRIX, np.nan)


def products():
    prefix = matrices(len(FACTORS) + 1)
    angles = half(SHARED), half(BATCHED)[:, None]
    work = np.empty(LANES), np.empty(LANES)
    kernel_products(0, len(FACTORS), FACTORS, H[None].astype(complex), *angles, *work, prefix)
    return prefix, angles, work


def matrix(scratch, number, lane):
    rows = scratch.reshape(-1, 8, STRIDE)[number, :, lane]
    return (rows[0::2] + 1j * rows[1::2]).reshape(2, 2)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_rotation_is_undone_by_the_opposite_sign(axis):
    gate = (RXGate, RYGate, RZGate)[axis]
    turned = matrices(3)
    constant(turned, LANES, 1)
    rotate(axis, *half(BATCHED), 1, turned, 0)
    rotate(axis, *half(BATCHED), -1, turned, MATRIX)
    for lane, angle in enumerate(BATCHED):
        np.testing.assert_allclose(matrix(turned, 1, lane), gate(angle).to_matrix(), atol=1e-12)
        np.testing.assert_allclose(matrix(turned, 2, lane), np.eye(2), atol=1e-12)


def test_the_products_of_the_first_factors_are_kept():
    prefix, _, _ = products()
    for lane, angle in enumerate(BATCHED):
        np.testing.assert_allclose(matrix(prefix, 0, lane), np.eye(2))
        np.testing.assert_allclose(matrix(prefix, 4, lane), expected(SHARED, angle), atol=1e-12)


def test_what_lies_between_the_samples_of_two_rows_is_left_alone():
    prefix, _, _ = products()
    assert np.isnan(prefix.reshape(-1, 8, STRIDE)[:, :, LANES:]).all()


def test_gradients_are_those_of_finite_differences():
    prefix, angles, work = products()
    k = matrices(len(FACTORS) + 1)
    k.reshape(-1, 8, STRIDE)[0, :, :LANES] = np.random.default_rng(5).normal(size=(8, LANES))
    weights = [matrix(k, 0, lane) for lane in range(LANES)]

    def value(shared, batched, lane):
        return 2 * np.sum(weights[lane] * expected(shared, batched)).real

    d_shared, d_batched = np.zeros(2), np.zeros((1, LANES))
    gradients(
        0, len(FACTORS), FACTORS, H[None].astype(complex), *angles, *work, prefix, k,
        np.empty(LANES), d_shared, d_batched,
    )  # fmt: skip
    step = 1e-6
    for lane, angle in enumerate(BATCHED):
        slope = value(SHARED, angle + step, lane) - value(SHARED, angle - step, lane)
        assert d_batched[0, lane] == pytest.approx(slope / (2 * step), abs=1e-7)
    for index, shift in enumerate(np.eye(2) * step):
        slope = sum(
            value(SHARED + shift, angle, lane) - value(SHARED - shift, angle, lane)
            for lane, angle in enumerate(BATCHED)
        )
        assert d_shared[index] == pytest.approx(slope / (2 * step), abs=1e-7)
