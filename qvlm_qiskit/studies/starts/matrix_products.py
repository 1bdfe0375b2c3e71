r"""Matrix-product states that are trained for a Hamiltonian, and the gates that make them.

A state of bond dimension 2 is a staircase of n - 1 gates on neighbouring qubits (Schön et al.,
arXiv:quant-ph/0501096). One of larger bond dimension is truncated to 2, the truncated state's
staircase is undone on the state itself, and what remains, closer to a product state, is treated the
same way: after Ran (arXiv:1908.07958), as tensor-network starts have it (arXiv:2208.13673). Their
angles are then fitted to the state by qiskit-addon-aqc-tensor.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from importlib import import_module
from typing import Any

import numpy as np
import numpy.typing as npt
from qiskit.circuit import QuantumCircuit
from qiskit.quantum_info import Pauli, SparsePauliOp
from scipy.optimize import minimize

from qvlm_qiskit.basics.optional import optional

Matrix = npt.NDArray[np.complex128]
Gates = list[tuple[int, Matrix]]
"""Gates in order: the first qubit k, and a matrix on k and k+1, of which k is the slower index."""

WORKING_BOND = 64
"""Of states between two staircases."""
CUTOFF = 1e-10
TENSOR_NETWORKS = ("qiskit_addon_aqc_tensor", "qiskit_quimb", "quimb")


def require_tensor_networks() -> None:
    """Refuse before any work what needs the extra.

    Raises:
        MissingDependencyError: quimb, the addon or what connects them is not installed.
    """
    packages = {name: name.replace("_", "-") for name in TENSOR_NETWORKS}
    with optional("tensor-networks", "a tensor-network start", **packages):
        for name in TENSOR_NETWORKS:
            import_module(name)
        import quimb.tensor  # noqa: F401


def ground_state(operator: SparsePauliOp, bond: int, seed: int) -> tuple[Any, float]:
    """The matrix-product state of least energy that DMRG finds.

    Args:
        operator: Sum of products of X and Z with real coefficients.
        bond: Largest bond dimension.
        seed: Of the state it begins at.

    Returns:
        A normalised ``MatrixProductState`` and its energy.
    """
    import quimb.tensor as qtn

    bonds = [size for size in (2, 4, 8, 16, 32, 64) if size < bond] + [bond]
    start = qtn.MPS_rand_state(operator.num_qubits, 2, seed=seed)
    search = qtn.DMRG2(_as_operator(operator), bond_dims=bonds, cutoffs=CUTOFF, p0=start)
    search.solve(tol=1e-7, max_sweeps=20, verbosity=0)
    return search.state, float(np.real(search.energy))


def staircases(state: Any, count: int) -> list[Gates]:
    """Layers that make a state of zeros into nearly the given one, the first applied first.

    Args:
        state: A normalised ``MatrixProductState``, left as it is.
        count: How many layers.
    """
    rest, found = state.copy(), []
    for _ in range(count):
        small = rest.copy()
        small.compress(max_bond=2, form="right")
        small.normalize()
        layer = _staircase(_tensors(small))
        found.append(layer)
        for site, matrix in reversed(layer):
            undo = matrix.conj().T.reshape(2, 2, 2, 2)
            rest.gate_(undo, (site, site + 1), contract="swap+split", max_bond=WORKING_BOND,
                       cutoff=CUTOFF)  # fmt: skip
        rest.normalize()
    return found[::-1]


def fitted(
    circuit: QuantumCircuit,
    angles: Sequence[float] | npt.NDArray[np.float64],
    state: Any,
    steps: int,
) -> npt.NDArray[np.float64]:
    """Angles of a circuit whose fidelity with a state is at least as large.

    Args:
        circuit: From ``generate_ansatz_from_circuit``.
        angles: Where to begin, in the order of the circuit's parameters.
        state: A normalised ``MatrixProductState``.
        steps: Of L-BFGS.
    """
    import quimb.tensor as qtn
    from qiskit_addon_aqc_tensor.objective import MaximizeStateFidelity
    from qiskit_addon_aqc_tensor.simulation.quimb import QuimbSimulator

    begin = np.array(angles, dtype=float)
    if not steps:
        return begin
    settings = QuimbSimulator(
        partial(qtn.CircuitMPS, cutoff=CUTOFF, max_bond=WORKING_BOND), autodiff_backend="explicit"
    )
    target = qtn.CircuitMPS(state.L, psi0=state.astype("complex128"))
    loss = MaximizeStateFidelity(target, circuit, settings).loss_function
    found = minimize(loss, begin, jac=True, method="L-BFGS-B", options={"maxiter": steps})
    return np.asarray(found.x if found.fun <= loss(begin)[0] else begin)


def _as_operator(operator: SparsePauliOp) -> Any:
    """A Pauli sum as a ``MatrixProductOperator``, compressed as its terms are added."""
    import quimb.tensor as qtn

    found: Any = None
    for letters, qubits, value in operator.to_sparse_list():
        factors = [np.eye(2) for _ in range(operator.num_qubits)]
        for letter, qubit in zip(letters, qubits, strict=True):
            factors[qubit] = Pauli(letter).to_matrix().real
        factors[0] = factors[0] * float(value.real)
        term = qtn.MPO_product_operator(factors)
        found = term if found is None else found.add_MPO(term, compress=True, cutoff=1e-15)
    return found


def _tensors(state: Any) -> list[Matrix]:
    """Right-canonical tensors of a state, each (left, own, right), with 1 at both ends."""
    state.right_canonicalize_()
    state.normalize()
    found: list[Matrix] = []
    for site in range(state.L):
        left = [state.bond(site - 1, site)] if site else []
        right = [state.bond(site, site + 1)] if site < state.L - 1 else []
        data = state[site].transpose(*left, state.site_ind(site), *right).data
        found.append(np.asarray(data).reshape(
            data.shape[0] if left else 1, 2, data.shape[-1] if right else 1
        ).astype(complex))  # fmt: skip
    return found


def _staircase(tensors: Sequence[Matrix]) -> Gates:
    """Gate k takes the bond from qubit k and 0 from k+1 to qubit k's state and the next bond."""
    *others, before, last = tensors
    joined = np.einsum("lsr,rte->lst", before, last)
    return [(site, _completed(tensor)) for site, tensor in enumerate([*others, joined])]


def _completed(tensor: Matrix) -> Matrix:
    """The unitary whose columns for 0 on the second qubit are a tensor (left, own, right ≤ 2)."""
    left, _, right = tensor.shape
    columns = np.zeros((left, 2, 2), dtype=complex)
    columns[:, :, :right] = tensor
    given = columns.reshape(left, 4).T
    outside = np.linalg.svd(given)[0][:, left:]
    place = [0, 2][:left]
    matrix = np.zeros((4, 4), dtype=complex)
    matrix[:, place] = given
    matrix[:, [column for column in range(4) if column not in place]] = outside
    return matrix
