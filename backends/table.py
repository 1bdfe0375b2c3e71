"""The table of backends: every name that opens one, what it takes, and what it is.

Nothing here needs Qiskit, so that an unknown name is refused, and the table printed, in a moment.
`catalog` finds the openers of these names in `devices`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from qvlm_qiskit.backends.devices.fake_files import fake_files, fake_gates, fake_qubits
from qvlm_qiskit.basics.computer.memory import state_qubits
from qvlm_qiskit.errors import UnknownNameError

PARAMETRIC_QUBITS = 1000
"""Any placement: noise from a formula knows no device. What can be run is said when it is seen."""
PARAMETRIC_EXAMPLE = "noisy:depolarizing(0.01)"
UNENTANGLED_QUBITS = 1000
"""Of what keeps no state: matrix product states and Pauli strings grow with entanglement."""
SAMPLING = ("shots", "precision", "seed", "optimization_level", "layout_trials")
TILES = ("tiles", "tile_factor", "tile_spacing", "tile_repeats")
PLACED = (*TILES, "fractional")
NOISE = ("noise_scale", "error_kinds", "max_age_days")


@dataclass(frozen=True)
class BackendRow:
    """One line of the table of backends.

    Attributes:
        name: What to give to `open_backend`.
        kind: The kind of the opened backend.
        qubits: Number of qubits; None where only opening it tells.
        what: What it is, in a phrase.
    """

    name: str
    kind: str
    qubits: int | None
    what: str


@dataclass(frozen=True)
class OwnBackends:
    """The backends behind one name, or behind a prefix that ends in ":" or "_".

    Attributes:
        module: The file in `devices` that opens them.
        accepted: The options that they take.
        rows: Their lines of the table.
        check: Refuses a name that has the prefix and names nothing.
        methods: How they simulate, where there is a choice.
    """

    module: str
    accepted: tuple[str, ...]
    rows: Callable[[], Iterable[BackendRow]]
    check: Callable[[str], None] = lambda name: None
    methods: tuple[str, ...] = ("auto",)


def _statevector_rows() -> Iterable[BackendRow]:
    what = "this package's torch engine, batched"
    yield BackendRow("statevector", "exact", state_qubits(), what)


def _aer_rows() -> Iterable[BackendRow]:
    what = "Aer statevectors; real shots with shots="
    yield BackendRow("aer", "exact", state_qubits(), what)


def _gpu_rows() -> Iterable[BackendRow]:
    what = "Aer statevectors on a CUDA GPU (needs qiskit-aer-gpu)"
    yield BackendRow("aer-gpu", "exact", None, what)


def _propagation_rows() -> Iterable[BackendRow]:
    what = "Pauli strings (needs pauli-prop)"
    yield BackendRow("pauli-propagation", "approximate", UNENTANGLED_QUBITS, what)


def _noisy_rows() -> Iterable[BackendRow]:
    yield BackendRow(
        PARAMETRIC_EXAMPLE,
        "simulated shots",
        PARAMETRIC_QUBITS,
        "depolarising noise: p on cz, p/10 on sx and x; other formulas likewise",
    )
    yield BackendRow(
        "noisy:<file>.json", "simulated shots", None, "noise of a file that qvlm noise save wrote"
    )
    for device, qubits in fake_qubits().items():
        what = f"noise from the calibration of {device}"
        yield BackendRow(f"noisy:{device}", "simulated shots", qubits, what)


def _fake_rows() -> Iterable[BackendRow]:
    gates = fake_gates()
    for device, qubits in fake_qubits().items():
        what = "the Runtime client on a fake device"
        if "u3" in gates[device]:
            what += "; no parametrised circuits (u3 gates)"
        yield BackendRow(device, "local runtime", qubits, what)


def _ibm_rows() -> Iterable[BackendRow]:
    what = "IBM hardware of the saved account"
    yield BackendRow("ibm:least_busy", "hardware", None, what)
    yield BackendRow("ibm:<name>", "hardware", None, "machines by name, or ibm:best")


def noisy_names() -> list[str]:
    """What is listed with the prefix "noisy:"."""
    return [PARAMETRIC_EXAMPLE, "noisy:<file>.json", *(f"noisy:{name}" for name in fake_files())]


def check_noise(source: str) -> None:
    """Refuse a noise whose name is unknown; whether its values are physical is not asked.

    Args:
        source: As `open_noise` takes it.

    Raises:
        UnknownNameError: No such device, file or formula.
        NoiseModelError: A formula that can't be read.
    """
    from qvlm_qiskit.noise_models.description.parametric import (
        check_formula,
        signatures,
        split_terms,
    )

    first, *others = [source] if Path(source).is_file() else split_terms(source)
    for term in others:
        check_formula(term)
    if "(" in first and not is_noise_file(first):
        check_formula(first)
    elif not (first.startswith("ibm:") or first in fake_files() or is_noise_file(first)):
        known = [*fake_files(), *signatures()]
        raise UnknownNameError("noise", first, known, "A noise model file ends in .json.")


def is_noise_file(term: str) -> bool:
    """Whether a text is meant as the path of a noise model file."""
    return "/" in term or term.endswith(".json") or Path(term).is_file()


def _check_noisy(name: str) -> None:
    source = name.removeprefix("noisy:")
    try:
        check_noise(source)
    except UnknownNameError as ex:
        if "(" in source:
            raise
        raise UnknownNameError("backend", name, noisy_names()) from ex


def _check_fake(name: str) -> None:
    if name not in fake_files():
        raise UnknownNameError("backend", name, fake_files())


OWN: dict[str, OwnBackends] = {
    "statevector": OwnBackends(
        "statevector", ("shots", "precision", "seed", "device", "dtype"), _statevector_rows
    ),
    "aer": OwnBackends(
        "aer",
        (*SAMPLING, "device", "method", "max_bond_dimension", "truncation_threshold"),
        _aer_rows,
        methods=("auto", "statevector", "matrix_product_state"),
    ),
    "aer-gpu": OwnBackends("aer", SAMPLING, _gpu_rows),
    "pauli-propagation": OwnBackends(
        "pauli_propagation",
        ("seed", "optimization_level", "layout_trials", "max_terms", "truncation_threshold"),
        _propagation_rows,
    ),
    "noisy:": OwnBackends(
        "noisy",
        (*SAMPLING, *PLACED, *NOISE, "device", "dtype", "method"),
        _noisy_rows,
        _check_noisy,
        methods=("auto", "density", "aer"),
    ),
    "fake_": OwnBackends("fake", (*SAMPLING, *PLACED), _fake_rows, _check_fake),
    "ibm:": OwnBackends("ibm", (*SAMPLING, *PLACED), _ibm_rows),
}
"""This package's own names and prefixes, in the order of the table."""
