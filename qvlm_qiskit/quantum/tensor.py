r"""The torch executor: a program on a batch of statevectors in plain torch operations.

Runs on any device and can be differentiated any number of times; on the CPU the compiled sweeps of
:mod:`qvlm_qiskit.quantum.cpu` are far faster. A state is a complex tensor ``(B, 2**n)`` in Qiskit's
little-endian order. A run of operations that all samples share is applied to the identity once per
call and then to the whole batch as one matrix product (up to :data:`MAX_FUSED_QUBITS` qubits).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from qvlm_qiskit.quantum.fusion import Plan
from qvlm_qiskit.quantum.program import (
    AmplitudeLoad,
    FixedUnitary,
    Matrix,
    PauliRotation,
    Program,
)
from qvlm_qiskit.quantum.transforms import constants

Gate = PauliRotation | FixedUnitary

MAX_FUSED_QUBITS = 7
"""Above this, applying gates one by one is cheaper than building the 2ⁿ × 2ⁿ matrix of a run."""


@dataclass(frozen=True)
class SharedRun:
    """Consecutive operations that are the same for all samples of a batch."""

    operations: tuple[Gate, ...]


class TensorExecutor:
    """Runs a program's operations one after the other."""

    def __init__(
        self, program: Program, plan: Plan, readout: Mapping[int, Matrix], num_observables: int
    ) -> None:
        """Keep the program.

        Args:
            program: What to run.
            plan: Says which angles are batched, and their order.
            readout: Per X mask, the weights ``(2**n, n_observables)`` of conj(ψ_j)·ψ_{j⊕x}.
            num_observables: Columns of the result.
        """
        self.program = program
        self.num_observables = num_observables
        self._column = {int(row): (False, i) for i, row in enumerate(plan.shared_rows)}
        self._column |= {int(row): (True, i) for i, row in enumerate(plan.batched_rows)}
        self._steps = self._group()
        self._readout = readout
        self._constants: dict[tuple[object, torch.device, torch.dtype], Tensor] = {}

    def expectations(self, shared: Tensor, batched: Tensor, amplitudes: Tensor | None) -> Tensor:
        """Values ``(B, n_observables)``.

        Args:
            shared: Angles that all samples share, ``(n_shared,)``, in the plan's order.
            batched: Angles per sample, ``(B, n_batched)``.
            amplitudes: Initial states ``(B, 2**n)``, or None for |0…0⟩.
        """
        return self._measure(self.states(shared, batched, amplitudes))

    def states(self, shared: Tensor, batched: Tensor, amplitudes: Tensor | None) -> Tensor:
        """Final states ``(B, 2**n)``; arguments as in :meth:`expectations`."""
        dtype = torch.complex128 if batched.dtype == torch.float64 else torch.complex64
        if amplitudes is None:
            dim = 1 << self.program.num_qubits
            state = torch.zeros(len(batched), dim, dtype=dtype, device=batched.device)
            state[:, 0] = 1
        else:
            state = amplitudes.to(dtype)
        for step in self._steps:
            if isinstance(step, SharedRun):
                state = self._apply_run(step, state, shared, batched)
            else:
                state = self._apply(step, state, shared, batched)
        return state

    def _group(self) -> list[Gate | SharedRun]:
        """Group consecutive operations that no batched angle reaches."""
        steps: list[Gate | SharedRun] = []
        run: list[Gate] = []
        for operation in self.program.operations:
            if isinstance(operation, AmplitudeLoad):
                continue
            if isinstance(operation, PauliRotation) and self._column[operation.angle][0]:
                if run:
                    steps.append(SharedRun(tuple(run)))
                    run = []
                steps.append(operation)
            else:
                run.append(operation)
        return [*steps, SharedRun(tuple(run))] if run else steps

    def _apply_run(self, run: SharedRun, state: Tensor, shared: Tensor, batched: Tensor) -> Tensor:
        dim = state.shape[-1]
        if self.program.num_qubits > MAX_FUSED_QUBITS or len(state) <= dim:
            for operation in run.operations:
                state = self._apply(operation, state, shared, batched)
            return state
        # row k of `columns` is what the run makes of basis state k, so states @ columns applies it
        columns = torch.eye(dim, dtype=state.dtype, device=state.device)
        for operation in run.operations:
            columns = self._apply(operation, columns, shared, batched)
        return state @ columns

    def _apply(self, operation: Gate, state: Tensor, shared: Tensor, batched: Tensor) -> Tensor:
        if isinstance(operation, FixedUnitary):
            return self._apply_matrix(operation, state)
        is_batched, column = self._column[operation.angle]
        angle = batched[:, column, None] if is_batched else shared[None, column, None]
        return self._apply_rotation(operation, state, angle / 2)

    def _apply_rotation(self, rotation: PauliRotation, state: Tensor, half: Tensor) -> Tensor:
        cos, sin = torch.cos(half), torch.sin(half)  # (B or 1, 1)
        phases = self._constant(
            rotation, -1j * pauli_phases(rotation.x, rotation.z, state.shape[-1]), state
        )
        flipped = _flip(state, rotation.x, self.program.num_qubits)
        return cos * state + sin * (phases * flipped)

    def _apply_matrix(self, operation: FixedUnitary, state: Tensor) -> Tensor:
        n, k = self.program.num_qubits, len(operation.qubits)
        matrix = self._constant(operation, operation.matrix, state)
        # axis of qubit q is n - q; the matrix's most significant qubit is its last one
        axes = [n - q for q in reversed(operation.qubits)]
        moved = state.reshape(-1, *[2] * n).movedim(axes, list(range(n - k + 1, n + 1)))
        shape = moved.shape
        moved = (moved.reshape(-1, 1 << k) @ matrix.T).reshape(shape)
        return moved.movedim(list(range(n - k + 1, n + 1)), axes).reshape(state.shape)

    def _measure(self, state: Tensor) -> Tensor:
        real = state.real.dtype
        out = torch.zeros(len(state), self.num_observables, dtype=real, device=state.device)
        for x, weights in self._readout.items():
            matrix = self._constant(("readout", x), weights, state)
            if x == 0:
                probabilities = state.real**2 + state.imag**2
                out = out + probabilities @ matrix.real
            else:
                overlap = state.conj() * _flip(state, x, self.program.num_qubits)
                out = out + (overlap @ matrix).real
        return out

    def _constant(
        self, key: object, value: Matrix | npt.NDArray[np.float64], like: Tensor
    ) -> Tensor:
        """A constant array on the device and in the precision of ``like``, cached."""
        name = (key, like.device, like.dtype)
        if name not in self._constants:
            with constants():
                self._constants[name] = torch.as_tensor(value).to(like.device, like.dtype)
        return self._constants[name]


def pauli_phases(x: int, z: int, dim: int) -> Matrix:
    """The f with (Pψ)_j = f_j ψ_{j⊕x} for P = i^|x∧z| X^x Z^z."""
    source = np.arange(dim) ^ x
    parity = np.bitwise_count(source & z) & 1
    phases: Matrix = 1j ** (x & z).bit_count() * (1.0 - 2.0 * parity)
    return phases


def _flip(state: Tensor, x: int, num_qubits: int) -> Tensor:
    """ψ_j → ψ_{j⊕x}."""
    if x == 0:
        return state
    dims = [num_qubits - q for q in range(num_qubits) if x >> q & 1]
    return state.reshape(-1, *[2] * num_qubits).flip(dims).reshape(state.shape)
