r"""The exact engine: one compiled circuit and its observables, for batches of inputs.

Binding is one affine map from parameters to gate angles (and the amplitudes of an amplitude load);
then the CPU sweeps turn angles into expectation values; on other devices, and under ``torch.func``
transforms and forward-mode differentiation, torch operations do.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import cached_property, partial
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from qiskit.quantum_info import SparsePauliOp
from torch import Tensor

from qvlm_qiskit.errors import CircuitError
from qvlm_qiskit.quantum.encoding import amplitudes_from_angles, of_order_one, shortest_scale
from qvlm_qiskit.quantum.executors.at_once import AtOnce
from qvlm_qiskit.quantum.executors.call import Call
from qvlm_qiskit.quantum.executors.node import AffineAngles, GivenAngles, GroupedAngles, Task
from qvlm_qiskit.quantum.executors.one_thread import on_one_thread, one_thread
from qvlm_qiskit.quantum.program.binding import AngleMap, kept_in_graph
from qvlm_qiskit.quantum.program.fusion import MAX_PLAN_QUBITS, fuse
from qvlm_qiskit.quantum.program.hamiltonian_evolutions import Evolution
from qvlm_qiskit.quantum.program.light_cone import light_cone
from qvlm_qiskit.quantum.program.operations import AmplitudeLoad
from qvlm_qiskit.quantum.program.program import Program, check_state_qubits
from qvlm_qiskit.quantum.statevector.cpu.executor import CpuExecutor
from qvlm_qiskit.quantum.statevector.cpu.grouped import GroupedExecutor
from qvlm_qiskit.quantum.statevector.tensors.executor import TensorExecutor
from qvlm_qiskit.quantum.statevector.tensors.readout import Readout, Term
from qvlm_qiskit.quantum.torch_support.device_constants import DeviceConstants
from qvlm_qiskit.quantum.torch_support.transforms import may_leave_torch

MAX_SWEEP_QUBITS = MAX_PLAN_QUBITS
"""Above this, the index tables of the CPU sweeps would take more memory than the state."""
SMALL_NUMBERS = 1 << 18
"""Up to so many in a batch's states and Hamiltonians, torch's threads wait more than they work."""
MIN_GROUP = 8
"""Groups of fewer samples would leave lanes of the CPU sweeps empty."""
_PLAIN = {torch.float32, torch.float64}


class StatevectorEngine:
    """Runs one program for batches of inputs with shared weights.

    The first ``num_batched`` parameters differ from sample to sample, the others are shared.
    """

    def __init__(
        self, program: Program, observables: Sequence[SparsePauliOp], num_batched: int
    ) -> None:
        """Plan the passes; nothing is allocated on a device yet.

        Args:
            program: From :func:`~qvlm_qiskit.quantum.program.program.compile_circuit`.
            observables: On the *circuit's* qubits, idle ones included.
            num_batched: How many leading parameters are given per sample.

        Raises:
            CircuitError: An observable that is not Hermitian, or not of the circuit's width.
            CapacityError: What the observables see has more qubits than a statevector can hold.
        """
        _check_widths(program, observables)
        self.program = program = light_cone(program, observables)
        check_state_qubits(program.num_qubits)
        self.num_batched = num_batched
        self.num_observables = len(observables)
        self.plan = fuse(program, num_batched)
        self._terms = pauli_terms(program, observables)
        self._shared_angles = AngleMap(program.angles, self.plan.shared_rows.tolist(), num_batched)
        self._batched_angles: dict[int, AngleMap] = {}
        self._tasks: dict[tuple[int, torch.dtype, bool], Task | None] = {}
        self._calls: dict[torch.dtype, AtOnce | None] = {}
        self._reads = self._find_reads()
        self._constants = DeviceConstants()

    def __getstate__(self) -> dict[str, Any]:
        """Kernels are found again on demand: they know where arrays lie."""
        return {**self.__dict__, "_calls": {}}

    def loads_inputs(self, count: int) -> bool:
        """Whether the first ``count`` inputs, in order, are the angles of the amplitude load."""
        load = self.plan.load
        wanted = tuple(range(count))
        return load is not None and load.parameters == wanted and count <= self.num_batched

    @cached_property
    def num_loaded(self) -> int:
        """How many leading inputs do nothing but load amplitudes, 0 if they do more or none do."""
        load, table = self.plan.load, self.program.angles
        count = 0 if load is None else len(load.parameters)
        used_again = any(
            p < count for row in range(len(table.constants)) for p in table.depends_on(row)
        )
        return count if self.loads_inputs(count) and not used_again else 0

    def expectations(
        self,
        batched: Tensor,
        shared: Tensor,
        features: Tensor | None = None,
        dtype: torch.dtype | None = None,
    ) -> Tensor:
        r"""⟨ψ|O|ψ⟩ for every sample and observable.

        Args:
            batched: ``(B, num_batched)`` real. Angles are computed in float64 in any case.
            shared: ``(n_parameters - num_batched,)`` real.
            features: ``(B, 2**n)`` of any scale, whose directions are the initial states, in place
                of the first ``num_loaded`` columns of ``batched``, which then has only the others.
            dtype: float32 or float64: the precision of the states, by default that of ``batched``.

        Returns:
            ``(B, n_observables)`` real, of that dtype; exact up to rounding.
        """
        dtype = batched.dtype if dtype is None else dtype
        found = self.at_once(batched, shared, dtype) if features is None else None
        if found is not None:
            return found
        if batched.shape[0] == 0:
            # part of the graph, as any other batch: its gradients are zero
            nothing = batched.new_zeros(0, self.num_observables, dtype=dtype)
            return nothing + 0 * (batched.sum() + shared.sum()).to(dtype)
        given = [t for t in (batched, shared, features) if t is not None]
        sweep = self._sweeps(*given)
        first = 0 if features is None else self.num_loaded
        start = self._amplitudes(batched, shared) if features is None else features
        if sweep and features is not None:
            start = _long_enough(features)
        start = None if start is None else start.to(dtype)
        normalise = features is not None
        if sweep and batched.dtype in _PLAIN and shared.dtype in _PLAIN:
            task = self._affine_task(first, dtype, normalise)
            if task is not None:
                return task.values(shared, batched, start)
        call = Call(dtype, normalise)
        angles = self._angles(batched, shared, first)
        by_tensors = self.tensor_executor.expectations
        if sweep:
            bound = Task(self.cpu_executor, GivenAngles(), call, by_tensors)
            values = bound.values(*angles, start)
        elif self._is_small(*given):
            values = on_one_thread(partial(by_tensors, call=call), *angles, start)
        else:
            values = by_tensors(*angles, start, call)
        tensors = zip((batched, shared), self._reads, strict=True)
        return kept_in_graph(values, *(tensor for tensor, read in tensors if not read))

    def at_once(self, batched: Tensor, shared: Tensor, dtype: torch.dtype) -> Tensor | None:
        """:meth:`expectations` of a small call by one kernel, if it is one and its numbers usual.

        None too where some number is not finite; nothing is refused or warned of.
        """
        if self.program.num_qubits > MAX_SWEEP_QUBITS:
            return None
        if dtype not in self._calls:
            self._calls[dtype] = self._whole_calls(dtype)
        calls = self._calls[dtype]
        return None if calls is None else calls.values(shared, batched)

    def _whole_calls(self, dtype: torch.dtype) -> AtOnce | None:
        if self.plan.has_evolutions:
            return None
        task, executor = self._affine_task(0, dtype, False), self.cpu_executor
        if task is None or not isinstance(executor, CpuExecutor):  # but one that reads states
            return None
        return AtOnce(executor, task)

    def in_groups(
        self, rows: Tensor, weight: Tensor, dtype: torch.dtype, per_row: StatevectorEngine
    ) -> Tensor | None:
        """Values of rows with weights in turns, whose shared gates are made once per group.

        Args:
            rows: ``(B, num_batched)``; row i has weights i mod R.
            weight: ``(R, n_parameters - num_batched)``.
            dtype: As for :meth:`expectations`.
            per_row: The engine that takes weights with every row, for second derivatives.

        Returns:
            ``(B, n_observables)``; None where that one is the way: few rows per group, angles of
            inputs and weights together, or tensors that the sweeps can't take.
        """
        if not (self._sweeps(rows, weight) and {rows.dtype, weight.dtype} <= _PLAIN):
            return None
        groups, each = len(weight), len(rows) // max(1, len(weight))
        task = self._grouped_task(dtype, per_row) if each >= MIN_GROUP else None
        if task is None or len(rows) != groups * each:
            return None
        # the sweeps take group after group
        own = rows.reshape(each, groups, self.num_batched).transpose(0, 1).flatten(0, 1)
        values = task.values(weight, own, None)
        return values.reshape(groups, each, self.num_observables).transpose(0, 1).flatten(0, 1)

    def _grouped_task(self, dtype: torch.dtype, per_row: StatevectorEngine) -> Task | None:
        shared, batched = self._shared_angles, self._batched_map(0)
        affine = shared.is_affine and batched.is_affine
        if self.plan.load is not None or not affine or batched.reads_weights:
            return None

        def by_tensors(s: Tensor, b: Tensor, _: Tensor | None, call: Call) -> Tensor:
            whole = torch.cat([b, s.repeat_interleave(len(b) // len(s), dim=0)], dim=-1)
            return per_row._by_tensors(0, s.new_zeros(0), whole, None, call)

        executor = GroupedExecutor(self.cpu_executor)
        return Task(executor, GroupedAngles(shared, batched), Call(dtype), by_tensors)

    def _sweeps(self, *given: Tensor) -> bool:
        """Whether the compiled sweeps take these tensors."""
        return (
            may_leave_torch(*given)
            and self.program.num_qubits <= MAX_SWEEP_QUBITS
            and not self.plan.has_evolutions
        )

    def _is_small(self, batched: Tensor, *others: Tensor) -> bool:
        """Whether torch's threads would only wait for each other."""
        if not may_leave_torch(batched, *others):  # in an exported program no size is a number
            return False
        numbers = max(1 << self.program.num_qubits, self._hamiltonian_numbers)
        return len(batched) * numbers <= SMALL_NUMBERS

    @cached_property
    def _hamiltonian_numbers(self) -> int:
        """Entries of the largest Hamiltonian that is evolved under, 0 where there is none."""
        steps = self.program.operations
        return max((4 ** len(s.qubits) for s in steps if isinstance(s, Evolution)), default=0)

    def _affine_task(self, first: int, dtype: torch.dtype, normalise: bool) -> Task | None:
        """From parameters to values in one node; the first inputs are left out.

        None where some angle is no affine function of the parameters.
        """
        key = first, dtype, normalise
        if key not in self._tasks:
            shared, batched = self._shared_angles, self._batched_map(first)
            made = None
            if shared.is_affine and batched.is_affine:
                angles, call = AffineAngles(shared, batched), Call(dtype, normalise)
                made = Task(self.cpu_executor, angles, call, partial(self._by_tensors, first))
            self._tasks[key] = made
        return self._tasks[key]

    def _by_tensors(
        self, first: int, shared: Tensor, batched: Tensor, start: Tensor | None, call: Call
    ) -> Tensor:
        """What that node computes, in torch operations."""
        angles = self._angles(batched, shared, first)
        return self.tensor_executor.expectations(*angles, start, call)

    def states(self, batched: Tensor, shared: Tensor) -> Tensor:
        """Final states ``(B, 2**n)`` of ``program``; arguments as in :meth:`expectations`.

        What no observable sees is not computed; without observables, nothing is left out.

        Raises:
            CircuitError: The circuit measures or resets in its middle.
        """
        self.program.require_state()
        shared_angles, batched_angles = self._angles(batched, shared)
        start = self._amplitudes(batched, shared)
        return self.tensor_executor.states(shared_angles, batched_angles, start, batched.dtype)

    @cached_property
    def cpu_executor(self) -> CpuExecutor:
        """The compiled sweeps."""
        return CpuExecutor(self.plan, _term_arrays(self._terms), self.num_observables)

    @cached_property
    def tensor_executor(self) -> TensorExecutor:
        """The torch operations: any device, differentiable any number of times."""
        readout = Readout(self._terms, self.program.num_qubits, self.num_observables)
        return TensorExecutor(self.program, self.plan, readout)

    def _find_reads(self) -> tuple[bool, bool]:
        """Whether values depend on any batched, and on any shared parameter."""
        rows = [*self.plan.shared_rows.tolist(), *self.plan.batched_rows.tolist()]
        read: set[int] = set().union(*map(self.program.angles.depends_on, rows))
        if self.plan.load is not None:
            read |= set(self.plan.load.parameters)
        return any(p < self.num_batched for p in read), any(p >= self.num_batched for p in read)

    def _angles(self, batched: Tensor, shared: Tensor, skipped: int = 0) -> tuple[Tensor, Tensor]:
        """Angles that are shared ``(n_shared,)`` and that are not ``(B, n_batched)``.

        ``batched`` lacks the first ``skipped`` inputs.
        """
        first = self._shared_angles(None, shared)[0]
        return first, self._batched_map(skipped)(batched, shared).expand(batched.shape[0], -1)

    def _batched_map(self, skipped: int) -> AngleMap:
        """The angles that are not shared, as a map of inputs without the first of them."""
        if skipped not in self._batched_angles:
            rows = self.plan.batched_rows.tolist()
            made = AngleMap(self.program.angles, rows, self.num_batched, skipped)
            self._batched_angles[skipped] = made
        return self._batched_angles[skipped]

    def _amplitudes(self, batched: Tensor, shared: Tensor) -> Tensor | None:
        """Initial states ``(B, 2**n)``, None for |0…0⟩."""
        load = self.plan.load
        if load is None:
            return None
        angles = self._load_angles(load, batched, shared)
        return amplitudes_from_angles(angles).expand(batched.shape[0], -1)

    def _load_angles(self, load: AmplitudeLoad, batched: Tensor, shared: Tensor) -> Tensor:
        """The load's gate angles, ``(B or 1, 2**n - 1)``."""
        if load.angles:
            first, second = self._angles(batched, shared)
            everything = torch.cat([first.expand(batched.shape[0], -1), second], dim=1).double()
            return everything.index_select(
                1, self._index("load angles", self._load_columns, batched)
            )
        batched, shared = batched.double(), shared.double()
        first_row, last_row = min(load.parameters), max(load.parameters)
        split = self.num_batched
        if load.parameters == tuple(range(first_row, last_row + 1)):
            if last_row < split:
                return batched[:, first_row : last_row + 1]
            if first_row >= split:
                return shared[None, first_row - split : last_row + 1 - split]
        everything = torch.cat([batched, shared.expand(batched.shape[0], -1)], dim=1)
        return everything.index_select(
            1, self._index("load parameters", lambda: np.array(load.parameters), batched)
        )

    def _load_columns(self) -> npt.NDArray[np.intp]:
        """Where the load's angles are among the shared and the batched ones."""
        assert self.plan.load is not None
        order = [*self.plan.shared_rows.tolist(), *self.plan.batched_rows.tolist()]
        column = {row: i for i, row in enumerate(order)}
        return np.array([column[row] for row in self.plan.load.angles])

    def _index(self, name: str, make: Callable[[], npt.NDArray[np.intp]], like: Tensor) -> Tensor:
        return self._constants.get(name, make, like.device, torch.int64)


