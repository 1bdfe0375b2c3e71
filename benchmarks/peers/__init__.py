"""The implementations that are compared, one module each; this file imports none of them.

A peer's module has a function ``build(workload, data, threads)`` that returns a
:class:`~peers.runner.Runner` for the batch in ``data``, and may have ``batch_limit(workload)``: the
largest batch that is reasonable to measure, or a sentence that says why there is none.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version


@dataclass(frozen=True)
class Peer:
    """How a peer is named and found.

    Attributes:
        label: Its name in the tables.
        module: Below ``peers``.
        distribution: The installed package whose version is shown.
        kind: ``"ours"``, ``"stock"``, ``"peer"``, or ``"reference"`` for a program that is no
            framework and does not count as one when the best peer is chosen.
    """

    label: str
    module: str
    distribution: str
    kind: str = "peer"

    def version(self) -> str | None:
        """The installed version; None where it is not installed."""
        try:
            return version(self.distribution)
        except PackageNotFoundError:
            return None


PEERS = {
    "ours": Peer("qvlm-qiskit QuantumLayer", "ours", "qvlm-qiskit", "ours"),
    "stock": Peer("EstimatorQNN, QMLEstimator", "stock", "qiskit-machine-learning", "stock"),
    "pennylane": Peer("PennyLane default backprop", "pennylane_backprop", "pennylane"),
    "lightning": Peer("PennyLane lightning adjoint", "pennylane_adjoint", "pennylane-lightning"),
    "deepquantum": Peer("DeepQuantum, torch", "deep_quantum", "deepquantum"),
    "tensorcircuit": Peer("TensorCircuit-NG, JAX jit", "tensorcircuit_jax", "tensorcircuit-ng"),
    "torch": Peer("batched torch, 60 lines", "batched_torch", "torch", "reference"),
}
"""By the name that ``--only`` takes, in the order of the tables."""
