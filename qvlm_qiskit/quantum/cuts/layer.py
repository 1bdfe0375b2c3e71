"""``cut_layer``: a circuit's values from fragments of fewer qubits, as a torch module."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from qiskit.circuit import Parameter
from qiskit.quantum_info import SparsePauliOp
from qiskit_machine_learning.neural_networks import EstimatorQNN, SamplerQNN
from torch import Tensor

from qvlm_qiskit.errors import CapacityError, CircuitError, JobPending
from qvlm_qiskit.quantum.cuts.fragments import Cutting, Fragment, Place
from qvlm_qiskit.quantum.cuts.reconstruction import preparations, reconstruction
from qvlm_qiskit.quantum.encoding import widened
from qvlm_qiskit.quantum.gradients.through_pubs import chose_no_gradient
from qvlm_qiskit.quantum.layer import QuantumLayer
from qvlm_qiskit.quantum.layer_checks import LayerInputError
from qvlm_qiskit.quantum.machines import Engine
from qvlm_qiskit.quantum.network import FastEstimatorQNN
from qvlm_qiskit.quantum.observables import as_pauli_sum
from qvlm_qiskit.quantum.program.binding import kept_in_graph
from qvlm_qiskit.quantum.readings.probabilities import ProbabilityQNN
from qvlm_qiskit.quantum.torch_support.device_constants import DeviceConstants

Array = npt.NDArray[np.float64]
Indices = npt.NDArray[np.int64]

MAX_CUTS = 10
"""Of one fragment: 4^10 values for every sample and string."""

SAMPLING = 16
"""How many times the shots one cut may take, in all circuits, for the same bound on the error."""


@dataclass(frozen=True)
class CutOverhead:
    """What cutting costs.

    Attributes:
        cuts: How many wires are cut.
        qubits: Of every fragment that is run.
        rows: For every one, rows of parameter values for each sample; 1 without a cut.
        observables: For every one, Pauli strings that are read from each row.
        sampling: How many times the shots of the whole circuit, added up over all circuits, bound
            the standard error of a Pauli string's value as before.
    """

    cuts: int
    qubits: tuple[int, ...]
    rows: tuple[int, ...]
    observables: tuple[int, ...]
    sampling: int

    def __str__(self) -> str:
        """One sentence."""
        wires = "1 wire is cut" if self.cuts == 1 else f"{self.cuts} wires are cut"
        return (
            f"{wires}: {len(self.qubits)} fragments of {_listed(self.qubits)} qubits, "
            f"{_listed(self.rows)} rows for each sample instead of 1, and up to "
            f"{self.sampling:,} times the shots for the same bound on the standard error"
        )


@dataclass(frozen=True, eq=False)
class Piece:
    """A fragment that is run.

    Attributes:
        layer: Its values, by a network whose first inputs are the angles of its preparations.
        inputs: Which of the circuit's inputs it reads.
        weights: Which weights.
        prepared: ``(rows, n_angles)``.
    """

    layer: QuantumLayer
    inputs: Indices
    weights: Indices
    prepared: Array
    _constants: DeviceConstants = field(default_factory=DeviceConstants)

    def rows_of(self, rows: Tensor) -> Tensor:
        """Its own inputs for samples ``(B, n_inputs)``, those of one preparation side by side."""
        own = rows.index_select(1, self._index("inputs", self.inputs, rows))
        times, count = self.prepared.shape
        if not count:
            return own
        angles = self._constants.get("angles", lambda: self.prepared, rows.device, rows.dtype)
        samples = rows.shape[0]
        sides = [
            angles[:, None].expand(times, samples, count),
            own.expand(times, samples, own.shape[1]),
        ]
        return torch.cat(sides, dim=2).reshape(times * samples, count + own.shape[1])

    def weights_of(self, weight: Tensor) -> Tensor:
        """Its own weights, of ``(n_weights,)`` or ``(R, n_weights)``."""
        return weight.index_select(-1, self._index("weights", self.weights, weight))

    def _index(self, name: str, index: Indices, like: Tensor) -> Tensor:
        return self._constants.get(name, lambda: index, like.device, torch.int64)


class FragmentQNN(FastEstimatorQNN):
    """A fragment's network, whose first inputs are the angles of its preparations.

    Attributes:
        constant_inputs: How many these are; nothing is differentiated by them.
    """

    constant_inputs = 0


class CutLayer(QuantumLayer):
    """A :class:`~qvlm_qiskit.quantum.QuantumLayer` whose circuit is run as fragments.

    Weights, inputs and outputs are those of the whole circuit, in its order: a ``state_dict`` goes
    between both, and so do groups, weights per sample and :meth:`run_on`. The whole width is never
    simulated. On machines every fragment is a circuit of its own, whose rows go the way of any
    other layer's; fragments are measured independently of each other, so values and gradients by
    the parameter shift are unbiased.

    Made by :func:`cut_layer`.
    """

    def __init__(
        self,
        neural_network: EstimatorQNN | SamplerQNN,
        at: Sequence[Any] = (),
        initial_weights: Array | Tensor | None = None,
        groups: int | None = None,
    ) -> None:
        """Cut a network's circuit; see :func:`cut_layer`."""
        super().__init__(neural_network, initial_weights, groups=groups)
        network = self.neural_network
        if not chose_no_gradient(network):
            raise CircuitError(
                "the fragments of a cut circuit are differentiated one by one: leave out the "
                "network's gradient"
            )
        cutting = Cutting(network.circuit, at)
        self._places, fragments = cutting.places, cutting.fragments()
        _check_cuts(fragments)
        self._whole = reconstruction(fragments, [as_pauli_sum(o) for o in network.observables])
        self._pieces = {
            i: _piece(fragment, network, strings)
            for i, (fragment, strings) in enumerate(
                zip(fragments, self._whole.observables, strict=True)
            )
            if strings
        }

    @property
    def places(self) -> tuple[Place, ...]:
        """Where wires are cut: qubits and indices of ``circuit.data``."""
        return tuple(self._places)

    @property
    def fragments(self) -> tuple[EstimatorQNN, ...]:
        """The networks of the fragments that are run; what no observable sees is not."""
        return tuple(piece.layer.neural_network for piece in self._pieces.values())

    @property
    def overhead(self) -> CutOverhead:
        """What cutting costs."""
        pieces = self._pieces.values()
        return CutOverhead(
            cuts=len(self._places),
            qubits=tuple(piece.layer.neural_network.circuit.num_qubits for piece in pieces),
            rows=tuple(len(piece.prepared) for piece in pieces),
            observables=tuple(piece.layer.neural_network.output_shape[0] for piece in pieces),
            sampling=SAMPLING ** len(self._places),
        )

    def values(
        self, rows: Tensor, weight: Tensor, features: Tensor | None = None, runs: bool = True
    ) -> Tensor:
        """What calling the layer computes, for any weights.

        Args:
            rows: ``(B, n_inputs)``.
            weight: ``(n_weights,)``, or ``(R, n_weights)``: row i has weights i mod R.
            features: None: a cut circuit is given angles.
            runs: Makes no difference: a fragment's derivatives are multiplied by values of others.

        Returns:
            ``(B, n_observables)``, or the outputs of probabilities flattened to ``(B, size)``, of
            the dtype of the rows.

        Raises:
            InputError: There are features.
            JobPending: A machine's jobs are not answered; those of all fragments have been sent.
        """
        if features is not None:
            raise LayerInputError(
                "a cut circuit loads no amplitudes as they are: call the layer with "
                "amplitude_angles(features)"
            )
        given = widened(self._without_cut_gradient(rows))
        found = self._answers(
            lambda layer, piece: layer.values(piece.rows_of(given), piece.weights_of(weight))
        )
        values = self._outputs_of(self._whole(found, given)).to(rows.dtype)
        return kept_in_graph(values, *self._unread(given, weight))

    def evaluate_rows(self, rows: Array, weight: Array) -> Array:
        """Values through the primitive interface: one pub per fragment, all observables merged.

        Args:
            rows: ``(B, n_inputs)``.
            weight: ``(n_weights,)``, or ``(R, n_weights)``: row i has weights i mod R.

        Returns:
            ``(B, n_observables)``.
        """
        given, shared = torch.as_tensor(rows), torch.as_tensor(weight)
        found = self._answers(
            lambda layer, piece: torch.as_tensor(
                layer.evaluate_rows(piece.rows_of(given).numpy(), piece.weights_of(shared).numpy())
            )
        )
        values: Array = self._whole(found, given).numpy()
        return values

    def differentiable_engine(self, per_row: bool | None = None) -> Engine | None:
        """What autograd goes through in one of the fragments; None if some fragment is asked for.

        Args:
            per_row: Whether it takes weights with every row; by default, whether the layer's are
                weights of groups.

        Raises:
            CircuitError: The active estimator can't run a fragment.
            CapacityError: A fragment is too large for it.
        """
        per_row = self.groups is not None if per_row is None else per_row
        lent = [self._lent(piece) for piece in self._pieces.values()]
        engines = [layer.differentiable_engine(per_row) for layer in lent]
        return None if None in engines else next(iter(engines), None)

    def _answers(self, ask: Callable[[QuantumLayer, Piece], Tensor]) -> dict[int, Tensor]:
        """What every fragment answers.

        Raises:
            JobPending: Jobs are not answered; those of all fragments have been sent then.
        """
        found: dict[int, Tensor] = {}
        waiting: list[JobPending] = []
        for number, piece in self._pieces.items():
            try:
                found[number] = ask(self._lent(piece), piece)
            except JobPending as pending:
                waiting.append(pending)
        if waiting:
            raise JobPending(str(waiting[0]), [s for each in waiting for s in each.submissions])
        return found

    def _outputs_of(self, values: Tensor) -> Tensor:
        network = self.neural_network
        return network.read.of_strings(values) if isinstance(network, ProbabilityQNN) else values

    def _lent(self, piece: Piece) -> QuantumLayer:
        """A fragment's layer on the estimator of this one."""
        layer = piece.layer
        layer.neural_network.estimator = self.neural_network.estimator
        layer._override, layer._differentiator = self._override, self._differentiator  # noqa: SLF001
        return layer

    def _unread(self, rows: Tensor, weight: Tensor) -> list[Tensor]:
        pieces = self._pieces.values()
        unread = []
        if not any(len(piece.inputs) for piece in pieces):
            unread.append(rows.reshape(-1))
        if not any(len(piece.weights) for piece in pieces):
            unread.append(weight.reshape(-1))
        return unread


