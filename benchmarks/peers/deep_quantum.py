"""DeepQuantum: a ``QubitCircuit`` with data-encoding gates or batched initial states, on torch.

⟨Z⟩ is read from the final state's probabilities: faster than the circuit's own ``expectation``.
"""

from __future__ import annotations

import deepquantum as dq
import torch
from torch import Tensor
from workloads import Data, Workload

from peers.runner import TorchRunner, unit_rows, z_signs


def build(workload: Workload, data: Data, threads: int) -> TorchRunner:
    """One circuit whose gates own the weights; torch's threads are set by the caller."""
    n = workload.num_qubits
    circuit = dq.QubitCircuit(n)
    if workload.encoding == "angle":
        for qubit in range(n):
            circuit.ry(n - 1 - qubit, encode=True)
    owners: dict[int, Tensor] = {}
    for name, qubit, index in workload.gates():
        if name == "cx":
            circuit.cnot(n - 1 - qubit, n - 1 - index)
        else:
            getattr(circuit, name)(n - 1 - qubit)
            owners[index] = circuit.operators[-1].theta
            owners[index].data = torch.tensor(data.weights[index])
    signs = torch.tensor(z_signs(n))

    def evaluate(inputs: Tensor) -> Tensor:
        if workload.encoding == "angle":
            state = circuit(inputs).squeeze(-1)
        else:
            state = circuit(state=unit_rows(inputs).to(torch.complex64)[..., None]).squeeze(-1)
        outputs: Tensor = (state.real**2 + state.imag**2) @ signs
        return outputs

    return TorchRunner(evaluate, [owners[index] for index in sorted(owners)], data)
