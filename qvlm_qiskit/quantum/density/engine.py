r"""The density-matrix engine: exact expectation values under noise, batched and differentiable.

A state is the real vector of its :math:`4^n` Pauli components, ``(B, 4**n)``; everything that acts
on it is a real matrix (:mod:`~qvlm_qiskit.quantum.density.superoperators`). All of it is plain
torch, so it runs on any device and autograd differentiates it by inputs and weights.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from qiskit.quantum_info import SparsePauliOp
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from qvlm_qiskit.basics.computer.memory import memory_bytes
from qvlm_qiskit.basics.pauli_transfer import Ptm
from qvlm_qiskit.errors import CapacityError
from qvlm_qiskit.quantum.density.compiled import Angles, compiled_units
from qvlm_qiskit.quantum.density.noisy_program import NoisyProgram, narrowed
from qvlm_qiskit.quantum.density.plan import Chain, Unit, plan_density
from qvlm_qiskit.quantum.density.readout import measured_groups, qubits_read
from qvlm_qiskit.quantum.executors.at_once import AtOnce
from qvlm_qiskit.quantum.executors.call import Call
from qvlm_qiskit.quantum.outcomes import walsh
from qvlm_qiskit.quantum.program.binding import AngleMap, kept_in_graph
from qvlm_qiskit.quantum.torch_support.transforms import constants

CHUNK_BYTES = 2**26
"""Rows are run in portions whose states and matrices take about so much at a time."""

GRADIENT_BYTES = 2**31
"""Beyond this, a gradient's intermediate states are not kept but computed again on the way back."""


