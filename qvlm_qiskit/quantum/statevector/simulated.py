r"""Exact values and gradients from states that another simulator makes, Aer's for example.

Forwards, the simulator runs the circuit for a whole batch at once and hands back the final states;
observables are read from them. Backwards, one adjoint sweep of this package un-applies the circuit
from those same states (Jones and Gacon, arXiv:2009.02823): the simulator is not asked again,
whatever the number of parameters is.

What the simulator is given are the program's own operations, one gate each with an angle of its
own. So its states have the program's global phase, which the way back relies on, and what no
observable sees is not simulated.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from qiskit.circuit import Gate, Parameter, QuantumCircuit
from qiskit.circuit.library import (
    CCXGate,
    CXGate,
    CZGate,
    HGate,
    SdgGate,
    SGate,
    SwapGate,
    SXGate,
    UnitaryGate,
    XGate,
    YGate,
    ZGate,
)
from qiskit.quantum_info import SparsePauliOp
from torch import Tensor

from qvlm_qiskit.errors import BackendError, CircuitError, InputError
from qvlm_qiskit.quantum.program.binding import AngleMap, kept_in_graph
from qvlm_qiskit.quantum.program.operations import FixedUnitary, Matrix, PauliRotation
from qvlm_qiskit.quantum.program.program import Program, compile_circuit
from qvlm_qiskit.quantum.statevector.cpu.executor import CpuExecutor
from qvlm_qiskit.quantum.statevector.engine import StatevectorEngine
from qvlm_qiskit.quantum.torch_support.memory_view import memory_view
from qvlm_qiskit.quantum.torch_support.transforms import is_transformed, require_single

Array = npt.NDArray[np.float64]
States = npt.NDArray[np.complex128]

Simulate = Callable[[QuantumCircuit, Sequence[Parameter], Array], States]
"""Circuit, its parameters and their values ``(B, n_parameters)`` → final states ``(B, 2**n)``."""

TOLERANCE = 1e-6
"""How far the norm of a state, and the checked row's values, may be from what they should be."""

AMPLITUDES = 1 << 22
"""Rows are simulated in portions of about so many amplitudes: 64 MB of states."""

_ROTATIONS = ("rx", "ry", "rz", "rxx", "ryy", "rzz")
_GATES = (
    HGate(), XGate(), YGate(), ZGate(), SGate(), SdgGate(), SXGate(), CXGate(), CZGate(),
    SwapGate(), CCXGate(),
)  # fmt: skip


class SimulatedEngine(StatevectorEngine):
    """Runs one circuit on another simulator, for batches of inputs with shared weights.

    Every batch's norms are checked, and of the first batch one row's values against this package's
    own engine: a simulator that is wrong without saying so is noticed.

    Args:
        circuit: What is to be run; unitary.
        observables: On the circuit's qubits.
        parameters: The order of the parameters.
        num_batched: How many leading parameters are given per sample.
        simulate: The simulator.
        name: Its name, for messages.

    Raises:
        CircuitError: A circuit that is not unitary, or an observable that is not Hermitian.
        CapacityError: More qubits than this machine's memory holds.
    """

    def __init__(
        self,
        circuit: QuantumCircuit,
        observables: Sequence[SparsePauliOp],
        parameters: Sequence[Parameter],
        num_batched: int,
        simulate: Simulate,
        name: str,
    ) -> None:
        super().__init__(compile_circuit(circuit, parameters), observables, num_batched)
        self.name = name
        self._simulate = simulate
        self._circuit, self._free, rows = circuit_of(self.program)
        self._gate_angles = AngleMap(self.program.angles, rows, num_batched)
        self._checked = False

    def expectations(
        self,
        batched: Tensor,
        shared: Tensor,
        features: Tensor | None = None,
        dtype: torch.dtype | None = None,
    ) -> Tensor:
        r"""⟨ψ|O|ψ⟩ for every sample and observable, from the simulator's states.

        Args:
            batched: ``(B, num_batched)`` real.
            shared: ``(n_parameters - num_batched,)`` real.
            features: None: the circuit's gates load its amplitudes.
            dtype: Of the values, by default that of ``batched``; states are in double precision.

        Returns:
            ``(B, n_observables)`` real, of that dtype.

        Raises:
            BackendError: The simulator fails, or its states are wrong.
            InputError: Inside a ``torch.func`` transform, under forward-mode differentiation, or in
                an export.
        """
        if features is not None:
            raise InputError(f"{self.name} loads amplitudes by their angles, not by features")
        if len(batched) == 0 or self.program.num_qubits == 0:
            return super().expectations(batched, shared, None, dtype)
        if is_transformed(batched, shared) or torch.compiler.is_exporting():
            raise InputError(
                f"torch.func transforms, forward-mode derivatives and exports can't go through "
                f"{self.name}: only backward() does. Use 'statevector'"
            )
        device, dtype = batched.device, batched.dtype if dtype is None else dtype
        batched, shared = batched.cpu(), shared.cpu()
        rows = max(1, AMPLITUDES >> self.program.num_qubits)
        parts = [self._values(part, shared) for part in torch.split(batched, rows)]
        return torch.cat(parts).to(device, dtype)

    def at_once(self, batched: Tensor, shared: Tensor, dtype: torch.dtype) -> Tensor | None:
        """None: this package's own kernels would answer in the simulator's place."""
        return None

    def _values(self, batched: Tensor, shared: Tensor) -> Tensor:
        states = self._states(batched.detach(), shared.detach())
        values: Tensor = _Sweep.apply(  # type: ignore[no-untyped-call]
            *self._angles(batched, shared), self.cpu_executor, states
        )
        if not self._checked:
            self._check(values[:1].detach(), batched[:1].detach(), shared.detach())
            self._checked = True
        tensors = zip((batched, shared), self._reads, strict=True)
        return kept_in_graph(values, *(tensor for tensor, read in tensors if not read))

    def _states(self, batched: Tensor, shared: Tensor) -> States:
        """What the simulator makes of a batch.

        Raises:
            BackendError: It fails, or its states have another norm than 1.
        """
        angles = self._gate_angles(batched, shared).double().expand(len(batched), -1)
        states = self._simulate(self._circuit, self._free, memory_view(angles))
        norms = np.linalg.norm(states, axis=1)
        if states.shape != (len(batched), 1 << self.program.num_qubits) or not np.all(
            np.abs(norms - 1) < TOLERANCE
        ):
            raise BackendError(
                f"{self.name} gave states {states.shape} with norms {norms.min():.9g} … "
                f"{norms.max():.9g}, not 1: they can't be used. Run on 'statevector' or on the CPU"
            )
        return states

    def _check(self, found: Tensor, batched: Tensor, shared: Tensor) -> None:
        """Compare a row with this package's own engine.

        Raises:
            BackendError: They differ.
        """
        expected = super().expectations(batched, shared, None, torch.float64)
        scale = max(1.0, float(expected.abs().max()) if expected.numel() else 1.0)
        if not bool(((found - expected).abs() <= TOLERANCE * scale).all()):
            worst = float((found - expected).abs().max())
            raise BackendError(
                f"{self.name} gave values that are {worst:.3g} away from this package's own "
                "engine: it can't be used. Run on 'statevector' or on the CPU"
            )


