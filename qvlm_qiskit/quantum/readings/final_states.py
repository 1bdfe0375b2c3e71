"""Final states of a circuit for batches of parameter values, and as torch tensors."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from qiskit import QuantumCircuit
from torch import Tensor

from qvlm_qiskit.basics.caches import LruCache
from qvlm_qiskit.basics.computer.memory import memory_bytes, state_qubits
from qvlm_qiskit.basics.late_definitions import needs_values
from qvlm_qiskit.errors import CapacityError, CircuitError, InputError
from qvlm_qiskit.quantum.encoding import widened
from qvlm_qiskit.quantum.evolution import HamiltonianEvolution
from qvlm_qiskit.quantum.program.circuit_key import circuit_key
from qvlm_qiskit.quantum.program.program import compile_circuit
from qvlm_qiskit.quantum.statevector.readings import StateEngine
from qvlm_qiskit.quantum.torch_support import transforms

Values = Tensor | npt.ArrayLike

_KEPT: LruCache[Any, StateEngine] = LruCache(32)
_LARGE: LruCache[Any, StateEngine] = LruCache(1)
_LARGE_QUBITS = 12
"""Of circuits with more qubits only the last one is remembered: its tables are large."""


def states(circuit: QuantumCircuit, values: Values = ()) -> Tensor:
    """Exact final states, global phase included, differentiable by the values.

    They are those of ``qiskit.quantum_info.Statevector``, for all rows at once, computed by the
    compiled sweeps on the CPU and by torch operations on other devices and in ``torch.func``
    transforms.

    Args:
        circuit: Unitary, of n qubits.
        values: ``(…, n_parameters)`` in the order of ``circuit.parameters``; nothing for a circuit
            without parameters.

    Returns:
        ``(…, 2**n)``, complex128 for float64 values and arrays of numpy, otherwise complex64. Bit i
        of the last index is qubit i.

    Raises:
        InputError: Values of another width, of another kind than real numbers, or not finite.
        CircuitError: The circuit is not unitary.
        CapacityError: The states don't fit into memory.
    """
    rows = real_rows(values)
    wanted = circuit.num_parameters
    if rows.shape[-1] != wanted:
        raise InputError(
            f"expected values (…, {wanted}), one for each parameter of the circuit, got "
            f"{tuple(rows.shape)}"
        )
    lead = rows.shape[:-1]
    flat = rows.reshape(math.prod(lead), wanted)
    require_finite(flat)
    _require_room(circuit, len(flat), rows.dtype)
    dtype = torch.float64 if rows.dtype == torch.float64 else torch.float32
    flat = widened(flat)
    found = _engine(circuit)(flat, flat.new_zeros(0), dtype)
    return found.reshape(*lead, found.shape[-1])


def real_rows(values: Values) -> Tensor:
    """Values as a tensor ``(…, n)`` of floats: tensors keep their dtype, others become float64.

    Raises:
        InputError: They are not real numbers.
    """
    if not isinstance(values, Tensor):
        try:
            array = np.asarray(values)
            real = array if np.iscomplexobj(array) else array.astype(np.float64)
        except (TypeError, ValueError, OverflowError) as error:
            raise InputError(f"values have to be rows of real numbers: {error}") from error
        values = torch.as_tensor(real)
    if not values.is_floating_point() or values.ndim == 0:
        raise InputError(
            "values have to be rows of real numbers, got "
            f"{str(values.dtype).removeprefix('torch.')} {tuple(values.shape)}"
        )
    return values


def require_finite(rows: Tensor) -> None:
    """Refuse NaN and infinity, where values can be looked at without waiting for a device.

    Raises:
        InputError: There are some; the first such row is named.
    """
    if not transforms.may_look(rows) or bool(rows.isfinite().all()):
        return
    row = int((~rows.isfinite()).any(-1).nonzero()[0, 0])
    raise InputError(f"row {row} of the values holds NaN or infinity")


def _require_room(circuit: QuantumCircuit, rows: int, dtype: torch.dtype) -> None:
    width, most = circuit.num_qubits, state_qubits()
    if width > most:
        raise CapacityError(
            f"the circuit has {width} qubits; a statevector of at most {most} qubits can be worked "
            "on in this machine's memory"
        )
    needed = rows * (3 * 2 * max(4, dtype.itemsize) << width)
    if needed > memory_bytes():
        raise CapacityError(
            f"{rows} states of {width} qubits take {needed / 2**30:.1f} GiB, this machine has "
            f"{memory_bytes() / 2**30:.1f}: ask for fewer rows at a time"
        )


def _engine(circuit: QuantumCircuit) -> StateEngine:
    if needs_values(circuit, (HamiltonianEvolution,)):
        raise CircuitError(
            "an instruction of this circuit is defined only once its parameters are numbers: "
            "assign them first, or load amplitudes by AmplitudeEncoding"
        )
    kept = _LARGE if circuit.num_qubits > _LARGE_QUBITS else _KEPT
    return kept.get(circuit_key(circuit, with_phase=True), lambda: _compiled(circuit))


def _compiled(circuit: QuantumCircuit) -> StateEngine:
    program = compile_circuit(circuit, with_phase=True)
    program.require_state()
    return StateEngine(program, circuit.num_parameters)
