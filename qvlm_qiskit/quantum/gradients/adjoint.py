r"""Exact derivatives by one backward sweep over the states, for simulators that are exact.

With :math:`\lambda = O\psi` after the last gate, every gate :math:`e^{-i\varphi P/2}` gives
:math:`\partial E / \partial\varphi = \mathrm{Im}\,\langle\lambda|P|\psi\rangle`, after which the
gate is undone on both states (Jones and Gacon, arXiv:2009.02823); an evolution is differentiated by
its divided differences on the way. All observables and all samples
are swept together, in complex128, whatever the precision of the estimator's own values is.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from qiskit.circuit import QuantumCircuit
from qiskit.primitives import StatevectorEstimator
from qiskit_machine_learning.primitives import QMLEstimator
from torch import Tensor

from qvlm_qiskit.errors import BackendError
from qvlm_qiskit.quantum.encoding import amplitudes_from_angles
from qvlm_qiskit.quantum.estimator import TorchEstimator
from qvlm_qiskit.quantum.gradients.hidden_parameters import with_visible_parameters
from qvlm_qiskit.quantum.observables import as_pauli_sum
from qvlm_qiskit.quantum.outcomes import spread_bits
from qvlm_qiskit.quantum.program.binding import AngleMap
from qvlm_qiskit.quantum.program.hamiltonian_evolutions import Evolution
from qvlm_qiskit.quantum.program.operations import AmplitudeLoad, FixedUnitary, PauliRotation
from qvlm_qiskit.quantum.program.program import Program, check_state_qubits
from qvlm_qiskit.quantum.statevector.tensors.evolutions import evolved, exponential_of

Array = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]
PauliTerm = tuple[int, int, float]
"""X mask, Z mask over active qubits, coefficient."""

MAX_AMPLITUDES = 1 << 22
"""ψ and all λ of one chunk of samples: 64 MB, and a few times that for intermediate results."""

_AER = "qiskit_aer.primitives.estimator_v2.EstimatorV2"
_AER_METHODS = ("automatic", "statevector")


def require_exact(estimator: Any, precision: float | None = None) -> None:
    """Make sure that an estimator's values are exact and noise-free, so that a sweep has them too.

    Accepted, and never a subclass of them: ``TorchEstimator``, Qiskit's ``StatevectorEstimator``,
    ``QMLEstimator`` and Aer's ``EstimatorV2`` on statevectors in double precision.

    Raises:
        BackendError: The estimator samples, is noisy, approximates, or is not known to be exact.
    """
    reason = _inexact(estimator)
    if reason is None and precision:
        reason = f"precision={precision} asks for sampled values"
    if reason is not None:
        raise BackendError(
            f"method='adjoint' needs an exact, noise-free simulator, but {reason}; "
            "method='param_shift' works with every estimator"
        )


def _inexact(estimator: Any) -> str | None:
    """What keeps the estimator from being exact."""
    kind = type(estimator)
    if kind in (TorchEstimator, StatevectorEstimator, QMLEstimator):
        default = estimator.default_precision
        if getattr(estimator, "noise", None) is not None:
            return "this TorchEstimator has a noise model"
    elif is_aer(estimator):
        default = estimator.options.default_precision
        # the simulator may have been passed in, so the estimator's own options don't describe it
        options = estimator._backend.options  # noqa: SLF001
        if options.noise_model is not None:
            return "this Aer estimator has a noise model"
        if options.method not in _AER_METHODS:
            return f"Aer's method {options.method!r} is not its statevector"
        if options.precision not in (None, "double"):
            return f"this Aer simulator computes in {options.precision} precision"
    else:
        return f"{kind.__name__} is not known to be one"
    return f"its default precision is {default}, not 0" if default else None


def is_aer(estimator: Any) -> bool:
    """Whether the estimator is Aer's, found without importing Aer."""
    kind = type(estimator)
    return f"{kind.__module__}.{kind.__qualname__}" == _AER


def aer_states(estimator: Any, circuit: QuantumCircuit, values: Array) -> npt.NDArray[Any]:
    """Final states of all circuit qubits ``(n_vectors, 2**n)``, from one run of Aer's simulator.

    Raises:
        BackendError: Aer can't run the circuit.
    """
    saved = with_visible_parameters(circuit).copy()
    saved.save_statevector()
    place = {p: i for i, p in enumerate(circuit.parameters)}
    binds = {p: values[:, place[p]] for p in saved.parameters}
    result = estimator._backend.run(  # noqa: SLF001  (the estimator's own way to its simulator)
        saved, parameter_binds=[binds], **estimator.options.run_options
    ).result()
    if not result.success:
        raise BackendError(f"Aer could not run the circuit: {result.status}")
    return np.stack([np.asarray(result.data(i)["statevector"]) for i in range(len(values))])


