"""What stands between pictures' features and a language model, as numbers and names."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from qvlm_qiskit.basics.numbers import is_whole
from qvlm_qiskit.errors import InputError, UnknownNameError

KINDS = ("quantum", "classical", "frozen", "linear")
"""The circuit; its twin of as many parameters; a circuit whose angles are not trained; two linear
maps, which are the projector and the gate of the source's classical model."""
ANSATZE = ("mixed", "source")
READS = ("zz", "z")
ATTENTIONS = ("scores", "values")
"""What of an attention over a picture's regions a circuit gives."""
ENCODINGS = ("angle", "amplitude")
NAMES = {
    "kind": KINDS, "ansatz": ANSATZE, "read": READS, "attention": (None, *ATTENTIONS),
    "encoding": ENCODINGS,
}  # fmt: skip


@dataclass(frozen=True)
class ProjectionConfig:
    """What stands between features and tokens.

    Attributes:
        kind: One of :data:`KINDS`.
        num_qubits: n.
        num_layers: Variational layers.
        ansatz: ``"mixed"`` (RY, RZ, RX and a ring of CX) or ``"source"`` (RX and the ring).
        read: ``"zz"``, ⟨Z⟩ of every qubit and ⟨ZZ⟩ of every pair, or ``"z"``.
        tokens: How many vision tokens a picture becomes.
        keep: Width of a linear map that is kept in front, the source's projector; the circuit then
            takes the place of its gate alone. None for none.
        width: Between the two maps of kind ``"linear"``; the source's is 512.
        attention: What the circuit gives to an attention over regions of a picture: ``"scores"``
            or ``"values"``. None where a picture is one vector.
        encoding: ``"angle"``, of a linear map of the features, or ``"amplitude"``, of the
            features themselves, :math:`2^n` of them.
        block: A model of the block zoo in place of the circuit, ``"NAME"`` or
            ``"NAME(option=value,…)"``; `num_qubits`, `num_layers`, `ansatz` and `read` are not
            looked at then.
    """

    kind: str = "quantum"
    num_qubits: int = 4
    num_layers: int = 3
    ansatz: str = "mixed"
    read: str = "zz"
    tokens: int = 1
    keep: int | None = None
    width: int = 512
    attention: str | None = None
    encoding: str = "angle"
    block: str | None = None

    def __post_init__(self) -> None:
        """Refuse what can't be built.

        Raises:
            UnknownNameError: An unknown kind, ansatz, read-out, attention or encoding.
            InputError: A number out of range, or an attention of linear maps.
        """
        for what, known in NAMES.items():
            if (given := getattr(self, what)) not in known:
                raise UnknownNameError(f"{what} of a projection", str(given), filter(None, known))
        ranges = {"num_qubits": (1, 24), "num_layers": (1, 100), "tokens": (1, 64),
                  "width": (1, 2**16), "keep": (1, 2**16)}  # fmt: skip
        for name, (least, most) in ranges.items():
            value = getattr(self, name)
            if name == "keep" and value is None:
                continue
            if not is_whole(value) or not least <= value <= most:
                raise InputError(f"{name} is a whole number from {least} to {most}, got {value!r}")
        if self.attention is not None and self.kind == "linear":
            raise InputError("a projection of kind linear has no attention: its twin is classical")
        if self.block is not None:
            self._check_block()

    def _check_block(self) -> None:
        """Refuse a block that can't stand here.

        Raises:
            UnknownNameError: No such model of the zoo, or no such option.
            InputError: It is one of tokens, or options that are about another circuit.
        """
        if self.kind == "linear" or self.attention is not None or self.encoding != "angle":
            raise InputError("a block goes with angles, without attention, not with kind linear")
        if len(self.core.sizes.inputs) == 2:
            raise InputError(f"block {self.block!r} takes tokens, and a picture is one vector here")

    @property
    def core(self) -> Any:
        """The configuration of the model of the zoo, of the projection's kind."""
        from qvlm_qiskit.blocks.registry import configured, find_block, read_block
        from qvlm_qiskit.blocks.zoo import find_core

        name, options = read_block(str(self.block))
        find_core(name)
        return configured(name, find_block(name), {**options, "kind": self.kind})

    @property
    def outputs(self) -> int:
        """Numbers that are read from the circuit."""
        if self.block is not None:
            sizes = self.core.sizes
            return int(sizes.count(sizes.outputs))
        n = self.num_qubits
        return n * (n + 1) // 2 if self.read == "zz" else n
