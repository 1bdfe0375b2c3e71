r"""What can be read from final states beside Pauli strings: the states, and probabilities.

Forwards, a reading is a function of the states that the compiled sweeps leave. Backwards, the
sweeps start from :math:`λ = ∂f/∂\bar ψ`: that is half the gradient by the amplitudes' parts, or
:math:`g_{o(j)} ψ_j` for a gradient g by the probabilities of outcomes o. So all :math:`2^k`
probabilities cost one pass over the state each way, and are exactly :math:`|ψ|^2`: never negative.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import cached_property
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import torch
from qiskit.quantum_info import SparsePauliOp
from torch import Tensor

from qvlm_qiskit.basics.computer.memory import memory_bytes
from qvlm_qiskit.errors import CapacityError
from qvlm_qiskit.quantum.executors.call import Call
from qvlm_qiskit.quantum.executors.tiles import tiled, untiled
from qvlm_qiskit.quantum.outcomes import spread_bits
from qvlm_qiskit.quantum.program.binding import AngleMap
from qvlm_qiskit.quantum.program.program import Program
from qvlm_qiskit.quantum.statevector.cpu.executor import CpuExecutor
from qvlm_qiskit.quantum.statevector.engine import StatevectorEngine
from qvlm_qiskit.quantum.statevector.tensors.executor import TensorExecutor
from qvlm_qiskit.quantum.torch_support.device_constants import DeviceConstants

Array = npt.NDArray[Any]

PORTION = 1 << 22
"""Amplitudes at a time where no way back follows."""


class Reading(Protocol):
    """A function of final states, real parts and imaginary parts apart."""

    width: int
    """Numbers per sample."""

    def forward(self, states: Tensor) -> Tensor:
        """``(tiles, 2, 2**n, L)`` → ``(tiles, width, L)``."""
        ...

    def backward(self, grad: Tensor, states: Tensor) -> Tensor:
        """Gradients ``(tiles, width, L)`` → λ, of the shape of the states."""
        ...


class Amplitudes:
    """The states themselves: all real parts, then all imaginary parts."""

    def __init__(self, num_qubits: int) -> None:
        self.width = 2 << num_qubits

    def forward(self, states: Tensor) -> Tensor:
        """A copy: the way back uses the states up."""
        return states.flatten(1, 2).clone()

    def backward(self, grad: Tensor, states: Tensor) -> Tensor:
        """Half the gradient."""
        return (grad / 2).reshape(states.shape)


class Probabilities:
    """Of the outcomes of some qubits; bit i of an outcome is the i-th of them."""

    def __init__(self, num_qubits: int, qubits: Sequence[int]) -> None:
        """Remember the order.

        Args:
            num_qubits: n.
            qubits: The measured ones, each once.
        """
        self.width = 1 << len(qubits)
        self._others = sorted(set(range(num_qubits)) - set(qubits), reverse=True)
        ascending = sorted(qubits)
        # axes of a tensor (…, 2, …, 2, L) whose first axis of two is the highest qubit
        self._axes = [len(qubits) - ascending.index(q) for q in reversed(qubits)]
        self._is_sorted = list(qubits) == ascending
        self._sides = [2 if q in set(qubits) else 1 for q in reversed(range(num_qubits))]

    def forward(self, states: Tensor) -> Tensor:
        """:math:`|ψ|^2`, summed over the other qubits one after the other."""
        real, imaginary = states.unbind(1)
        found = real.square() + imaginary.square()
        tiles, lanes = found.shape[0], found.shape[-1]
        for qubit in self._others:
            pairs = found.reshape(tiles, -1, 2, lanes << qubit)
            found = pairs[:, :, 0] + pairs[:, :, 1]
        return self._ordered(found.reshape(tiles, self.width, lanes))

    def backward(self, grad: Tensor, states: Tensor) -> Tensor:
        """Every amplitude times the gradient of its outcome."""
        tiles, lanes = len(grad), grad.shape[-1]
        factors = self._ordered(grad, back=True).reshape(tiles, 1, *self._sides, lanes)
        split = states.reshape(tiles, 2, *[2] * len(self._sides), lanes)
        return (split * factors).reshape(states.shape)

    def _ordered(self, values: Tensor, back: bool = False) -> Tensor:
        """From ascending qubits to the order asked for; or back."""
        if self._is_sorted:
            return values
        count = len(self._axes)
        axes = [int(a) + 1 for a in np.argsort(self._axes)] if back else self._axes
        split = values.reshape(values.shape[0], *[2] * count, values.shape[-1])
        return split.permute(0, *axes, count + 1).reshape(values.shape)


class ReadingExecutor:
    """The compiled sweeps with a reading in place of observables; a node's executor."""

    def __init__(self, inner: CpuExecutor, reading: Reading) -> None:
        self.inner = inner
        self.reading = reading

    def run(
        self, shared: Array, batched: Array, amplitudes: Array | None, call: Call, keep: bool
    ) -> tuple[Array, Array, tuple[Any, ...]]:
        """See :meth:`CpuExecutor.run`; without a way back, in portions."""
        rows = len(batched) if keep else max(1, PORTION >> self.inner.plan.num_qubits)
        parts = []
        for first in range(0, len(batched), rows):
            own = slice(first, first + rows)
            start = None if amplitudes is None else amplitudes[own]
            _, states, saved = self.inner.run(shared, batched[own], start, call, True)
            found = self.reading.forward(self._split(states))
            parts.append(untiled(found.numpy(), len(batched[own])))
        values = parts[0] if len(parts) == 1 else np.concatenate(parts)
        return values, states if keep else states[:0], saved

    def gradient(
        self, grad: Array, states: Array, saved: tuple[Any, ...], with_amplitudes: bool
    ) -> tuple[Array, Array, Array]:
        """See :meth:`CpuExecutor.gradient`."""
        split = self._split(states)
        # before version 2.1, NumPy's views of tensors are read-only
        tiles = np.require(tiled(grad, len(states), split.shape[-1]), requirements="W")
        seeds = torch.from_numpy(tiles)
        lambdas = self.reading.backward(seeds, split).reshape(states.shape).numpy()
        batch = len(grad)
        return self.inner.gradient_of_states(lambdas, states, saved, batch, with_amplitudes)

    def _split(self, states: Array) -> Tensor:
        return torch.from_numpy(states).reshape(len(states), 2, 1 << self.inner.plan.num_qubits, -1)


