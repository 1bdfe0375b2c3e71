"""Compile the kernels for noisy states, once per installation; ``make setup`` does."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from qvlm_qiskit.quantum.density.cpu.executor import DensityExecutor
from qvlm_qiskit.quantum.density.cpu.units import Enter, Unit, UnitPlan
from qvlm_qiskit.quantum.density.plan import Chain
from qvlm_qiskit.quantum.executors.at_once import AtOnce
from qvlm_qiskit.quantum.executors.call import Call
from qvlm_qiskit.quantum.executors.node import AffineAngles, Task
from qvlm_qiskit.quantum.program.angles import AngleTable
from qvlm_qiskit.quantum.program.binding import AngleMap


def warm_up() -> None:
    """Compile, or load, the passes forwards and back in both precisions."""
    # a chain with one angle, which all samples share; ⟨I⟩ is read
    turning = Chain(rotations=[(np.stack([np.eye(4)] * 3), 0)])
    plan = UnitPlan([Enter(), Enter(), Unit(0, 1, (0, -1), np.eye(16))], [turning], (0, 1))
    read = np.zeros(1, np.int64), np.ones(1), np.zeros(1, np.int64)
    executor = DensityExecutor(plan, ((0,), ()), read, 1)
    table = AngleTable(1, [{0: 1.0}], [0.0])
    angles = AffineAngles(AngleMap(table, (0,), 0), AngleMap(table, (), 0))
    for dtype in (torch.float32, torch.float64):
        weights, rows = torch.zeros(1, dtype=dtype, requires_grad=True), torch.zeros(1, 0)
        small = AtOnce(executor, Task(executor, angles, Call(dtype), _no_twin))
        values = small.values(weights, rows)
        if values is not None:
            values.sum().backward()  # type: ignore[no-untyped-call]
        call = Call(dtype)
        _, states, saved = executor.run(np.zeros(1), np.zeros((1, 0)), None, call, keep=True)
        executor.gradient(np.ones((1, 1), call.numbers), states, saved, with_amplitudes=False)


def _no_twin(*_: Any) -> Tensor:
    raise AssertionError("nothing is differentiated twice here")
