"""Compile the kernels for noisy states, once per installation; ``make setup`` does."""

from __future__ import annotations

import numpy as np
import torch

from qvlm_qiskit.quantum.density.cpu.executor import DensityExecutor
from qvlm_qiskit.quantum.density.cpu.units import Enter, Unit, UnitPlan
from qvlm_qiskit.quantum.density.plan import Chain
from qvlm_qiskit.quantum.executors.call import Call


def warm_up() -> None:
    """Compile, or load, the passes forwards and back in both precisions."""
    # a chain with one angle, which all samples share; ⟨I⟩ is read
    turning = Chain(rotations=[(np.stack([np.eye(4)] * 3), 0)])
    plan = UnitPlan([Enter(), Enter(), Unit(0, 1, (0, -1), np.eye(16))], [turning], (0, 1))
    read = np.zeros(1, np.int64), np.ones(1), np.zeros(1, np.int64)
    executor = DensityExecutor(plan, ((0,), ()), read, 1)
    for dtype in (torch.float32, torch.float64):
        call = Call(dtype)
        _, states, saved = executor.run(np.zeros(1), np.zeros((1, 0)), None, call, keep=True)
        executor.gradient(np.ones((1, 1), call.numbers), states, saved, with_amplitudes=False)
