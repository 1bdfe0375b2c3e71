"""TensorCircuit-NG on JAX: ``vmap`` over the batch, one jitted vector-Jacobian product."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import tensorcircuit as tc
from workloads import Data, Workload

from peers.runner import Arrays, z_signs

tc.set_backend("jax")


def build(workload: Workload, data: Data, threads: int) -> JaxRunner:
    """Trace nothing yet; XLA's threads come from the environment."""
    tc.set_dtype("complex128" if workload.double else "complex64")
    batched = jax.vmap(lambda x, w: _outputs(workload, x, w), in_axes=(0, None))
    return JaxRunner(batched, data, jnp.float64 if workload.double else jnp.float32)


class JaxRunner:
    """Jitted forward and forward-with-gradients on arrays that already lie in JAX."""

    def __init__(self, batched: Any, data: Data, real: Any = jnp.float32) -> None:
        """Wrap a function of all inputs and weights in ``jit``."""

        def with_gradients(inputs: Any, weights: Any, cotangent: Any) -> Any:
            outputs, pull = jax.vjp(batched, inputs, weights)
            return outputs, *pull(cotangent)

        self._inputs, self._weights, self._cotangent = (jnp.asarray(a, dtype=real) for a in data)
        self._forward = jax.jit(batched)
        self._both = jax.jit(with_gradients)

    def forward(self) -> object:
        """See :class:`~peers.runner.Runner`."""
        return jax.block_until_ready(self._forward(self._inputs, self._weights))

    def both(self) -> Any:
        """See :class:`~peers.runner.Runner`."""
        return jax.block_until_ready(self._both(self._inputs, self._weights, self._cotangent))

    def arrays(self) -> Arrays:
        """See :class:`~peers.runner.Runner`."""
        return Arrays(*(np.asarray(a, dtype=np.float64) for a in self.both()))


def _outputs(workload: Workload, inputs: Any, weights: Any) -> Any:
    """One sample; qubit 0 of the framework is the most significant."""
    n = workload.num_qubits
    if workload.noise:
        return _noisy_outputs(workload, inputs, weights)
    if workload.encoding == "angle":
        circuit = tc.Circuit(n)
        for qubit in range(n):
            circuit.ry(n - 1 - qubit, theta=inputs[qubit])
    else:
        circuit = tc.Circuit(n, inputs=inputs / jnp.linalg.norm(inputs))
    for name, qubit, index in workload.gates():
        if name == "cx":
            circuit.cnot(n - 1 - qubit, n - 1 - index)
        else:
            getattr(circuit, name)(n - 1 - qubit, theta=weights[index])
    state = circuit.state()
    # faster under vmap and jit than one expectation_ps per qubit (measured: by 1.4 to 1.9)
    return (state.real**2 + state.imag**2) @ z_signs(n)


def _noisy_outputs(workload: Workload, inputs: Any, weights: Any) -> Any:
    """The same under noise: a density matrix, channels as superoperators."""
    n, p = workload.num_qubits, workload.noise
    circuit = tc.DMCircuit2(n)
    # its p is that of each of the 4^width - 1 Pauli operators
    one = tc.channels.generaldepolarizingchannel(p / 10 / 4, 1)
    two = tc.channels.generaldepolarizingchannel(p / 16, 2)

    def ry(qubit: int, angle: Any) -> None:
        circuit.ry(n - 1 - qubit, theta=angle)
        circuit.apply_general_kraus(one, n - 1 - qubit)

    for qubit in range(n):
        ry(qubit, inputs[qubit])
    for name, qubit, index in workload.gates():
        if name == "cx":
            circuit.cnot(n - 1 - qubit, n - 1 - index)
            circuit.apply_general_kraus(two, n - 1 - qubit, n - 1 - index)
        elif name == "ry":
            ry(qubit, weights[index])
        else:
            circuit.rz(n - 1 - qubit, theta=weights[index])
    return jnp.diagonal(circuit.densitymatrix()).real @ z_signs(n)
