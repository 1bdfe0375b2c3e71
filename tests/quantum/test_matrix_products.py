import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import ParameterVector
from qiskit.quantum_info import Statevector
from scipy.optimize import least_squares

from qvlm_qiskit.errors import InputError
from qvlm_qiskit.quantum import mps_encoding
from qvlm_qiskit.quantum.matrix_products import mps_qubits


def prepared(angles, n, bond=2):
    """The state of numbers as angles, by Qiskit; real."""
    circuit = QuantumCircuit(n)
    mps_encoding(circuit, list(angles), bond)
    data = Statevector(circuit).data
    np.testing.assert_allclose(data.imag, 0, atol=1e-12)
    return data.real


def ranks(state, n):
    """Schmidt ranks over the cuts between qubits 0 … k-1 and the others."""
    return [np.linalg.matrix_rank(state.reshape(-1, 2**k), tol=1e-9) for k in range(1, n)]


@pytest.mark.parametrize(("n", "bond"), [(2, 2), (3, 2), (6, 2), (4, 4), (7, 4), (7, 8)])
def test_the_schmidt_rank_over_every_cut_is_the_bond_dimension(n, bond):
    angles = np.random.default_rng(n).uniform(-3, 3, len(mps_qubits(n, bond)))
    found = ranks(prepared(angles, n, bond), n)
    assert found == [min(bond, 2**k, 2 ** (n - k)) for k in range(1, n)]


def random_mps(n, rng):
    """A random real matrix-product state of bond dimension 2, contracted site by site."""
    state = rng.normal(size=(1, 2, 2))
    for site in range(1, n):
        tensor = rng.normal(size=(2, 2, 1 if site == n - 1 else 2))
        state = np.tensordot(state, tensor, axes=1)
    return state.ravel() / np.linalg.norm(state)


def fitted(target, n, rng):
    """The angles that come nearest to a state, of a few starts."""
    size, best = len(mps_qubits(n)), None
    circuit, x = QuantumCircuit(n), ParameterVector("x", size)
    mps_encoding(circuit, list(x))

    def miss(angles):
        return _run(circuit, angles) - target

    for _ in range(8):
        found = least_squares(miss, rng.uniform(-3, 3, size))
        best = found if best is None or found.cost < best.cost else best
        if best.cost < 1e-20:
            break
    return best.x


def _run(circuit, angles):
    """A circuit of RY and CX on |0…0⟩, by hand: a fit asks for thousands."""
    n, values = circuit.num_qubits, iter(angles)
    state = np.zeros([2] * n)
    state[(0,) * n] = 1
    for gate in circuit.data:
        axes = [n - 1 - circuit.find_bit(q).index for q in gate.qubits]
        state = np.moveaxis(state, axes, range(len(axes)))
        if gate.operation.name == "ry":
            half = next(values) / 2
            c, s = np.cos(half), np.sin(half)
            state = np.stack([c * state[0] - s * state[1], s * state[0] + c * state[1]])
        else:
            state = np.stack([state[0], state[1][::-1]])
        state = np.moveaxis(state, range(len(axes)), axes)
    return state.ravel()


@pytest.mark.parametrize("n", [2, 3, 5])
def test_random_states_of_bond_dimension_2_are_reached(n):
    rng = np.random.default_rng(7 + n)
    for _ in range(2):
        target = random_mps(n, rng)
        # a state and its negative are one: the fit may take the other start
        found = prepared(fitted(target, n, rng), n)
        assert abs(found @ target) == pytest.approx(1, abs=1e-9)


def test_a_random_state_of_more_entanglement_is_not_reached():
    """The control."""
    rng = np.random.default_rng(0)
    target = rng.normal(size=16)
    target /= np.linalg.norm(target)
    assert abs(prepared(fitted(target, 4, rng), 4) @ target) < 0.999


@pytest.mark.parametrize("n", [2, 3, 4, 12])
def test_gates_and_angles_grow_linearly(n):
    x = ParameterVector("x", 4 * n - 5)
    circuit = QuantumCircuit(n)
    mps_encoding(circuit, list(x))
    assert dict(circuit.count_ops()) == {"cx": 2 * n - 3, "ry": 4 * n - 5}
    carried = [gate.operation.params[0] for gate in circuit.data if gate.operation.name == "ry"]
    assert carried == list(x)
    on = [circuit.find_bit(g.qubits[0]).index for g in circuit.data if g.operation.name == "ry"]
    assert on == mps_qubits(n)


@pytest.mark.parametrize("n", [3, 4, 5])
def test_no_angle_is_superfluous(n):
    angles = np.random.default_rng(n).uniform(-3, 3, 4 * n - 5)
    step = 1e-5 * np.eye(len(angles))
    slopes = [(prepared(angles + e, n) - prepared(angles - e, n)) / 2e-5 for e in step]
    assert np.linalg.matrix_rank(np.array(slopes), tol=1e-6) == 4 * n - 5


@pytest.mark.parametrize(
    ("n", "bond", "says"),
    [
        (1, 2, "a bond dimension of 2 needs at least 2 qubits, got 1"),
        (3, 4, "a bond dimension of 4 needs at least 4 qubits, got 3"),
        (4, 3, "a bond dimension is 2, 4, 8 or another power of two, got 3"),
        (4, 1, "power of two, got 1"),
        (4, 0, "power of two, got 0"),
        (4, -2, "power of two, got -2"),
    ],
)
def test_bond_dimensions_that_can_not_be_are_refused(n, bond, says):
    with pytest.raises(InputError, match=says):
        mps_qubits(n, bond)


def test_another_number_of_angles_is_refused():
    with pytest.raises(InputError, match="4 qubits and bond dimension 2 takes 11 angles, got 10"):
        mps_encoding(QuantumCircuit(4), [0.1] * 10)