def cut_layer(
    network: EstimatorQNN | SamplerQNN,
    at: Sequence[Any] = (),
    initial_weights: Array | Tensor | None = None,
    groups: int | None = None,
) -> CutLayer:
    """A layer that runs a circuit as fragments on fewer qubits, by cutting wires.

    Values and gradients are those of the whole circuit. Each cut that leads to a fragment makes
    four rows of one there, each that leaves it is measured in X, Y and Z: with several cuts between
    two fragments the cost grows as 4^cuts, on both sides; of cuts in a chain each fragment bears
    its own.

    Args:
        network: Of any circuit that measures nothing in its middle, such as ``make_qnn`` returns.
        at: Pairs (qubit, index of ``circuit.data``): the wire of that qubit is cut before that
            instruction. ``len(circuit.data)`` is the index of what is appended next. The circuit's
            ``CutWire`` markers are cut too: those that qiskit-addon-cutting's ``find_cuts`` sets,
            for example.
        initial_weights: Of the whole circuit, as for ``QuantumLayer``.
        groups: As for ``QuantumLayer``.

    Raises:
        InputError: No cut at all, one at a place that does not exist, two at one place, or one that
            does not separate the circuit; the message names what still joins both sides.
        CircuitError: The circuit measures something, or has a gradient object of its own.
        CapacityError: A fragment with too many cuts.
    """
    return CutLayer(network, at, initial_weights, groups)


