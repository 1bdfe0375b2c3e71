r"""The exact engine: one compiled circuit and its observables, for batches of inputs.

Binding is one affine map from parameters to gate angles (and the amplitudes of an amplitude load);
then the CPU sweeps turn angles into expectation values; on other devices, and under ``torch.func``
transforms and forward-mode differentiation, torch operations do.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from qiskit.quantum_info import SparsePauliOp
from torch import Tensor

from qvlm_qiskit.errors import CircuitError
from qvlm_qiskit.quantum.encoding import amplitudes_from_angles
from qvlm_qiskit.quantum.program.fusion import fuse
from qvlm_qiskit.quantum.program.light_cone import light_cone
from qvlm_qiskit.quantum.program.program import AmplitudeLoad, Matrix, Program
from qvlm_qiskit.quantum.statevector.cpu.executor import CpuExecutor
from qvlm_qiskit.quantum.statevector.tensors.executor import TensorExecutor, pauli_phases
from qvlm_qiskit.quantum.statevector.tensors.gate_bank import DeviceConstants
from qvlm_qiskit.quantum.transforms import is_transformed

MAX_SWEEP_QUBITS = 22
"""Above this, the index tables of the CPU sweeps would take more memory than the state."""


@dataclass(frozen=True)
class Term:
    """One Pauli string of one observable on the active qubits."""

    x: int
    z: int
    coefficient: float
    column: int


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
        """
        for column, observable in enumerate(observables):
            if observable.num_qubits != program.width:
                raise CircuitError(
                    f"observable {column} acts on {observable.num_qubits} qubits, the circuit has "
                    f"{program.width}"
                )
        self.program = program = light_cone(program, observables)
        self.num_batched = num_batched
        self.num_observables = len(observables)
        self.plan = fuse(program, num_batched)
        self._terms = _terms(program, observables)
        self._affine = matrix, offset = program.angles.affine()
        batched = self.plan.batched_rows
        # in most encodings batched angles are the inputs themselves
        self._shift_inputs = bool(matrix[batched, num_batched:].any() or offset[batched].any())
        self._input_slopes: dict[int, npt.NDArray[np.float64] | None] = {}
        self._constants = DeviceConstants()

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
        self, batched: Tensor, shared: Tensor, features: Tensor | None = None
    ) -> Tensor:
        r"""⟨ψ|O|ψ⟩ for every sample and observable.

        Args:
            batched: ``(B, num_batched)`` real, float32 or float64: decides the precision.
            shared: ``(n_parameters - num_batched,)`` of the same dtype.
            features: ``(B, 2**n)`` of any scale, whose directions are the initial states, in place
                of the first ``num_loaded`` columns of ``batched``, which then has only the others.

        Returns:
            ``(B, n_observables)`` real, of the same dtype; exact up to rounding.
        """
        if len(batched) == 0:
            # part of the graph, as any other batch: its gradients are zero
            return batched.new_zeros(0, self.num_observables) + 0 * (batched.sum() + shared.sum())
        given = [t for t in (batched, shared, features) if t is not None]
        sweep = (
            batched.device.type == "cpu"
            and self.program.num_qubits <= MAX_SWEEP_QUBITS
            and not is_transformed(*given)
            and not torch.compiler.is_exporting()
        )
        executor = self.cpu_executor if sweep else self.tensor_executor
        first = 0 if features is None else self.num_loaded
        start = self._amplitudes(batched, shared) if features is None else features
        shared_angles, batched_angles = self._angles(batched, shared, first)
        return executor.expectations(shared_angles, batched_angles, start, features is not None)

    def states(self, batched: Tensor, shared: Tensor) -> Tensor:
        """Final states ``(B, 2**n)`` of ``program``; arguments as in :meth:`expectations`.

        What no observable sees is not computed; without observables, nothing is left out.
        """
        shared_angles, batched_angles = self._angles(batched, shared)
        return self.tensor_executor.states(
            shared_angles, batched_angles, self._amplitudes(batched, shared)
        )

    @cached_property
    def cpu_executor(self) -> CpuExecutor:
        """The compiled sweeps."""
        return CpuExecutor(
            self.plan,
            _term_arrays(self._terms),
            self.num_observables,
            self.tensor_executor.expectations,
        )

    @cached_property
    def tensor_executor(self) -> TensorExecutor:
        """The torch operations: any device, differentiable any number of times."""
        readout = _readout(self._terms, 1 << self.program.num_qubits, self.num_observables)
        return TensorExecutor(self.program, self.plan, readout, self.num_observables)

    def _angles(self, batched: Tensor, shared: Tensor, skipped: int = 0) -> tuple[Tensor, Tensor]:
        """Angles that are shared ``(n_shared,)`` and that are not ``(B, n_batched)``.

        ``batched`` lacks the first ``skipped`` inputs.
        """
        rows, columns = self.plan.shared_rows, self.plan.batched_rows
        first = self._of_shared("shared", rows, shared)
        second = self._of_inputs(columns, batched, skipped)
        if self._shift_inputs:
            second = second + self._of_shared("batched", columns, shared)
        if not self.program.angles.expressions:
            return first, second
        return (
            self._free(rows, first, batched, shared, skipped),
            self._free(columns, second, batched, shared, skipped),
        )

    def _of_shared(self, name: str, rows: npt.NDArray[np.int64], shared: Tensor) -> Tensor:
        """The part of some angles that does not depend on the inputs."""
        matrix, offset = self._affine
        constant = self._constant(f"{name} offset", lambda: offset[rows], shared)
        slopes = self._constant(name, lambda: matrix[rows, self.num_batched :], shared)
        return torch.addmv(constant, slopes, shared)

    def _of_inputs(self, columns: npt.NDArray[np.int64], batched: Tensor, skipped: int) -> Tensor:
        """The part of the batched angles that depends on the inputs."""
        if skipped not in self._input_slopes:
            slopes = self._affine[0][columns, skipped : self.num_batched]
            plain = np.array_equal(slopes, np.eye(len(slopes)))
            self._input_slopes[skipped] = None if plain else slopes
        found = self._input_slopes[skipped]
        if found is None:
            return batched
        return batched @ self._constant(f"inputs {skipped}", lambda: found, batched).T

    def _free(
        self,
        rows: npt.NDArray[np.int64],
        angles: Tensor,
        batched: Tensor,
        shared: Tensor,
        skipped: int,
    ) -> Tensor:
        """Put the values of non-affine expressions into their columns."""
        columns = list(angles.unbind(-1))
        for column, row in enumerate(rows):
            if int(row) not in self.program.angles.expressions:
                continue
            parameters, function = self.program.angles.expressions[int(row)]
            values = [
                batched[:, p - skipped] if p < self.num_batched else shared[p - self.num_batched]
                for p in parameters
            ]
            value = function(*values)
            if not isinstance(value, Tensor):  # its parameters cancelled
                value = angles.new_full((), float(value))
            columns[column] = value.to(angles.dtype).expand_as(columns[column])
        return torch.stack(columns, dim=-1) if columns else angles

    def _amplitudes(self, batched: Tensor, shared: Tensor) -> Tensor | None:
        """Initial states ``(B, 2**n)``, None for |0…0⟩."""
        load = self.plan.load
        if load is None:
            return None
        angles = self._load_angles(load, batched, shared)
        return amplitudes_from_angles(angles).expand(len(batched), -1)

    def _load_angles(self, load: AmplitudeLoad, batched: Tensor, shared: Tensor) -> Tensor:
        """The load's gate angles, ``(B or 1, 2**n - 1)``."""
        if load.angles:
            first, second = self._angles(batched, shared)
            everything = torch.cat([first.expand(len(batched), -1), second], dim=1)
            return everything.index_select(
                1, self._index("load angles", self._load_columns, batched)
            )
        first_row, last_row = min(load.parameters), max(load.parameters)
        split = self.num_batched
        if load.parameters == tuple(range(first_row, last_row + 1)):
            if last_row < split:
                return batched[:, first_row : last_row + 1]
            if first_row >= split:
                return shared[None, first_row - split : last_row + 1 - split]
        everything = torch.cat([batched, shared.expand(len(batched), -1)], dim=1)
        return everything.index_select(
            1, self._index("load parameters", lambda: np.array(load.parameters), batched)
        )

    def _load_columns(self) -> npt.NDArray[np.intp]:
        """Where the load's angles are among the shared and the batched ones."""
        assert self.plan.load is not None
        order = [*self.plan.shared_rows.tolist(), *self.plan.batched_rows.tolist()]
        column = {row: i for i, row in enumerate(order)}
        return np.array([column[row] for row in self.plan.load.angles])

    def _constant(
        self, name: str, make: Callable[[], npt.NDArray[np.float64]], like: Tensor
    ) -> Tensor:
        return self._constants.get(name, make, like.device, like.dtype)

    def _index(self, name: str, make: Callable[[], npt.NDArray[np.intp]], like: Tensor) -> Tensor:
        return self._constants.get(name, make, like.device, torch.int64)