def _long_enough(features: Tensor) -> Tensor:
    """Features whose length and gradients the compiled sweeps can compute."""
    plain, shortest = features.detach(), shortest_scale(features.dtype)
    # at most √width times the largest entry, which takes torch twenty times as long to find
    with one_thread(plain.numel()):
        length = torch.linalg.vector_norm(plain, dim=-1)
        if bool((length >= shortest * math.sqrt(plain.shape[-1])).all()):
            return features
        largest = torch.linalg.vector_norm(plain, math.inf, dim=-1)
        return of_order_one(features) if bool((largest < shortest).any()) else features


def _check_widths(program: Program, observables: Sequence[SparsePauliOp]) -> None:
    for column, observable in enumerate(observables):
        if observable.num_qubits != program.width:
            raise CircuitError(
                f"observable {column} acts on {observable.num_qubits} qubits, the circuit has "
                f"{program.width}"
            )


def pauli_terms(program: Program, observables: Sequence[SparsePauliOp]) -> list[Term]:
    """The Pauli strings of all observables, moved to the active qubits.

    Raises:
        CircuitError: An observable that is not Hermitian, or not of the circuit's width.
    """
    _check_widths(program, observables)
    position = {q: i for i, q in enumerate(program.active)}
    terms = []
    for column, observable in enumerate(observables):
        for label, qubits, coefficient in observable.to_sparse_list():
            if abs(complex(coefficient).imag) > 1e-12 * max(1.0, abs(complex(coefficient))):
                raise CircuitError(
                    f"observable {column} is not Hermitian: coefficient {coefficient}"
                )
            pairs = list(zip(label, qubits, strict=True))
            if program.vanishes(pairs):
                continue
            x = sum(1 << position[q] for p, q in pairs if p in "XY" and q in position)
            z = sum(1 << position[q] for p, q in pairs if p in "ZY" and q in position)
            terms.append(Term(x, z, complex(coefficient).real, column))
    return sorted(terms, key=lambda term: term.x)


def _term_arrays(terms: Sequence[Term]) -> tuple[npt.NDArray[Any], ...]:
    """Offsets of the groups of equal x, their x, and z, coefficient and column of every term."""
    masks = sorted({term.x for term in terms})
    counts = [sum(term.x == x for term in terms) for x in masks]
    return (
        np.cumsum([0, *counts]).astype(np.int64),
        np.array(masks, dtype=np.int64),
        np.array([term.z for term in terms], dtype=np.int64),
        np.array([term.coefficient for term in terms], dtype=np.float64),
        np.array([term.column for term in terms], dtype=np.int64),
    )
