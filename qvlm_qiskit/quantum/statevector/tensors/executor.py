r"""The torch executor: a program on a batch of statevectors in plain torch operations.

Runs on any device and can be differentiated any number of times; on the CPU the compiled sweeps of
:mod:`qvlm_qiskit.quantum.statevector.cpu.executor` are far faster. A state is a complex tensor
``(B, 2**n)`` in Qiskit's little-endian order. The matrices of all one-qubit gates are computed
together; those that all samples share are multiplied into matrices of a few neighbouring qubits,
each applied to the whole batch as one matrix product. After the first call nothing is copied
between host and device.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor

from qvlm_qiskit.quantum.encoding import unit_vectors
from qvlm_qiskit.quantum.executors.call import Call
from qvlm_qiskit.quantum.program.fusion import Plan
from qvlm_qiskit.quantum.program.hamiltonian_evolutions import Evolution, Hamiltonian
from qvlm_qiskit.quantum.program.operations import FixedUnitary, Matrix, PauliRotation
from qvlm_qiskit.quantum.program.program import Program
from qvlm_qiskit.quantum.statevector.tensors.evolutions import (
    EvolutionBank,
    Exponential,
    evolved,
)
from qvlm_qiskit.quantum.statevector.tensors.gate_bank import (
    GateBank,
    Place,
    block_groups,
    blocks_of,
    kron_groups,
)
from qvlm_qiskit.quantum.statevector.tensors.readout import pauli_phases
from qvlm_qiskit.quantum.statevector.tensors.slices import combined, multiplied, rotated
from qvlm_qiskit.quantum.statevector.tensors.steps import (
    MAX_TABLE_QUBITS,
    Chain,
    Diagonal,
    GateLayer,
    Permutation,
    Step,
    axes_of,
    qubits_of,
    steps_of,
)
from qvlm_qiskit.quantum.torch_support.device_constants import DeviceConstants


@dataclass(frozen=True)
class _Bound:
    """What one call has computed from its angles.

    Attributes:
        shared: The angles themselves, ``(n_shared,)``.
        batched: The angles themselves, ``(B, n_batched)``.
        gates: Matrices of the one-qubit gates that all samples share, ``(n_gates + 1, 2, 2)``.
        own: Matrices of those that differ from sample to sample, ``(B, n_gates + 1, 2, 2)``.
        blocks: Matrices of the shared gates of a layer on a block of qubits.
        exponentials: Of the Hamiltonians that are evolved under.
    """

    shared: Tensor
    batched: Tensor
    gates: Tensor
    own: Tensor
    blocks: dict[Place, Tensor]
    exponentials: dict[Hamiltonian, Exponential]


class TensorExecutor:
    """Runs a program's steps one after the other."""

    def __init__(self, program: Program, plan: Plan, readout: Callable[[Tensor], Tensor]) -> None:
        """Group the program.

        Args:
            program: What to run.
            plan: Says which angles are batched, and their order.
            readout: What is measured at the end.
        """
        self.num_qubits = program.num_qubits
        self._readout = readout
        self._is_large = self.num_qubits > MAX_TABLE_QUBITS
        self._constants = DeviceConstants()
        self._shared = {int(row): i for i, row in enumerate(plan.shared_rows)}
        self._batched = {int(row): i for i, row in enumerate(plan.batched_rows)}
        self._steps = steps_of(program)
        gates: dict[Place, Chain] = {}
        own: dict[Place, Chain] = {}
        for index, step in enumerate(self._steps):
            for qubit, chain in step.chains.items() if isinstance(step, GateLayer) else ():
                (own if self._is_batched(chain) else gates)[index, qubit] = chain
        behind = {row: len(self._shared) + i for row, i in self._batched.items()}
        self._bank = GateBank(list(gates.values()), self._shared)
        self._own_bank = GateBank(list(own.values()), self._shared | behind)
        self._place = {place: i for i, place in enumerate(gates)}
        self._own_place = {place: i for i, place in enumerate(own)}
        self._groups = block_groups(self._place, self.num_qubits)
        evolutions = [step for step in self._steps if isinstance(step, Evolution)]
        self._evolutions = EvolutionBank(evolutions, self._shared, self._batched)

    def expectations(
        self,
        shared: Tensor,
        batched: Tensor,
        amplitudes: Tensor | None,
        call: Call,
    ) -> Tensor:
        """Values ``(B, n_observables)``.

        Args:
            shared: Angles that all samples share, ``(n_shared,)``, in the plan's order.
            batched: Angles per sample, ``(B, n_batched)``.
            amplitudes: Initial states ``(B, 2**n)``, or None for |0…0⟩.
            call: The states' precision, and whether the rows of ``amplitudes`` have any scale.
        """
        if call.normalise and amplitudes is not None:
            amplitudes = unit_vectors(amplitudes)
        return self._readout(self.states(shared, batched, amplitudes, call.dtype))

    def states(
        self, shared: Tensor, batched: Tensor, amplitudes: Tensor | None, real: torch.dtype
    ) -> Tensor:
        """Final states ``(B, 2**n)`` in a real dtype's precision; see :meth:`expectations`."""
        if batched.device.type == "cuda":
            _warn_of_rounded_products()
        dtype, shared, batched = real.to_complex(), shared.double(), batched.double()
        bound = self._bind(shared, batched, dtype)
        if amplitudes is not None:
            state, done = amplitudes.to(dtype), 0
        else:
            done = int(bool(self._steps) and isinstance(self._steps[0], GateLayer))
            state = self._first_state(bound, prepared=done == 1).expand(batched.shape[0], -1)
        for index, step in enumerate(self._steps[done:], done):
            if self._is_large and isinstance(step, GateLayer):
                # one by one here, where nothing else holds an earlier state
                for gate in self._gates_of(index, step, bound):
                    state = gate(state)
            else:
                state = self._apply(index, step, state, bound)
        return state

    def _gates_of(
        self, index: int, layer: GateLayer, bound: _Bound
    ) -> Iterator[Callable[[Tensor], Tensor]]:
        """A layer of a large circuit as functions of the state."""
        for qubit in layer.chains:
            if (index, qubit) in self._own_place:
                gate = bound.own[:, self._own_place[index, qubit]]  # (B, 2, 2)
            else:
                gate = bound.gates[self._place[index, qubit]][None]
            rows = [[(j, gate[:, i, j]) for j in (0, 1)] for i in (0, 1)]
            yield partial(combined, qubits=[qubit], rows=rows, num_qubits=self.num_qubits)

    def _bind(self, shared: Tensor, batched: Tensor, dtype: torch.dtype) -> _Bound:
        gates = self._bank.matrices(shared, dtype)
        own = gates[None]
        if self._own_place:
            everything = torch.cat([shared.expand(batched.shape[0], -1), batched], dim=-1)
            own = self._own_bank.matrices(everything, dtype)
        blocks: dict[Place, Tensor] = {}
        for width, (places, indices) in self._groups.items():
            index = self._constants.get(
                ("groups", width), partial(np.array, indices), shared.device, torch.int64
            )
            blocks |= zip(places, kron_groups(gates, index).unbind(), strict=True)
        exponentials = self._evolutions.exponentials(shared, batched, dtype)
        return _Bound(shared, batched, gates, own, blocks, exponentials)

    def _is_batched(self, chain: Chain) -> bool:
        return any(isinstance(g, PauliRotation) and g.angle in self._batched for g in chain)

    def _first_state(self, bound: _Bound, prepared: bool) -> Tensor:
        """|0…0⟩, after the first layer if it is ``prepared``; ``(B or 1, 2**n)``."""
        state = bound.gates[-1:, 0, :1]  # the identity's first entry: (1, 1)
        for qubit in range(self.num_qubits):
            if prepared and (0, qubit) in self._own_place:
                column = bound.own[:, self._own_place[0, qubit], :, 0]
            else:
                place = self._place.get((0, qubit), -1) if prepared else -1
                column = bound.gates[None, place, :, 0]
            state = (column[:, :, None] * state[:, None, :]).flatten(1)
        return state

    def _apply(self, index: int, step: Step, state: Tensor, bound: _Bound) -> Tensor:
        if isinstance(step, GateLayer):
            return self._apply_layer(index, step, state, bound)
        if isinstance(step, Permutation):
            return cast(Tensor, _Permute.apply(state, *self._tables(index, step, state)))  # type: ignore[no-untyped-call]
        if isinstance(step, Diagonal):
            return state * self._constant(("phases", index), step.phases, state)
        if isinstance(step, Evolution):
            exponential = bound.exponentials[step.hamiltonian]
            time = self._angle(step.time, bound)
            return evolved(state, step.qubits, exponential, time)
        if isinstance(step, FixedUnitary):
            if self._is_large:
                return multiplied(state, step, self.num_qubits)
            return self._apply_matrix(index, step, state)
        if self._is_large:
            return rotated(state, step, self._angle(step.angle, bound), self.num_qubits)
        return self._apply_rotation(step, state, bound)

    def _angle(self, row: int, bound: _Bound) -> Tensor:
        """``(B,)`` or ``(1,)``."""
        if row in self._batched:
            return bound.batched[:, self._batched[row]]
        return bound.shared[self._shared[row], None]

    def _apply_layer(self, index: int, layer: GateLayer, state: Tensor, bound: _Bound) -> Tensor:
        shape = state.shape
        for first, width in blocks_of(self.num_qubits):
            if (index, first) in bound.blocks:
                matrix = bound.blocks[index, first]
                if first == 0:
                    state = state.reshape(-1, 1 << width) @ matrix.mT
                else:
                    state = matrix @ state.reshape(-1, 1 << width, 1 << first)
        for qubit in layer.chains:
            if (index, qubit) in self._own_place:
                gate = bound.own[:, self._own_place[index, qubit]]  # (B, 2, 2)
                same = gate.diagonal(dim1=-2, dim2=-1)[:, None, :, None]
                other = gate.flip(-1).diagonal(dim1=-2, dim2=-1)[:, None, :, None]
                pairs = state.reshape(gate.shape[0], -1, 2, 1 << qubit)
                state = same * pairs + other * pairs.flip(2)
        return state.reshape(shape)

    def _apply_rotation(self, rotation: PauliRotation, state: Tensor, bound: _Bound) -> Tensor:
        half = self._angle(rotation.angle, bound) / 2
        qubits = qubits_of(rotation)
        split = state.reshape(state.shape[0], *axes_of(qubits, self.num_qubits))
        half = half.reshape(-1, *[1] * (split.ndim - 1))
        cos, sin = (part.to(state.real.dtype) for part in (torch.cos(half), torch.sin(half)))
        flips = [2 * i + 2 for i, q in enumerate(reversed(qubits)) if rotation.x >> q & 1]
        phases = self._constant(("pauli", rotation.x, rotation.z), _phases(rotation), state)
        flipped = split.flip(flips) if flips else split
        return (cos * split + sin * phases * flipped).reshape(state.shape)

    def _apply_matrix(self, index: int, operation: FixedUnitary, state: Tensor) -> Tensor:
        matrix = self._constant(("matrix", index), operation.matrix, state)
        qubits = sorted(operation.qubits)
        split = state.reshape(state.shape[0], *axes_of(qubits, self.num_qubits))
        # qubit qubits[i] has axis -2 - 2i; the matrix's most significant qubit is its last one
        axes = [-2 - 2 * qubits.index(q) for q in reversed(operation.qubits)]
        last = list(range(-len(axes), 0))
        moved = split.movedim(axes, last)
        applied = (moved.reshape(-1, len(matrix)) @ matrix.mT).reshape(moved.shape)
        return applied.movedim(last, axes).reshape(state.shape)

    def _constant(self, name: object, value: Matrix, like: Tensor) -> Tensor:
        return self._constants.get(name, lambda: value, like.device, like.dtype)

    def _tables(self, index: int, step: Permutation, like: Tensor) -> tuple[Tensor, Tensor]:
        """Where amplitudes come from on the way forward, and on the way back."""
        device = like.device
        return (
            self._constants.get(("source", index), lambda: step.source, device, torch.int64),
            self._constants.get(
                ("back", index), lambda: np.argsort(step.source), device, torch.int64
            ),
        )