def _check_cuts(fragments: Sequence[Fragment]) -> None:
    for fragment in fragments:
        count = len(fragment.cuts_in) + len(fragment.cuts_out)
        if count > MAX_CUTS:
            raise CapacityError(
                f"a fragment of {fragment.circuit.num_qubits} qubits has {count} cuts, which makes "
                f"4^{count} values for every sample and string: at most {MAX_CUTS}"
            )


def _piece(fragment: Fragment, network: EstimatorQNN, strings: Sequence[SparsePauliOp]) -> Piece:
    free = fragment.circuit.parameters
    inputs, weights = (
        [i for i, parameter in enumerate(given) if parameter in free]
        for given in (network.input_params, network.weight_params)
    )
    own = FragmentQNN(
        circuit=fragment.circuit,
        estimator=network.estimator,
        observables=list(strings),
        input_params=[*fragment.angles, *_chosen(network.input_params, inputs)],
        weight_params=_chosen(network.weight_params, weights),
        input_gradients=True,
        default_precision=network.default_precision,
    )
    own.constant_inputs = len(fragment.angles)
    return Piece(
        QuantumLayer(own),
        np.array(inputs, dtype=np.int64),
        np.array(weights, dtype=np.int64),
        preparations(len(fragment.cuts_in)),
    )


def _chosen(parameters: Sequence[Parameter], places: Sequence[int]) -> list[Parameter]:
    return [parameters[place] for place in places]


def _listed(numbers: Sequence[int]) -> str:
    *first, last = map(str, numbers)
    return f"{', '.join(first)} and {last}" if first else last
