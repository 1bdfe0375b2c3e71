"""When a noisy program runs as compiled units, and with which angles."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import torch
from torch import Tensor

from qvlm_qiskit.quantum.density.cpu.executor import DensityExecutor
from qvlm_qiskit.quantum.density.cpu.units import UnitPlan, plan_units
from qvlm_qiskit.quantum.density.noisy_program import NoisyProgram
from qvlm_qiskit.quantum.density.readout import (
    Components,
    MeasuredGroup,
    qubits_read,
    read_components,
)
from qvlm_qiskit.quantum.executors.at_once import AtOnce
from qvlm_qiskit.quantum.executors.call import Call
from qvlm_qiskit.quantum.executors.node import AffineAngles, GivenAngles, Task
from qvlm_qiskit.quantum.program.binding import AngleMap
from qvlm_qiskit.quantum.torch_support.transforms import is_transformed

Angles = Callable[[Sequence[int], bool], Tensor]
"""Rows of the angle table, and whether they may differ between samples → ``(B or 1, n)``."""
_PLAIN = {torch.float32, torch.float64}


class ByTensors(Protocol):
    """An engine of torch operations."""

    def bind(self, batched: Tensor, shared: Tensor) -> Angles:
        """The angles, from the parameters."""
        ...

    def values(self, angles: Angles, batch: int, dtype: torch.dtype) -> Tensor:
        """Values ``(B, n_observables)``."""
        ...


class CompiledUnits:
    """A noisy program on CPU tensors, by compiled passes and one sweep back."""

    def __init__(
        self, program: NoisyProgram, num_batched: int, plan: UnitPlan, read: Components, size: int
    ) -> None:
        """Sort the angles into shared and batched ones.

        Args:
            program: The steps.
            num_batched: How many leading parameters are given per sample.
            plan: From `plan_units`.
            read: From `read_components`.
            size: How many observables.
        """
        used = sorted({row for chain in plan.chains for row in chain.rows})
        varies = {row: any(p < num_batched for p in program.angles.depends_on(row)) for row in used}
        self.batched_rows = [row for row in used if varies[row]]
        self.shared_rows = [row for row in used if not varies[row]]
        self._batched = AngleMap(program.angles, self.batched_rows, num_batched)
        self._shared = AngleMap(program.angles, self.shared_rows, num_batched)
        affine = self._shared.is_affine and self._batched.is_affine
        self._angles = AffineAngles(self._shared, self._batched) if affine else None
        self.executor = DensityExecutor(plan, (self.shared_rows, self.batched_rows), read, size)

    def takes(self, batched: Tensor, shared: Tensor) -> bool:
        """Whether tensors are ones that compiled code can follow."""
        tensors = (batched, shared)
        here = all(tensor.device.type == "cpu" for tensor in tensors)
        return here and not torch.compiler.is_compiling() and not is_transformed(*tensors)

    def whole_calls(self, dtype: torch.dtype, engine: ByTensors) -> AtOnce | None:
        """Small calls by one kernel; None where some angle is no affine function."""
        if self._angles is None:
            return None
        return AtOnce(self.executor, self._of_parameters(self._angles, Call(dtype), engine))

    def _of_parameters(self, angles: AffineAngles, call: Call, engine: ByTensors) -> Task:
        def twin(s: Tensor, b: Tensor, _: Tensor | None, call: Call) -> Tensor:
            return engine.values(engine.bind(b, s), len(b), call.dtype)

        return Task(self.executor, angles, call, twin)

    def expectations(
        self, batched: Tensor, shared: Tensor, call: Call, engine: ByTensors
    ) -> Tensor:
        """Values ``(B, n_observables)`` of the call's precision.

        Args:
            batched: ``(B, num_batched)``.
            shared: ``(n_weights,)``.
            call: The states' precision, and whether they are kept for the way back.
            engine: Computes the same in torch operations, for second derivatives.
        """
        if self._angles is not None and {batched.dtype, shared.dtype} <= _PLAIN:
            return self._of_parameters(self._angles, call, engine).values(shared, batched, None)

        def of_angles(s: Tensor, b: Tensor, _: Tensor | None, call: Call) -> Tensor:
            return engine.values(self._lookup(s, b), len(b), call.dtype)

        own = self._shared(None, shared)[0]
        rows = self._batched(batched, shared).expand(len(batched), -1)
        return Task(self.executor, GivenAngles(), call, of_angles).values(own, rows, None)

    def _lookup(self, shared: Tensor, batched: Tensor) -> Angles:
        """Rows of the angle table, from what the executor was given."""
        places: Mapping[int, int] = {
            row: place for place, row in enumerate([*self.shared_rows, *self.batched_rows, -1])
        }
        nothing = shared.new_zeros(1)
        alone = torch.cat([shared, batched.new_zeros(len(self.batched_rows)), nothing])

        def angles(rows: Sequence[int], may_differ: bool) -> Tensor:
            index = torch.tensor([places[row] for row in rows], dtype=torch.int64)
            if not may_differ:
                return alone[None].index_select(1, index)
            wide = torch.cat([shared, nothing]).expand(len(batched), -1)
            split = len(self.shared_rows)
            columns = torch.cat([wide[:, :split], batched, wide[:, split:]], dim=1)
            return columns.index_select(1, index)

        return angles


def compiled_units(
    program: NoisyProgram, num_batched: int, groups: Sequence[MeasuredGroup], size: int
) -> CompiledUnits | None:
    """A program as compiled units; None where a gate on two qubits has an angle, or much is read.

    Args:
        program: The steps.
        num_batched: How many leading parameters are given per sample.
        groups: What is measured.
        size: How many observables.
    """
    plan, read = plan_units(program, qubits_read(groups)), read_components(groups)
    if plan is None or read is None:
        return None
    return CompiledUnits(program, num_batched, plan, read, size)