class AdjointSweep:
    """The Jacobian of a program's expectation values, by sweeping backwards."""

    def __init__(
        self,
        program: Program,
        observables: Sequence[Any],
        device: torch.device | str = "cpu",
    ) -> None:
        """Prepare; nothing is computed yet.

        Args:
            program: Of the circuit, with the parameters in the order of ``values``.
            observables: Hermitian Pauli sums on the circuit's qubits.
            device: Where to sweep.

        Raises:
            CapacityError: More qubits than a statevector can hold.
        """
        check_state_qubits(program.num_qubits)
        self.program = program
        self.device = torch.device(device)
        rows = range(len(program.angles.constants))
        self._map = AngleMap(program.angles, rows, program.angles.num_parameters)
        self._terms = [_pauli_terms(program, observable) for observable in observables]
        # beside every operation; empty where it is not a matrix
        self._matrices = [
            torch.as_tensor(op.matrix if isinstance(op, FixedUnitary) else [], device=self.device)
            for op in program.operations
        ]

    def jacobian(
        self, values: Array, wanted: Mask, states: npt.NDArray[Any] | None = None
    ) -> Array:
        """Derivatives of every observable by every wanted parameter.

        Args:
            values: ``(n_vectors, n_parameters)``.
            wanted: Same shape; derivatives that are not wanted come back as zero.
            states: Final states on *all* circuit qubits, if a simulator has made them already.

        Returns:
            ``(n_observables, n_vectors, n_parameters)``.
        """
        if states is not None:
            states = states[:, spread_bits(self.program.active)]
        columns = frozenset(np.flatnonzero(wanted.any(axis=0)).tolist())
        width = (1 + len(self._terms)) << self.program.num_qubits
        step = max(1, MAX_AMPLITUDES // width)
        parts = [
            self._chunk(
                values[i : i + step], None if states is None else states[i : i + step], columns
            )
            for i in range(0, len(values), step)
        ]
        return np.where(wanted, np.concatenate(parts, axis=1), 0.0)

    def _chunk(
        self, values: Array, states: npt.NDArray[Any] | None, columns: frozenset[int]
    ) -> Array:
        inputs = torch.as_tensor(values, device=self.device).requires_grad_()
        angles = self._angles(inputs)  # (B, n_angles)
        initial = self._initial(inputs, angles)  # (B, 2**n), real
        with torch.no_grad():
            if states is None:
                state = self._forward(initial, angles)
            else:
                state = torch.as_tensor(states, dtype=torch.complex128, device=self.device)
            slopes, loads = self._sweep(state, angles, columns)
        rows = []
        for slope, load in zip(slopes, loads, strict=True):
            (gradient,) = torch.autograd.grad(
                (angles, initial), inputs, (slope, load), retain_graph=True, allow_unused=True
            )
            rows.append(torch.zeros_like(inputs) if gradient is None else gradient)
        result: Array = torch.stack(rows).cpu().numpy()
        return result

    def _angles(self, values: Tensor) -> Tensor:
        found = self._map(values, values.new_zeros(0)).expand(len(values), -1)
        return found + (0 * values).sum(dim=1, keepdim=True)  # part of the graph in any case

    def _initial(self, values: Tensor, angles: Tensor) -> Tensor:
        """The state before the first gate: |0…0⟩ or the loaded amplitudes, differentiable."""
        first = self.program.operations[:1]
        if first and isinstance(first[0], AmplitudeLoad):
            load = first[0]
            given = angles[:, list(load.angles)] if load.angles else values[:, load.parameters]
            return amplitudes_from_angles(given)
        state = values.new_zeros(len(values), 1 << self.program.num_qubits)
        state[:, 0] = 1
        # keeps the graph complete where nothing else depends on the parameters
        return state + (0 * values).sum(dim=1, keepdim=True)

    def _forward(self, initial: Tensor, angles: Tensor) -> Tensor:
        state = initial.to(torch.complex128)
        for operation, matrix in zip(self.program.operations, self._matrices, strict=True):
            if isinstance(operation, PauliRotation):
                half = angles[:, operation.angle, None] / 2
                flipped = _apply_pauli(state, operation.x, operation.z)
                state = torch.cos(half) * state - 1j * torch.sin(half) * flipped
            elif isinstance(operation, Evolution):
                state = _evolved(state, angles, operation)
            elif isinstance(operation, FixedUnitary):
                state = _apply_matrix(state, matrix, operation.qubits)
        return state

    def _sweep(
        self, state: Tensor, angles: Tensor, columns: frozenset[int]
    ) -> tuple[Tensor, Tensor]:
        """Derivatives by all angles ``(n_obs, B, n_angles)`` and by the initial amplitudes."""
        lambdas = [self._observe(state, terms) for terms in self._terms]
        both = torch.stack([state, *lambdas])  # (1 + n_obs, B, 2**n)
        slopes = angles.new_zeros(len(lambdas), *angles.shape)
        first = self._first_needed(columns)
        operations = list(zip(self.program.operations, self._matrices, strict=True))
        for operation, matrix in reversed(operations[first:]):
            if isinstance(operation, PauliRotation):
                flipped = _apply_pauli(both, operation.x, operation.z)
                overlap = (both[1:].conj() * flipped[0]).sum(dim=-1)
                slopes[..., operation.angle] += overlap.imag
                half = angles[:, operation.angle, None] / 2
                both = torch.cos(half) * both + 1j * torch.sin(half) * flipped
            elif isinstance(operation, Evolution):
                before = torch.stack([_evolved(one, angles, operation, -1.0) for one in both])
                _add_slopes(slopes, angles, operation, before[0], both[1:])
                both = before
            elif isinstance(operation, FixedUnitary):
                both = _apply_matrix(both, matrix.conj().T, operation.qubits)
        # without a load the graph behind the initial state has slope zero, so this costs nothing
        return slopes, 2 * both[1:].real

    def _observe(self, state: Tensor, terms: list[PauliTerm]) -> Tensor:
        total = torch.zeros_like(state)
        for x, z, coefficient in terms:
            total = total + coefficient * _apply_pauli(state, x, z)
        return total

    def _first_needed(self, columns: frozenset[int]) -> int:
        """The index of the first operation that a wanted parameter reaches."""
        depends = self.program.angles.depends_on
        for index, operation in enumerate(self.program.operations):
            if isinstance(operation, AmplitudeLoad):
                reached = set(operation.parameters).union(*map(depends, operation.angles))
            elif isinstance(operation, PauliRotation):
                reached = set(depends(operation.angle))
            elif isinstance(operation, Evolution):
                reached = set().union(*map(depends, operation.rows))
            else:
                continue
            if reached & columns:
                return index
        return len(self.program.operations)


def _pauli_terms(program: Program, observable: Any) -> list[PauliTerm]:
    """The terms that don't vanish, on the active qubits."""
    position = {qubit: i for i, qubit in enumerate(program.active)}
    terms: list[PauliTerm] = []
    for label, qubits, coefficient in as_pauli_sum(observable).to_sparse_list():
        letters = dict(zip(qubits, label, strict=True))
        if program.vanishes(zip(label, qubits, strict=True)):
            continue
        active = [(position[q], letter) for q, letter in letters.items() if q in position]
        x = sum(1 << i for i, letter in active if letter in "XY")
        z = sum(1 << i for i, letter in active if letter in "ZY")
        terms.append((x, z, float(coefficient.real)))
    return terms


def _evolved(state: Tensor, angles: Tensor, operation: Evolution, direction: float = 1.0) -> Tensor:
    """States ``(B, 2**n)`` after an evolution, or before it with the direction -1."""
    hamiltonian = operation.hamiltonian
    values = angles[:, list(hamiltonian.rows)]
    exponential = exponential_of(hamiltonian.form.matrix(values), state.dtype)
    return evolved(state, operation.qubits, exponential, direction * angles[:, operation.time])


def _add_slopes(
    slopes: Tensor, angles: Tensor, operation: Evolution, before: Tensor, lambdas: Tensor
) -> None:
    """Add the derivatives by all that an evolution reads, in place.

    Args:
        slopes: ``(n_obs, B, n_angles)``.
        angles: ``(B, n_angles)``.
        operation: The evolution.
        before: States before it, ``(B, 2**n)``.
        lambdas: The observables' states behind it, ``(n_obs, B, 2**n)``.
    """
    with torch.enable_grad():
        given = angles.detach().requires_grad_()
        after = _evolved(before, given, operation)
    for slope, seed in zip(slopes, lambdas, strict=True):
        (found,) = torch.autograd.grad(after, given, 2 * seed, retain_graph=True)
        slope += found


def _apply_pauli(state: Tensor, x: int, z: int) -> Tensor:
    """i^|x∧z| X^x Z^z on the last axis."""
    source = torch.arange(state.shape[-1], device=state.device) ^ x
    parity = torch.zeros_like(source)
    for qubit in range(z.bit_length()):
        if z >> qubit & 1:
            parity ^= source >> qubit & 1
    signs = 1.0 - 2.0 * parity.to(torch.float64)
    flipped = state[..., source] if x else state
    return flipped * (1j ** (x & z).bit_count() * signs)


def _apply_matrix(state: Tensor, matrix: Tensor, qubits: Sequence[int]) -> Tensor:
    """A matrix on some qubits of the last axis; the first qubit is its least significant."""
    n, k = state.shape[-1].bit_length() - 1, len(qubits)
    split = state.reshape(-1, *[2] * n)
    axes = [n - qubit for qubit in reversed(qubits)]
    out: Tensor = torch.tensordot(
        matrix.reshape([2] * (2 * k)), split, (list(range(k, 2 * k)), axes)
    )
    moved: Tensor = out.movedim(list(range(k)), axes)
    return moved.reshape(state.shape)
