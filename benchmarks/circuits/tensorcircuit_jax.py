"""TensorCircuit-NG on JAX: one sample's circuit, ``vmap`` over samples and groups, jitted."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import tensorcircuit as tc
from peers.tensorcircuit_jax import JaxRunner

from circuits.described import Case, Gate, light_cones, signs

MOST_QUBITS = 20


def build(case: Case) -> JaxRunner:
    """Trace nothing yet; a wide circuit is cut into its light cones by hand."""
    tc.set_dtype("complex64")
    return JaxRunner(_wide(case) if case.num_qubits > MOST_QUBITS else batched(case), case.data)


def batched(case: Case) -> Any:
    """A function of all inputs and all weights."""

    def one(x: Any, w: Any) -> Any:
        return _outputs(case, x, w)

    if case.grouped:
        return jax.vmap(jax.vmap(one), in_axes=(0, None))
    return jax.vmap(one, in_axes=(0, 0 if case.per_sample else None))


def _wide(case: Case) -> Any:
    parts = light_cones(case)
    place = np.concatenate([part.outputs for part in parts]).argsort()
    functions = [batched(part.case) for part in parts]

    def evaluate(x: Any, w: Any) -> Any:
        values = [
            function(x[:, part.inputs], w[part.weights])[..., 0]
            for function, part in zip(functions, parts, strict=True)
        ]
        return jnp.concatenate(values, 1)[:, place]

    return evaluate


def _outputs(case: Case, x: Any, w: Any) -> Any:
    """One sample; qubit 0 of the framework is the most significant."""
    circuit = tc.Circuit(case.num_qubits)
    sources = {"x": x, "w": w}
    for gate in case.gates:
        angle = None if gate.angle is None else sources[gate.angle[0]][gate.angle[1]]
        _append(circuit, gate, angle)
    state = circuit.state()
    if case.read == "states":
        return jnp.stack((state.real, state.imag), -1).reshape(-1)
    probabilities = state.real**2 + state.imag**2
    return probabilities if case.read == "probabilities" else probabilities @ signs(case)


def _append(circuit: Any, gate: Gate, angle: Any) -> None:
    if gate.name == "zz":
        for pair in gate.pairs():
            _append(circuit, Gate("rzz", pair), angle)
        return
    last = circuit._nqubits - 1  # noqa: SLF001
    wires = [last - qubit for qubit in gate.qubits]
    name = {"cx": "cnot", "pooling": "crx"}.get(gate.name, gate.name)
    getattr(circuit, name)(*wires, **({} if angle is None else {"theta": angle}))
