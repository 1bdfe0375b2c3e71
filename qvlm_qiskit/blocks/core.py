r"""What stands between a block's two linear maps: a circuit, or its classical twin.

A core maps features ``(…, m)`` (and, with positions, angles ``(…, n)``) to values in [-1, 1], one
for each qubit that is read. How many features, values and trainable numbers there are says its
:class:`~qvlm_qiskit.blocks.cores.shape.CoreShape`, for the circuit and the twin alike; both sit
between identical linear maps and an identical gate, so that replacing one by the other changes
nothing else.
"""

from __future__ import annotations

from torch import nn

from qvlm_qiskit.blocks.cores.classical import ClassicalCore
from qvlm_qiskit.blocks.cores.quantum import QuantumCore
from qvlm_qiskit.blocks.cores.shape import CoreShape
from qvlm_qiskit.errors import UnknownNameError

BLOCK_KINDS = ("quantum", "classical", "frozen")
"""Circuit; classical twin; circuit whose random angles are never trained."""


def build_core(
    kind: str,
    num_qubits: int,
    num_layers: int,
    positional: bool = False,
    *,
    encoding: str = "amplitude",
    bond: int = 2,
    pooling: int = 0,
) -> nn.Module:
    """The core of a block.

    Args:
        kind: One of :data:`BLOCK_KINDS`.
        num_qubits: n.
        num_layers: Variational layers.
        positional: Whether every layer starts with the positional gates of PAQM.
        encoding: How features enter, one of ``ENCODINGS``.
        bond: Bond dimension of the encoding ``mps``.
        pooling: Steps of QCNN pooling behind the layers.

    Raises:
        UnknownNameError: Another kind or encoding.
        InputError: Numbers that no circuit has.
    """
    if kind not in BLOCK_KINDS:
        raise UnknownNameError("block kind", kind, BLOCK_KINDS)
    shape = CoreShape(num_qubits, num_layers, positional, encoding, bond, pooling)
    if kind == "classical":
        return ClassicalCore(shape)
    return QuantumCore(shape, frozen=kind == "frozen")