class ReadingEngine(StatevectorEngine, ABC):
    """The exact engine with a reading in place of observables.

    Attributes:
        reading: What is read of the active qubits.
        size: How many numbers a sample has in the end.
    """

    def __init__(
        self, program: Program, seen: Sequence[SparsePauliOp], num_batched: int, name: str
    ) -> None:
        """Plan; see the subclasses."""
        super().__init__(program, seen, num_batched)
        self.name = name
        self.reading = self._reading()
        self.size = self.reading.width
        self.num_observables = self.reading.width

    @abstractmethod
    def _reading(self) -> Reading:
        """What is read of the active qubits, which are known by now."""

    def expectations(
        self,
        batched: Tensor,
        shared: Tensor,
        features: Tensor | None = None,
        dtype: torch.dtype | None = None,
    ) -> Tensor:
        """What is read of every sample, ``(B, width)``; arguments as in the base class.

        Raises:
            CapacityError: The batch's states don't fit into memory.
        """
        if not torch.compiler.is_exporting():  # there, a batch has no size yet
            given = [t for t in (batched, shared, features) if t is not None]
            graph = torch.is_grad_enabled() and any(t.requires_grad for t in given)
            self._require_room(batched, batched.dtype if dtype is None else dtype, graph)
        return super().expectations(batched, shared, features, dtype)

    def _require_room(self, batched: Tensor, dtype: torch.dtype, graph: bool) -> None:
        numbers = ((4 if graph else 0) << self.program.num_qubits) + 2 * self.size
        needed = len(batched) * dtype.itemsize * numbers
        if needed > memory_bytes():
            raise CapacityError(
                f"{self.name} of {len(batched)} samples take {needed / 2**30:.1f} GiB, this "
                f"machine has {memory_bytes() / 2**30:.1f}: use smaller batches or fewer qubits"
            )

    @cached_property
    def cpu_executor(self) -> ReadingExecutor:  # type: ignore[override]
        """The compiled sweeps, without observables."""
        nothing = [np.zeros(0, np.int64)] * 4
        terms = (np.zeros(1, np.int64), *nothing[:2], np.zeros(0), nothing[0])
        return ReadingExecutor(CpuExecutor(self.plan, terms, 0), self.reading)

    @cached_property
    def tensor_executor(self) -> TensorExecutor:
        """The torch operations."""
        return TensorExecutor(self.program, self.plan, self._of_rows)

    def _of_rows(self, states: Tensor) -> Tensor:
        """What is read of states ``(B, 2**n)``."""
        parts = torch.stack([states.real, states.imag], dim=1)[..., None]
        return self.reading.forward(parts)[..., 0]


