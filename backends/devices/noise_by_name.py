"""Texts → noise descriptions: devices, files and formulas, and sums of them."""

from __future__ import annotations

from pathlib import Path

from qvlm_qiskit.backends.devices.fake_devices import fake_device
from qvlm_qiskit.backends.devices.fake_files import fake_files
from qvlm_qiskit.backends.ibm.machine import fetch_machine
from qvlm_qiskit.backends.table import check_noise, is_noise_file
from qvlm_qiskit.noise_models import (
    NoiseSpec,
    combined,
    parse_parametric,
    snapshot,
    split_terms,
)


def open_noise(source: str, *, max_age_days: float | None = None) -> NoiseSpec:
    """The noise that a text describes.

    | text | noise |
    |---|---|
    | ``fake_torino``, … | the calibration of a fake device of qiskit-ibm-runtime |
    | ``ibm:ibm_kingston``, … | the calibration that IBM Quantum states now |
    | a path to a file | what ``NoiseSpec.save`` (``qvlm noise save``) wrote |
    | ``depolarizing(0.01)``, ``thermal(t1_us=100,t2_us=80)``, … | a formula |
    | several of them joined by ``+`` | the formulas on top of the first term |

    Args:
        source: The text. A file's name has a slash or ends in ".json".
        max_age_days: The oldest calibration that is accepted, in days; None = any.

    Raises:
        UnknownNameError: No such device, file or formula.
        NoiseModelError: A file that can't be read, an unphysical value, or a stale calibration.
        BackendError: IBM Quantum can't be asked.
    """
    check_noise(source)
    terms = [source] if Path(source).is_file() else split_terms(source)
    first = _first(terms[0])
    first.check_age(max_age_days)
    if len(terms) == 1:
        return first
    return combined(first, *(parse_parametric(term, first.basis_gates) for term in terms[1:]))


def _first(term: str) -> NoiseSpec:
    if term.startswith("ibm:"):
        return snapshot(fetch_machine(term.removeprefix("ibm:")))
    if term in fake_files():
        return snapshot(fake_device(term))
    return NoiseSpec.load(term) if is_noise_file(term) else parse_parametric(term)