class _Permute(torch.autograd.Function):
    """Gathers amplitudes; its gradient gathers too, where torch's own would add one by one."""

    generate_vmap_rule = True

    @staticmethod
    def forward(state: Tensor, source: Tensor, back: Tensor) -> Tensor:
        return state.index_select(-1, source)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        ctx.save_for_backward(*inputs[1:])
        ctx.save_for_forward(*inputs[1:])

    @staticmethod
    def jvp(ctx: Any, tangent: Tensor, *_: None) -> Tensor:
        return _Permute.apply(tangent, *ctx.saved_tensors)  # type: ignore[no-any-return, no-untyped-call]

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
        source, back = ctx.saved_tensors
        return _Permute.apply(grad, back, source), None, None  # type: ignore[no-untyped-call]


def _phases(rotation: PauliRotation) -> Matrix:
    """-i times :func:`pauli_phases` over the rotation's own qubits, for :func:`axes_of`."""
    qubits = qubits_of(rotation)
    x, z = (sum((m >> q & 1) << i for i, q in enumerate(qubits)) for m in (rotation.x, rotation.z))
    shape = [1, *(size for _ in qubits for size in (2, 1))]
    return -1j * pauli_phases(x, z, 1 << len(qubits)).reshape(shape)


def _warn_of_rounded_products() -> None:
    """Matrix products in TF32 keep 10 bits, and this engine's angles are matrix products too."""
    matmul = torch.backends.cuda.matmul
    # the older name is not to be read where the newer one has been set
    newer = getattr(matmul, "fp32_precision", None)
    if newer == "tf32" if newer is not None else matmul.allow_tf32:
        warnings.warn(
            "TF32 matrix products are on (allow_tf32, set_float32_matmul_precision): expectation "
            "values and gradients on CUDA can then be wrong by 1e-3",
            stacklevel=2,
        )