class _Sweep(torch.autograd.Function):
    """Values from given final states; backwards, the circuit is un-applied from them."""

    @staticmethod
    def forward(
        ctx: Any, shared: Tensor, batched: Tensor, executor: CpuExecutor, states: States
    ) -> Tensor:
        given = [memory_view(t.double()) for t in (shared, batched)]
        values, tiles, ctx.saved = executor.adopt(states, *given)
        ctx.executor = executor
        ctx.states = tiles if any(ctx.needs_input_grad[:2]) else None
        ctx.dtypes = [t.dtype for t in (shared, batched)]
        return torch.from_numpy(np.ascontiguousarray(values))

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        require_single(grad)
        if torch.is_grad_enabled():  # create_graph=True
            raise InputError(
                "a second derivative can't go through another simulator's states: use 'statevector'"
            )
        # the sweep un-applies its states in place, and another backward pass may follow
        states = ctx.states.copy()
        seeds = memory_view(grad.double())
        found = ctx.executor.gradient(seeds, states, ctx.saved, False)
        wanted = zip(found, ctx.dtypes, ctx.needs_input_grad, strict=False)
        grads = [torch.from_numpy(g).to(dtype) if need else None for g, dtype, need in wanted]
        return (*grads, None, None)


def circuit_of(program: Program) -> tuple[QuantumCircuit, list[Parameter], list[int]]:
    """A program as a circuit on its active qubits, with a free angle for every rotation.

    Returns:
        The circuit, its parameters in order of application, and of each of them its row in the
        program's angle table.

    Raises:
        CircuitError: The program loads amplitudes.
    """
    circuit, rows = QuantumCircuit(program.num_qubits), list[int]()
    parameters: list[Parameter] = []
    for operation in program.operations:
        if isinstance(operation, PauliRotation):
            parameters.append(Parameter(f"angle{len(rows)}"))
            rows.append(operation.angle)
            _append_rotation(circuit, operation, parameters[-1])
        elif isinstance(operation, FixedUnitary):
            circuit.append(_gate_of(operation.matrix), operation.qubits)
        else:
            raise CircuitError(
                "a circuit that loads amplitudes or exponentiates a Hamiltonian has to be compiled "
                "to gates for a simulator"
            )
    return circuit, parameters, rows


def _append_rotation(circuit: QuantumCircuit, rotation: PauliRotation, angle: Parameter) -> None:
    """exp(-i·angle/2·P): a gate of that name, or RZ between CX and changes of basis."""
    qubits = [q for q in range(circuit.num_qubits) if (rotation.x | rotation.z) >> q & 1]
    letters = ["IXZY"[(rotation.x >> q & 1) + 2 * (rotation.z >> q & 1)] for q in qubits]
    name = "r" + "".join(letters).lower()
    if name in _ROTATIONS:
        getattr(circuit, name)(angle, *qubits)
        return
    before = QuantumCircuit(circuit.num_qubits)
    for qubit, letter in zip(qubits, letters, strict=True):
        if letter == "Y":
            before.sdg(qubit)
        if letter in "XY":
            before.h(qubit)
    for first, second in pairwise(qubits):
        before.cx(first, second)
    circuit.compose(before, inplace=True)
    circuit.rz(angle, qubits[-1])
    circuit.compose(before.inverse(), inplace=True)


def _gate_of(matrix: Matrix) -> Gate:
    """The standard gate of exactly that matrix, which simulators have kernels for; or a matrix."""
    for gate in _GATES:
        own = gate.to_matrix()
        if own.shape == matrix.shape and np.array_equal(own, matrix):
            return gate
    return UnitaryGate(matrix)