def _terms(program: Program, observables: Sequence[SparsePauliOp]) -> list[Term]:
    """The Pauli strings of all observables, moved to the active qubits."""
    position = {q: i for i, q in enumerate(program.active)}
    terms = []
    for column, observable in enumerate(observables):
        for label, qubits, coefficient in observable.to_sparse_list():
            if abs(complex(coefficient).imag) > 1e-12 * max(1.0, abs(complex(coefficient))):
                raise CircuitError(
                    f"observable {column} is not Hermitian: coefficient {coefficient}"
                )
            pairs = list(zip(label, qubits, strict=True))
            # an idle qubit stays in |0⟩: ⟨Z⟩ = 1, ⟨X⟩ = ⟨Y⟩ = 0
            if any(pauli in "XY" and qubit not in position for pauli, qubit in pairs):
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


def _readout(terms: Sequence[Term], dim: int, num_observables: int) -> dict[int, Matrix]:
    """Per X mask, the complex weights ``(2**n, n_observables)`` of conj(ψ_j)·ψ_{j⊕x}."""
    readout: dict[int, Matrix] = {}
    for term in terms:
        weights = readout.setdefault(term.x, np.zeros((dim, num_observables), dtype=complex))
        weights[:, term.column] += term.coefficient * pauli_phases(term.x, term.z, dim)
    return readout
