r"""The numbers of a core: how many features it takes, angles and weights it has, values it returns.

The circuit and its classical twin are both made of a shape, which is why they have the same
bottleneck and the same number of trainable parameters.

Encodings, of n qubits:

- ``amplitude``: :math:`2^n` features become the amplitudes of a state, see
  :class:`~qvlm_qiskit.quantum.AmplitudeEncoding`; :math:`2^n - 2` CX.
- ``angle``: n features become an RY on each qubit.
- ``re-upload``: the same n angles, once more before every variational layer, each time with a
  trained scale and offset of its own for every qubit (Pérez-Salinas et al., arXiv:1907.02085).
- ``mps``: 4n - 5 features (at a bond dimension of 2) become the angles of a staircase of gates,
  which prepares a matrix-product state, see :mod:`~qvlm_qiskit.quantum.matrix_products`; 2n - 3 CX.
  Our reading: a linear map *chooses* a matrix-product state. It is no compression of the amplitude
  vector into one, whose way through n - 1 singular value decompositions has no bounded gradient
  where two singular values meet.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from qvlm_qiskit.basics.numbers import is_whole
from qvlm_qiskit.errors import InputError, UnknownNameError
from qvlm_qiskit.quantum.matrix_products import check_bond, mps_qubits

ENCODINGS = ("amplitude", "angle", "re-upload", "mps")
"""How features enter the circuit."""

_RANGES = {"num_qubits": (1, 1000), "num_layers": (1, 1000), "bond": (1, 2**20), "pooling": (0, 10)}
"""More is a slip of the hand, and would take minutes to be written down."""


@dataclass(frozen=True)
class CoreShape:
    """What a circuit and its twin have in common.

    Attributes:
        num_qubits: n.
        num_layers: Variational layers.
        positional: Whether every layer starts with the positional gates of PAQM.
        encoding: One of :data:`ENCODINGS`.
        bond: Bond dimension of the encoding ``mps``, a power of two; the others have none.
        pooling: Steps of QCNN pooling behind the variational layers.
    """

    num_qubits: int
    num_layers: int
    positional: bool = False
    encoding: str = "amplitude"
    bond: int = 2
    pooling: int = 0

    def __post_init__(self) -> None:
        """Refuse what no circuit has.

        Raises:
            UnknownNameError: Another encoding.
            InputError: A number that is no whole one, or out of range.
        """
        if self.encoding not in ENCODINGS:
            raise UnknownNameError("encoding", str(self.encoding), ENCODINGS)
        for name, (least, most) in _RANGES.items():
            value = getattr(self, name)
            if not is_whole(value) or not least <= value <= most:
                raise InputError(f"{name} is a whole number from {least} to {most}, got {value!r}")
        if self.encoding == "mps":
            check_bond(self.num_qubits, self.bond)
        elif self.bond != 2:
            raise InputError(f"bond goes with the encoding mps, not with {self.encoding}")
        most = (self.num_qubits - 1).bit_length()
        if self.pooling > most:
            raise InputError(
                f"pooling={self.pooling} is more than num_qubits={self.num_qubits} allows: "
                f"one is left after {most}"
            )

    @cached_property
    def features(self) -> int:
        """Numbers that the core is given for each token."""
        if self.encoding == "amplitude":
            return int(2**self.num_qubits)
        return len(self.angle_qubits) if self.encoding == "mps" else self.num_qubits

    @cached_property
    def angle_qubits(self) -> list[int]:
        """The qubit of every angle that features become, for the encodings by angles."""
        if self.encoding == "mps":
            return mps_qubits(self.num_qubits, self.bond)
        return [*range(self.num_qubits)] * self.uploads

    @property
    def uploads(self) -> int:
        """How often the features are loaded."""
        return self.num_layers if self.encoding == "re-upload" else 1

    @property
    def layer_weights(self) -> int:
        """Trainable numbers of one variational layer."""
        return (4 if self.positional else 3) * self.num_qubits

    @cached_property
    def widths(self) -> list[int]:
        """Qubits before the first pooling step, and behind each."""
        found = [self.num_qubits]
        for _ in range(self.pooling):
            found.append((found[-1] + 1) // 2)
        return found

    @property
    def pooling_weights(self) -> int:
        """Trainable numbers of all pooling steps, and of the layers between them."""
        before = self.widths[:-1]
        return sum(2 * (m // 2) for m in before) + sum(3 * m for m in before[1:])

    @property
    def outputs(self) -> int:
        """Values in [-1, 1] that the core returns for each token."""
        return self.widths[-1]
