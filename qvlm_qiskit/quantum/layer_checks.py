"""What a quantum layer refuses, and what it warns of."""

from __future__ import annotations

import math

import numpy as np
import torch
from qiskit.quantum_info import SparsePauliOp
from qiskit_machine_learning.exceptions import QiskitMachineLearningError
from qiskit_machine_learning.neural_networks import EstimatorQNN
from torch import Tensor

from qvlm_qiskit.errors import InputError
from qvlm_qiskit.quantum.executors.one_thread import one_thread
from qvlm_qiskit.quantum.observables import as_pauli_sum
from qvlm_qiskit.quantum.torch_support import transforms
from qvlm_qiskit.quantum.torch_support.memory_view import memory_view

_FEW = 1 << 12
"""Up to so many numbers are looked at by numpy."""


class LayerInputError(InputError, QiskitMachineLearningError):  # type: ignore[misc]
    """What a layer refuses: this package's error, and the one that ``TorchConnector`` raises."""

    __str__ = Exception.__str__  # Qiskit's prints the message in quotes


def require_finite(what: str, values: Tensor, whose: str = "a quantum layer") -> None:
    """Refuse NaN and infinity, where values can be looked at without waiting for a device.

    Args:
        what: Their name, for the message.
        values: Of any float dtype.
        whose: What is given them, for the message.

    Raises:
        InputError: There are some.
    """
    if not transforms.may_look(values):
        return
    plain = values.detach()
    if plain.numel() <= _FEW and plain.dtype in (torch.float32, torch.float64):
        # what torch would do takes a tenth of a small circuit's time
        finite = bool(np.isfinite(memory_view(plain)).all())
    else:
        # the sum is not finite if any entry is not; entries whose sum is too large for their kind
        # of number are looked at one by one, which takes ten times as long
        with one_thread(plain.numel()):
            finite = math.isfinite(plain.sum()) or bool(plain.isfinite().all())
    if not finite:
        raise LayerInputError(
            f"the {what} of {whose} hold NaN or infinity: look at the data or, in "
            "training, try a lower learning rate"
        )


def reads_unmapped_qubits(network: EstimatorQNN) -> bool:
    """Whether the observable is the network's own default on a circuit whose qubits were moved."""
    layout = network.circuit.layout
    if layout is None:
        return False
    places = layout.final_index_layout(filter_ancillas=True)
    count = len(places)
    default = SparsePauliOp.from_sparse_list(
        [("Z" * count, range(count), 1)], num_qubits=network.circuit.num_qubits
    )
    observables = list(network.observables)
    chosen = len(observables) == 1 and as_pauli_sum(observables[0]) == default
    return chosen and set(places) != set(range(count))
