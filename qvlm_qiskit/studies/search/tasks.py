r"""What a circuit is good for: its value for a task after its angles were trained.

Each task is the mean of a Hermitian matrix, scaled so that the best state has 1:

- ``fidelity``: with the state of a random circuit of the same size.
- ``maxcut``: the weight that is cut of a random weighted graph, as a share of the best cut.
- ``vqe``: the energy of :math:`-\sum Z_i Z_{i+1} - \sum X_i` on a chain, as a share of the least.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from qiskit.quantum_info import SparsePauliOp, Statevector

from qvlm_qiskit.quantum import states
from qvlm_qiskit.studies.search.circuits import Plan, circuit_of, random_plan

STARTS = 2
"""Random angles that a circuit's training begins from."""
LEARNING_RATE = 0.5

Matrix = npt.NDArray[np.complex128]


def matrix_of(task: str, qubits: int, gates: int, depth: int) -> Matrix:
    """The task's matrix, ``(2**n, 2**n)``; its largest eigenvalue is at most 1.

    Args:
        task: "fidelity", "maxcut" or "vqe".
        qubits: n.
        gates: Of the circuit whose state is the target.
        depth: Likewise.
    """
    rng = np.random.default_rng([qubits, gates, depth, 99])
    if task == "fidelity":
        circuit = circuit_of(random_plan(qubits, gates, depth, rng), qubits)
        angles = rng.uniform(-np.pi, np.pi, circuit.num_parameters)
        target = Statevector(circuit.assign_parameters(angles)).data
        return np.outer(target, target.conj())
    terms: list[tuple[str, list[int], float]] = [("", [], 0.0)]
    if task == "maxcut":
        for i in range(qubits):
            for j in range(i + 1, qubits):
                weight = float(rng.uniform(0.1, 1))
                terms += [("", [], weight / 2), ("ZZ", [i, j], -weight / 2)]
    else:
        terms += [("ZZ", [i, i + 1], 1.0) for i in range(qubits - 1)]
        terms += [("X", [i], 1.0) for i in range(qubits)]
    matrix = SparsePauliOp.from_sparse_list(terms, num_qubits=qubits).to_matrix()
    return np.asarray(matrix / np.linalg.eigvalsh(matrix)[-1])


def value_of(plan: Plan, qubits: int, matrix: Matrix, iterations: int, seed: int) -> float:
    """The largest mean of a matrix that a circuit's training met.

    Args:
        plan: The circuit.
        qubits: n.
        matrix: From `matrix_of`.
        iterations: Of Adagrad.
        seed: Of the angles it begins from.
    """
    circuit = circuit_of(plan, qubits)
    count = circuit.num_parameters
    observable = torch.from_numpy(matrix)
    rng = np.random.default_rng([seed, count])
    angles = torch.tensor(
        rng.uniform(-np.pi, np.pi, (STARTS if count else 1, count)), requires_grad=count > 0
    )

    def values() -> torch.Tensor:
        found = states(circuit, angles)
        return torch.einsum("bi,ij,bj->b", found.conj(), observable, found).real

    best = -np.inf
    adagrad = torch.optim.Adagrad([angles], lr=LEARNING_RATE) if count else None
    for _ in range(iterations if count else 1):
        now = values()
        best = max(best, float(now.detach().max()))
        if adagrad is not None:
            adagrad.zero_grad()
            torch.autograd.backward(-now.sum())
            adagrad.step()
    with torch.no_grad():
        return max(best, float(values().max()))
