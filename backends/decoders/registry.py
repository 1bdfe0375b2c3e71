"""The decoders by name."""

from __future__ import annotations

from collections.abc import Callable

from qvlm_qiskit.backends.pubs.answer import PubAnswer
from qvlm_qiskit.backends.pubs.package import Package
from qvlm_qiskit.basics.registry import Registry

Decoder = Callable[[bytes, Package], list[PubAnswer]]
"""Takes what the machine sent, and what was asked; raises `DamagedResultError`."""

DECODERS: Registry[Decoder] = Registry(
    "decoder", "qvlm_qiskit.decoders", "backends/decoders", besides={"registry"}
)