class ProbabilityEngine(ReadingEngine):
    """Probabilities of the outcomes of some qubits, ``(B, 2**k)``."""

    def __init__(self, program: Program, qubits: Sequence[int], num_batched: int) -> None:
        """Plan what these qubits depend on.

        Args:
            program: From :func:`~qvlm_qiskit.quantum.program.program.compile_circuit`.
            qubits: Of the circuit; bit i of an outcome is the i-th of them.
            num_batched: How many leading parameters are given per sample.
        """
        self.qubits = tuple(qubits)
        string = ("Z" * len(qubits), list(qubits), 1.0)
        seen = SparsePauliOp.from_sparse_list([string], num_qubits=program.width)
        name = f"the probabilities of {len(qubits)} qubits"
        super().__init__(program, [seen], num_batched, name)
        self.size = 1 << len(qubits)
        self._constants_of_outcomes = DeviceConstants()

    def _reading(self) -> Reading:
        place = {qubit: i for i, qubit in enumerate(self.program.active)}
        read = [place[q] for q in self.qubits if q in place]
        return Probabilities(self.program.num_qubits, read)

    def expectations(
        self,
        batched: Tensor,
        shared: Tensor,
        features: Tensor | None = None,
        dtype: torch.dtype | None = None,
    ) -> Tensor:
        """Probabilities ``(B, 2**k)``; those of qubits that nothing acts on are of outcome 0."""
        found = super().expectations(batched, shared, features, dtype)
        if found.shape[1] == self.size:
            return found
        index = self._constants_of_outcomes.get(
            "outcomes", self._outcomes, found.device, torch.int64
        )
        return found.new_zeros(found.shape[0], self.size).index_copy(1, index, found)

    def _outcomes(self) -> npt.NDArray[np.int64]:
        """The outcome of every one that is read, with zeros for idle qubits."""
        bits = [bit for bit, qubit in enumerate(self.qubits) if qubit in self.program.active]
        return spread_bits(bits)


class StateEngine(ReadingEngine):
    """The states of the whole circuit, global phase included, ``(B, 2**width)`` complex."""

    def __init__(self, program: Program, num_batched: int) -> None:
        """Plan all of it.

        Args:
            program: Compiled ``with_phase``.
            num_batched: How many leading parameters are given per sample.
        """
        super().__init__(program, [], num_batched, f"states of {program.width} qubits")
        self._phase = AngleMap(program.angles, program.phases, num_batched)
        self._places = DeviceConstants()

    def _reading(self) -> Reading:
        return Amplitudes(self.program.num_qubits)

    def __call__(self, batched: Tensor, shared: Tensor, dtype: torch.dtype) -> Tensor:
        """States ``(B, 2**width)``.

        Args:
            batched: ``(B, num_batched)``.
            shared: The other parameters.
            dtype: Real dtype of their precision.
        """
        real, imaginary = self.expectations(batched, shared, None, dtype).chunk(2, dim=1)
        found = torch.complex(real, imaginary)
        if self.program.phases:
            turn = self._phase(batched, shared).sum(-1, keepdim=True)
            found = found * torch.polar(torch.ones_like(turn), turn).to(found.dtype)
        if self.program.num_qubits == self.program.width:
            return found
        index = self._places.get("places", self._active_places, found.device, torch.int64)
        whole = found.new_zeros(found.shape[0], 1 << self.program.width)
        return whole.index_copy(1, index, found)

    def _active_places(self) -> npt.NDArray[np.int64]:
        return spread_bits(self.program.active)
