r"""The exact engine: a compiled program on a batch of statevectors, differentiable by autograd.

A state is a complex tensor ``(B, 2**n)`` in Qiskit's little-endian order. Operations whose angles
depend on weights alone are the same for every sample: a run of them is applied to the identity once
per call and then to the whole batch as one matrix product (up to :data:`MAX_FUSED_QUBITS` qubits).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from qiskit.quantum_info import SparsePauliOp
from torch import Tensor

from qvlm_qiskit.errors import CircuitError
from qvlm_qiskit.quantum.encoding import amplitudes_from_angles
from qvlm_qiskit.quantum.program import (
    AmplitudeLoad,
    FixedUnitary,
    Matrix,
    PauliRotation,
    Program,
)

Gate = PauliRotation | FixedUnitary

MAX_FUSED_QUBITS = 7
"""Above this, applying gates one by one is cheaper than building the 2ⁿ × 2ⁿ matrix of a run."""


@dataclass(frozen=True)
class SharedRun:
    """Consecutive operations that are the same for all samples of a batch."""

    operations: tuple[Gate, ...]


class StatevectorEngine:
    """Runs one program for batches of inputs with shared weights.

    The first ``num_batched`` parameters differ from sample to sample, the others are shared.
    """

    def __init__(
        self, program: Program, observables: Sequence[SparsePauliOp], num_batched: int
    ) -> None:
        """Prepare the plan; nothing is allocated on a device yet.

        Args:
            program: From :func:`~qvlm_qiskit.quantum.program.compile_circuit`.
            observables: On the *circuit's* qubits, idle ones included.
            num_batched: How many leading parameters are given per sample.
        """
        self.program = program
        self.num_batched = num_batched
        self.num_observables = len(observables)
        self._affine = program.angles.affine()
        self._plan = _plan(program, num_batched)
        self._readout = _readout(program, observables)
        self._constants: dict[tuple[object, torch.device, torch.dtype], Tensor] = {}

    def expectations(self, batched: Tensor, shared: Tensor) -> Tensor:
        r"""⟨ψ|O|ψ⟩ for every sample and observable.

        Args:
            batched: ``(B, num_batched)`` real, float32 or float64: decides the precision.
            shared: ``(n_parameters - num_batched,)`` of the same dtype.

        Returns:
            ``(B, n_observables)`` real, of the same dtype; exact up to rounding.
        """
        return self._measure(self.states(batched, shared))

    def states(self, batched: Tensor, shared: Tensor) -> Tensor:
        """Final states ``(B, 2**n)`` on the active qubits; arguments as in :meth:`expectations`."""
        angles = self._angles(batched, shared)  # (B, n_angles), expanded where shared
        dtype = torch.complex128 if batched.dtype == torch.float64 else torch.complex64
        dim = 1 << self.program.num_qubits
        state = torch.zeros(batched.shape[0], dim, dtype=dtype, device=batched.device)
        state[:, 0] = 1
        for step in self._plan:
            if isinstance(step, SharedRun):
                state = self._apply_run(step, state, angles)
            elif isinstance(step, AmplitudeLoad):
                loaded = self._load_angles(step, angles, batched, shared)
                state = amplitudes_from_angles(loaded).to(dtype).expand(len(batched), dim)
            else:
                state = self._apply(step, state, angles)
        return state

    def _angles(self, batched: Tensor, shared: Tensor) -> Tensor:
        table, split = self.program.angles, self.num_batched
        matrix, offset = self._affine
        weights = self._constant("weights", matrix[:, split:], batched)
        inputs = self._constant("inputs", matrix[:, :split], batched)
        base = weights @ shared + self._constant("offset", offset, batched)
        angles = batched @ inputs.T + base
        if table.expressions:
            columns = list(angles.unbind(-1))
            for row, (parameters, function) in table.expressions.items():
                arguments = [
                    batched[:, p] if p < split else shared[p - split].expand(len(batched))
                    for p in parameters
                ]
                columns[row] = function(*arguments)
            angles = torch.stack(columns, dim=-1)
        return angles

    def _load_angles(
        self, load: AmplitudeLoad, angles: Tensor, batched: Tensor, shared: Tensor
    ) -> Tensor:
        """The load's gate angles, ``(B or 1, 2**n - 1)``."""
        if load.angles:
            return angles[:, load.angles[0] : load.angles[-1] + 1]
        first, last, split = min(load.parameters), max(load.parameters), self.num_batched
        if load.parameters == tuple(range(first, last + 1)):
            if last < split:
                return batched[:, first : last + 1]
            if first >= split:
                return shared[None, first - split : last + 1 - split]
        everything = torch.cat([batched, shared.expand(len(batched), -1)], dim=1)
        return everything[:, list(load.parameters)]

    def _apply_run(self, run: SharedRun, state: Tensor, angles: Tensor) -> Tensor:
        dim = state.shape[-1]
        if self.program.num_qubits > MAX_FUSED_QUBITS or len(state) <= dim:
            for operation in run.operations:
                state = self._apply(operation, state, angles[:1])
            return state
        # row k of `columns` is what the run makes of basis state k, so states @ columns applies it
        columns = torch.eye(dim, dtype=state.dtype, device=state.device)
        for operation in run.operations:
            columns = self._apply(operation, columns, angles[:1])
        return state @ columns

    def _apply(self, operation: Gate, state: Tensor, angles: Tensor) -> Tensor:
        if isinstance(operation, PauliRotation):
            return self._apply_rotation(operation, state, angles[:, operation.angle, None] / 2)
        return self._apply_matrix(operation, state)

    def _apply_rotation(self, rotation: PauliRotation, state: Tensor, half: Tensor) -> Tensor:
        cos, sin = torch.cos(half), torch.sin(half)  # (B or 1, 1)
        phases = self._constant(
            rotation, -1j * _pauli_phases(rotation.x, rotation.z, state.shape[-1]), state
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
            dtype = like.dtype if np.iscomplexobj(value) or not like.is_complex() else None
            self._constants[name] = torch.as_tensor(value).to(like.device, dtype)
        return self._constants[name]


def _plan(program: Program, num_batched: int) -> list[AmplitudeLoad | Gate | SharedRun]:
    """Group consecutive operations that no batched parameter reaches."""
    plan: list[AmplitudeLoad | Gate | SharedRun] = []
    run: list[Gate] = []
    for operation in program.operations:
        if isinstance(operation, AmplitudeLoad) or (
            isinstance(operation, PauliRotation)
            and any(p < num_batched for p in program.angles.depends_on(operation.angle))
        ):
            if run:
                plan.append(SharedRun(tuple(run)))
                run = []
            plan.append(operation)
        else:
            run.append(operation)
    if run:
        plan.append(SharedRun(tuple(run)))
    return plan


def _readout(program: Program, observables: Sequence[SparsePauliOp]) -> dict[int, Matrix]:
    """Per X mask, the complex weights ``(2**n, n_observables)`` of conj(ψ_j)·ψ_{j⊕x}."""
    dim = 1 << program.num_qubits
    position = {q: i for i, q in enumerate(program.active)}
    readout: dict[int, Matrix] = {}
    for column, observable in enumerate(observables):
        for label, qubits, coefficient in observable.to_sparse_list():
            if abs(complex(coefficient).imag) > 1e-12 * max(1.0, abs(complex(coefficient))):
                raise CircuitError(
                    f"observable {column} is not Hermitian: coefficient {coefficient}"
                )
            x = z = 0
            vanishes = False
            for pauli, qubit in zip(label, qubits, strict=True):
                if qubit not in position:
                    # an idle qubit stays in |0⟩: ⟨Z⟩ = 1, ⟨X⟩ = ⟨Y⟩ = 0
                    vanishes = vanishes or pauli in "XY"
                    continue
                x |= (pauli in "XY") << position[qubit]
                z |= (pauli in "ZY") << position[qubit]
            if vanishes:
                continue
            weights = readout.setdefault(x, np.zeros((dim, len(observables)), dtype=complex))
            weights[:, column] += complex(coefficient).real * _pauli_phases(x, z, dim)
    return readout


def _pauli_phases(x: int, z: int, dim: int) -> Matrix:
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
