"""Hamiltonian embedding, arXiv:2407.14055: e^{-itH(x)/2} and exp(i Σ θ_P P) in turn.

Inputs are the entries of a real symmetric matrix on and above its diagonal; weights are the times,
then the factors of all Pauli strings, step by step.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from peers.runner import TorchRunner
from qiskit.quantum_info import pauli_basis
from torch import Tensor
from workloads import Data

from circuits import contenders
from circuits.contenders import Contender, Row

TOLERANCE = 1e-3
"""In single precision, torch and JAX differentiate eigenvectors and divide by level distances."""


def row(smoke: bool) -> Row:
    """Ten steps on 5 qubits."""
    n, steps, batch = (2, 2, 3) if smoke else (5, 10, 100)
    data = _drawn(n, steps, batch)
    title = f"Hamiltonians as inputs: {n} qubits, {steps} steps, 2^{n} probabilities, B = {batch}"
    found = [
        contenders.ours(lambda: _ours(n, steps, data)),
        contenders.tensorcircuit(lambda: _tensorcircuit(n, steps, data), "TensorCircuit-NG, eigh"),
        contenders.torch(lambda: _torch(n, steps, data, True), "plain torch, eigh"),
        Contender(
            *("torch", "plain torch, matrix_exp", "torch"),
            lambda: _torch(n, steps, data, False),
            "reference",
        ),
    ]
    return Row(title, found, TOLERANCE)


def _drawn(n: int, steps: int, batch: int) -> Data:
    rng, side = np.random.default_rng(0), 2**n
    weights = np.concatenate([rng.normal(0, 1, steps), rng.normal(0, 0.1, steps * (4**n - 1))])
    arrays = (
        rng.uniform(0, 1, (batch, side * (side + 1) // 2)),
        weights,
        rng.normal(0, 1, (batch, side)),
    )
    return Data(*(array.astype(np.float32) for array in arrays))


def _ours(n: int, steps: int, data: Data) -> TorchRunner:
    from qiskit.circuit import ParameterVector, QuantumCircuit

    from qvlm_qiskit.quantum import HamiltonianEvolution, QuantumLayer, make_qnn

    labels = pauli_basis(n).to_labels()[1:]
    entries = ParameterVector("x", data.inputs.shape[1])[:]
    times = ParameterVector("t", steps)[:]
    factors = ParameterVector("w", steps * len(labels))[:]
    circuit = QuantumCircuit(n)
    circuit.h(range(n))
    for step, time in enumerate(times):
        circuit.append(HamiltonianEvolution(entries, time / 2), range(n))
        own = factors[step * len(labels) : (step + 1) * len(labels)]
        unitary = HamiltonianEvolution(dict(zip(labels, own, strict=True)), -1.0)
        circuit.append(unitary, range(n))
    network = make_qnn(circuit, entries, times + factors, read="probabilities")
    layer = QuantumLayer(network, data.weights)
    return TorchRunner(layer, [layer.weight], data)


def _strings(n: int) -> np.ndarray[Any, np.dtype[np.complex64]]:
    return pauli_basis(n).to_matrix(array=True)[1:].astype(np.complex64)


def _torch(n: int, steps: int, data: Data, diagonalised: bool) -> TorchRunner:
    side, strings = 2**n, torch.from_numpy(_strings(n))
    rows, columns = torch.triu_indices(side, side)
    weights = torch.tensor(data.weights, requires_grad=True)

    def probabilities(entries: Tensor) -> Tensor:
        upper = entries.new_zeros(len(entries), side, side)
        upper[:, rows, columns] = entries
        matrix = upper + upper.triu(1).mT
        times, factors = weights[:steps], weights[steps:].reshape(steps, -1)
        unitaries = torch.matrix_exp(1j * torch.einsum("sp,pij->sij", factors.to(strings), strings))
        state = entries.new_full((len(entries), side), side**-0.5).to(torch.complex64)
        if diagonalised:
            levels, vectors = torch.linalg.eigh(matrix)
            vectors = vectors.to(torch.complex64)
        for time, unitary in zip(times, unitaries, strict=True):
            if diagonalised:
                phases = torch.polar(torch.ones_like(levels), -time / 2 * levels)
                state = (vectors @ (phases[..., None] * (vectors.mT @ state[..., None])))[..., 0]
            else:
                state = (torch.matrix_exp(-0.5j * time * matrix) @ state[..., None])[..., 0]
            state = state @ unitary.mT
        return state.real.square() + state.imag.square()

    return TorchRunner(probabilities, [weights], data)


def _tensorcircuit(n: int, steps: int, data: Data) -> Any:
    import jax
    import jax.numpy as jnp
    import tensorcircuit as tc
    from peers.tensorcircuit_jax import JaxRunner

    tc.set_dtype("complex64")
    side, strings = 2**n, jnp.asarray(_strings(n))
    rows, columns = np.triu_indices(side)

    def one(entries: Any, times: Any, unitaries: Any) -> Any:
        upper = jnp.zeros((side, side)).at[rows, columns].set(entries)
        levels, vectors = jnp.linalg.eigh(upper + jnp.triu(upper, 1).T)
        circuit = tc.Circuit(n)
        for q in range(n):
            circuit.h(q)
        for step in range(steps):
            phases = jnp.exp(-0.5j * times[step] * levels)
            circuit.any(*range(n), unitary=(vectors * phases) @ vectors.T)
            circuit.any(*range(n), unitary=unitaries[step])
        state = circuit.state()
        return state.real**2 + state.imag**2

    def probabilities(entries: Any, weights: Any) -> Any:
        factors = weights[steps:].reshape(steps, -1)
        generators = jnp.einsum("sp,pij->sij", factors.astype(strings.dtype), strings)
        unitaries = jax.vmap(jax.scipy.linalg.expm)(1j * generators)
        return jax.vmap(one, in_axes=(0, None, None))(entries, weights[:steps], unitaries)

    return JaxRunner(probabilities, data)