class DensityEngine:
    """Runs one noisy program for batches of inputs with shared weights.

    The first ``num_batched`` parameters differ from sample to sample, the others are shared.
    """

    def __init__(
        self, program: NoisyProgram, observables: Sequence[SparsePauliOp], num_batched: int
    ) -> None:
        """Plan the products; nothing is allocated on a device yet.

        Args:
            program: From :func:`~qvlm_qiskit.quantum.density.noisy_program.compile_noisy`.
            observables: On the *circuit's* qubits, idle ones included.
            num_batched: How many leading parameters are given per sample.

        Raises:
            CircuitError: An observable that is not Hermitian, or not of the circuit's width.
            CapacityError: More qubits at a time than a density matrix can hold.
        """
        self.num_batched = num_batched
        self.num_observables = len(observables)
        self.groups = measured_groups(program, observables)
        self._read = qubits_read(self.groups)
        self.program = program = narrowed(program, self._read)
        self.plan = plan_density(program, self._is_batched, self._read)
        self._shared = _Chains([c for u in self.plan.shared for c in (u.first, u.second)])
        self._chains = _Chains([chain for pair in self.plan.chains for chain in pair])
        gates = [-1 if unit.row is None else unit.row for unit in self.plan.shared]
        self._shared_rows = [*self._shared.rows, *gates]
        self._rotation_rows = [row for _, row in self.plan.rotations]
        self._shared_angles = self._map(self._shared_rows)
        self._chain_angles = self._map(self._chains.rows)
        self._rotation_angles = self._map(self._rotation_rows)
        maps = (self._shared_angles, self._chain_angles, self._rotation_angles)
        self._reads_inputs = any(angles.reads_inputs for angles in maps)
        self._reads_weights = any(angles.reads_weights for angles in maps)
        self._units = compiled_units(program, num_batched, self.groups, self.num_observables)
        self._tensors: dict[tuple[Any, ...], Tensor] = {}
        self._calls: dict[torch.dtype, AtOnce | None] = {}

    def __getstate__(self) -> dict[str, Any]:
        """Kernels are found again on demand: they know where arrays lie."""
        return {**self.__dict__, "_calls": {}}

    def expectations(
        self, batched: Tensor, shared: Tensor, dtype: torch.dtype | None = None
    ) -> Tensor:
        """Mean measured values of every sample and observable, readout error included.

        Args:
            batched: ``(B, num_batched)`` real. Angles are computed in float64 in any case.
            shared: ``(n_parameters - num_batched,)`` real.
            dtype: float32 or float64: the precision of the states, by default that of ``batched``.

        Returns:
            ``(B, n_observables)`` real, of that dtype; exact up to rounding.

        Raises:
            CapacityError: The gradient of a single sample doesn't fit into memory.
        """
        dtype = batched.dtype if dtype is None else dtype
        found = self.at_once(batched, shared, dtype)
        if found is not None:
            return found
        if len(batched) == 0:
            # part of the graph, as any other batch: its gradients are zero
            nothing = batched.new_zeros(0, self.num_observables, dtype=dtype)
            return nothing + 0 * (batched.sum() + shared.sum()).to(dtype)
        graph = torch.is_grad_enabled() and (batched.requires_grad or shared.requires_grad)
        rows = self._rows_per_portion(dtype.itemsize, graph)
        if len(batched) <= rows:
            return self._expectations(batched, shared, dtype)
        portions = torch.split(batched, rows)
        if not graph or self._compiles(batched, shared):
            # compiled units compute their states again by themselves
            return torch.cat(
                [self._expectations(portion, shared, dtype, keep=False) for portion in portions]
            )
        # each portion's states are computed again on the way back
        values = [
            checkpoint(self._expectations, portion, shared, dtype, use_reentrant=False)
            for portion in portions
        ]
        return torch.cat(values)

    def at_once(self, batched: Tensor, shared: Tensor, dtype: torch.dtype) -> Tensor | None:
        """:meth:`expectations` of a small call by one kernel, if it is one and its numbers usual.

        None too where some number is not finite; nothing is refused or warned of.
        """
        if dtype not in self._calls:
            units = self._units
            self._calls[dtype] = None if units is None else units.whole_calls(dtype, self)
        calls = self._calls[dtype]
        return None if calls is None else calls.values(shared, batched)

    def outcomes(
        self, batched: Tensor, shared: Tensor, dtype: torch.dtype | None = None
    ) -> list[Tensor]:
        """Per measured group, the probabilities ``(B, 2**m)`` of its outcomes.

        Bit i of an outcome is the group's i-th measured qubit; arguments as in
        :meth:`expectations`.
        """
        found = []
        dtype = batched.dtype if dtype is None else dtype
        rows = self._rows_per_portion(dtype.itemsize, False)
        with torch.no_grad():
            for portion in torch.split(batched, rows):
                state = self._state(self.bind(portion, shared), dtype)
                strings = [
                    group.strings(state, self._constant, self._read) for group in self.groups
                ]
                found.append([walsh(s.expand(len(portion), -1)) / s.shape[-1] for s in strings])
        return [torch.cat(parts).clamp_min(0) for parts in zip(*found, strict=True)]

    def components(self, batched: Tensor, shared: Tensor) -> Tensor:
        r"""Final states as :math:`\mathrm{Tr}(P_i ρ)` on the active qubits that are read."""
        state = self._state(self.bind(batched, shared), batched.dtype)
        return state.expand(len(batched), -1)

    def _is_batched(self, row: int) -> bool:
        """Whether an angle differs from sample to sample."""
        return row >= 0 and any(p < self.num_batched for p in self.program.angles.depends_on(row))

    def _map(self, rows: Sequence[int]) -> AngleMap:
        return AngleMap(self.program.angles, rows, self.num_batched)

    def _expectations(
        self, batched: Tensor, shared: Tensor, dtype: torch.dtype, keep: bool = True
    ) -> Tensor:
        units = self._units
        if units is not None and self._compiles(batched, shared):
            values = units.expectations(batched, shared, Call(dtype, keep=keep), self)
        else:
            values = self.values(self.bind(batched, shared), len(batched), dtype)
        tensors = ((batched, self._reads_inputs), (shared, self._reads_weights))
        return kept_in_graph(values, *(tensor for tensor, read in tensors if not read))

    def _compiles(self, batched: Tensor, shared: Tensor) -> bool:
        return self._units is not None and self._units.takes(batched, shared)

    def values(self, angles: Angles, batch: int, dtype: torch.dtype) -> Tensor:
        """Values by torch operations."""
        state = self._state(angles, dtype)
        values = state.new_zeros(batch, self.num_observables)
        for group in self.groups:
            strings = group.strings(state, self._constant, self._read)
            values = values + strings @ self._constant(("weights", id(group)), group.weights, state)
        return values

    def bind(self, batched: Tensor, shared: Tensor) -> Angles:
        """The angles of the plan's rows, from the parameters."""
        maps = {
            id(rows): angles
            for rows, angles in (
                (self._shared_rows, self._shared_angles),
                (self._chains.rows, self._chain_angles),
                (self._rotation_rows, self._rotation_angles),
            )
        }
        return lambda rows, differ: maps[id(rows)](batched if differ else None, shared)

    def _rows_per_portion(self, itemsize: int, graph: bool) -> int:
        """How many samples run at once; a gradient keeps every product of every one of them."""
        sizes: list[int] = [4**width for width in (len(self._read), *self.plan.widths)]
        matrices = 256 * (len(self.plan.chains) + len(self.plan.rotations))
        if not graph:
            return max(1, CHUNK_BYTES // (itemsize * (4 * max(sizes) + 2 * matrices)))
        kept = 3 * (sum(sizes) + max(sizes))
        if self._units is not None:
            kept = min(kept, self._units.executor.numbers() + 2 * max(sizes))
        needed = itemsize * (kept + 3 * matrices)
        available = memory_bytes() // 2
        if needed > available:
            raise CapacityError(
                f"the gradient of one sample of this circuit ({self.program.num_qubits} qubits, "
                f"{len(self.plan.widths)} products) takes {needed / 2**30:.1f} GiB, half of the "
                f"memory is {available / 2**30:.1f} GiB: train on 'statevector', or use shots on "
                "Aer's trajectories (method='aer') to evaluate"
            )
        return max(1, min(available, GRADIENT_BYTES) // needed)

    def _state(self, angles: Angles, dtype: torch.dtype) -> Tensor:
        """The final state ``(B or 1, 4**n)`` of the qubits that are read, the last one first."""
        # of a plan without angles too: it says which device this is
        features = _features(angles(self._shared_rows, False), dtype)
        matrices = self._matrices(angles, features)
        state = features.new_ones(1, 1)
        width = 0
        for block in self.plan.blocks:
            state = self._with_zeros(state, block.enters)
            width += block.enters
            if block.axes is not None:
                axes = [0, *(axis + 1 for axis in block.axes)]
                state = state.reshape(-1, *[4] * width).permute(axes)
            state = state.reshape(state.shape[0], -1, 16)
            for element in block.elements:
                matrix = matrices[element.kind][element.index]
                state = state @ matrix.transpose(-1, -2)
            pair = state.reshape(state.shape[0], -1, 4, 4)
            for axis in sorted(block.leaves):
                pair = pair.narrow(2 + axis, 0, 1)
            state = pair.reshape(state.shape[0], -1)
            width -= len(block.leaves)
        state = self._with_zeros(state, self.plan.enters)
        order = self.plan.order
        canonical = [0, *(order.index(q) + 1 for q in reversed(self._read))]
        state = state.reshape(-1, *[4] * len(order)).permute(canonical)
        return state.reshape(-1, 4 ** len(order))

    def _with_zeros(self, state: Tensor, count: int) -> Tensor:
        """Qubits in |0⟩ behind the others."""
        for _ in range(count):
            zero = self._constant("zero", np.array([1.0, 0.0, 0.0, 1.0]), state)
            state = (state[..., None] * zero).flatten(1)
        return state

    def _matrices(self, angles: Angles, features: Tensor) -> dict[str, Sequence[Tensor]]:
        """All 16×16 matrices by kind: ``(16, 16)``, or ``(B, 16, 16)`` where samples differ."""
        plan, dtype = self.plan, features.dtype
        constants = [
            self._constant(("constant", i), matrix, features)
            for i, matrix in enumerate(plan.constants)
        ]
        return {
            "constant": constants,
            "shared": self._shared_units(features),
            "chains": self._batched_chains(angles, dtype),
            "rotation": self._batched_rotations(angles, dtype),
        }

    def _shared_units(self, features: Tensor) -> Sequence[Tensor]:
        units = self.plan.shared
        if not units:
            return ()
        kron = _kron_pairs(self._product(self._shared, features))[0]  # (U, 16, 16)
        parts = self._constant("gates", _padded_parts(units), features)
        matrices = torch.einsum("uk,ukx->ux", features[0, len(self._shared.rows) :], parts)
        return (matrices.reshape(-1, 16, 16) @ kron).unbind(0)

    def _batched_chains(self, angles: Angles, dtype: torch.dtype) -> Sequence[Tensor]:
        if not self.plan.chains:
            return ()
        features = _features(angles(self._chains.rows, True), dtype)
        return _kron_pairs(self._product(self._chains, features)).unbind(1)

    def _batched_rotations(self, angles: Angles, dtype: torch.dtype) -> Sequence[Tensor]:
        if not self.plan.rotations:
            return ()
        features = _features(angles(self._rotation_rows, True), dtype)
        parts = np.stack([parts.reshape(3, 256) for parts, _ in self.plan.rotations])
        matrices = torch.einsum("buk,ukx->bux", features, self._constant("turns", parts, features))
        return matrices.reshape(*matrices.shape[:2], 16, 16).unbind(1)

    def _product(self, chains: _Chains, features: Tensor) -> Tensor:
        """The chains multiplied out, ``(B or 1, n_chains, 4, 4)``; features of their rows first."""
        product = self._constant(("start", id(chains)), chains.start, features)[None]
        if not chains.depth:
            return product
        parts = self._constant(("parts", id(chains)), chains.parts, features)
        factors = torch.einsum("brk,rkx->brx", features[:, : len(chains.rows)], parts)
        levels = factors.reshape(len(features), chains.depth, -1, 4, 4)
        for level in levels.unbind(1):
            product = level @ product
        return product

    def _constant(self, name: Any, value: Any, like: Tensor) -> Tensor:
        """A constant array on the device and in the precision of ``like``, cached."""
        key = (name, like.device, like.dtype)
        if key not in self._tensors:
            with constants():
                self._tensors[key] = torch.as_tensor(value).to(like.device, like.dtype)
        return self._tensors[key]


def _features(angles: Tensor, dtype: torch.dtype) -> Tensor:
    """1, cos θ, sin θ for angles in any precision, ``(…, 3)``."""
    angles = angles.double()
    found = torch.stack([torch.ones_like(angles), torch.cos(angles), torch.sin(angles)], dim=-1)
    return found.to(dtype)


class _Chains:
    """Chains side by side: their constants, and level by level their rotations.

    A chain that ends early turns by 0 further on. Rows and parts run over the levels, and within a
    level over the chains.
    """

    def __init__(self, chains: Sequence[Chain]) -> None:
        self.start: Ptm = np.array([chain.start for chain in chains]).reshape(-1, 4, 4)
        self.depth = max((len(chain.rotations) for chain in chains), default=0)
        identity = np.stack([np.eye(4), np.zeros((4, 4)), np.zeros((4, 4))])
        found = [
            chain.rotations[level] if level < len(chain.rotations) else (identity, -1)
            for level in range(self.depth)
            for chain in chains
        ]
        self.rows = [row for _, row in found]
        self.parts: Ptm = np.array([parts for parts, _ in found]).reshape(-1, 3, 16)


def _padded_parts(units: Sequence[Unit]) -> Ptm:
    """The parts of all units' gates, ``(U, 3, 256)``; a constant has one part."""
    padded = np.zeros((len(units), 3, 256))
    for i, unit in enumerate(units):
        padded[i, : len(unit.parts)] = unit.parts.reshape(len(unit.parts), 256)
    return padded


def _kron_pairs(chains: Tensor) -> Tensor:
    """Chains (first, second, first, second, …) → second ⊗ first: ``(B, U, 16, 16)``."""
    first, second = chains[:, 0::2], chains[:, 1::2]
    product = second[:, :, :, None, :, None] * first[:, :, None, :, None, :]
    return product.reshape(*product.shape[:2], 16, 16)
