"""Kinds of error by themselves: their channels one after the other are the whole."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from qiskit.quantum_info import PTM, SuperOp
from qiskit_ibm_runtime.fake_provider import FakeManilaV2

from qvlm_qiskit.backends import open_backend
from qvlm_qiskit.errors import NoiseModelError, UnknownNameError
from qvlm_qiskit.noise_models import (
    ChannelNoise,
    GateNoise,
    NoiseSpec,
    QubitNoise,
    build,
    calibrated,
    combined,
    kinds_of,
    only_kinds,
    parse_parametric,
    scaled,
)
from qvlm_qiskit.noise_models.description.kinds import KINDS

GATES = [("sx", (0,)), ("cx", (2, 1)), ("rz", (1,))]


@cache
def manila():
    """A calibration with formulas that stand in the order relaxation, gates."""
    spec = calibrated(FakeManilaV2().target, (0, 1, 2), name="manila")
    more = "thermal(t1_us=50,t2_us=40)+depolarizing(0.01)+zz(0.3)+readout(0.01,0.02)"
    return combined(spec, parse_parametric(more, spec.basis_gates))


def matrix(noise, name, qubits):
    whole = np.eye(4 ** len(qubits))
    for operands, ptm in noise.after(name, qubits, qubits, 3):
        assert operands == qubits or len(operands) == 1  # crosstalk is looked at elsewhere
        whole = ptm @ whole if operands == qubits else whole
    return whole


def dense(spec, name, qubits):
    """Aer's channel of a gate."""
    model = build(spec)
    error = model._local_quantum_errors.get(name, {}).get(qubits)
    error = error or model._default_quantum_errors.get(name)
    return np.eye(4 ** len(qubits)) if error is None else PTM(SuperOp(error)).data.real


@pytest.mark.parametrize("factor", [1.0, 1.7])
def test_the_kinds_of_a_calibrations_gate_are_its_whole_channel(factor):
    spec = calibrated(FakeManilaV2().target)
    whole = ChannelNoise(spec, factor=factor)
    part = {kind: ChannelNoise(spec, factor=factor, kinds={kind}) for kind in KINDS}
    for name, qubits in GATES:
        width = "one-qubit" if len(qubits) == 1 else "two-qubit"
        other = "two-qubit" if len(qubits) == 1 else "one-qubit"
        own, relaxed = (matrix(part[kind], name, qubits) for kind in (width, "relaxation"))
        np.testing.assert_allclose(relaxed @ own, matrix(whole, name, qubits), atol=1e-12)
        for kind in (other, "readout", "crosstalk"):
            np.testing.assert_array_equal(matrix(part[kind], name, qubits), np.eye(len(own)))
        if name == "cx":
            assert own[-1, -1] < 1 and relaxed[-1, 0] > 0
    bare = part["relaxation"].measurement(2, "Z")
    np.testing.assert_array_equal(bare, [0, 0, 0, 1])
    np.testing.assert_array_equal(part["readout"].measurement(2, "Z"), whole.measurement(2, "Z"))


@pytest.mark.parametrize(
    "kinds", [{"one-qubit"}, {"two-qubit", "relaxation"}, set(KINDS) - {"relaxation"}, set()]
)
@pytest.mark.parametrize("factor", [0.6])
def test_engine_and_aer_keep_the_same_errors(kinds, factor):
    spec = manila()
    noise = ChannelNoise(spec, factor=factor, kinds=kinds)
    kept = only_kinds(scaled(spec, factor), kinds)
    for name, qubits in GATES:
        found = dense(kept, name, qubits)
        np.testing.assert_allclose(matrix(noise, name, qubits), found, atol=1e-10)
    for qubit in range(3):
        assert noise.measurement(qubit, "Z")[3] == pytest.approx(1 - sum(kept.readout(qubit)))
    assert kinds_of(kept) == tuple(kind for kind in KINDS if kind in kinds)


def test_a_description_has_the_kinds_that_something_in_it_is_of():
    assert kinds_of(manila()) == KINDS
    assert kinds_of(calibrated(FakeManilaV2().target)) == KINDS[:-1]
    for text, kinds in (
        ("depolarizing(0.01,0)", ("two-qubit",)),
        ("over_rotation(0.1)", ("one-qubit", "two-qubit")),
        ("phase_damping(0.01)", ("relaxation",)),
        ("zz(0.1)+readout(0)", ("crosstalk",)),
        ("depolarizing(0)", ()),
    ):
        assert kinds_of(parse_parametric(text)) == kinds
    # where relaxation alone reaches the stated error, nothing else is left of it
    slow = GateNoise("sx", (0,), 1, 1e-5, 500.0)
    spec = NoiseSpec("slow", ("sx",), (QubitNoise(10.0, 10.0),), (slow,))
    assert kinds_of(spec) == ("relaxation",)
    learned = replace(slow, error=0.0, rates=(("Z", 0.1),))
    assert kinds_of(replace(spec, gates=(learned,))) == ("one-qubit", "relaxation")


def test_a_source_on_gates_of_both_widths_is_taken_apart():
    spec = parse_parametric("over_rotation(0.1)")
    (source,) = only_kinds(spec, {"two-qubit"}).sources
    assert source.gates == ("cz",)
    (source,) = only_kinds(spec, {"one-qubit"}).sources
    assert source.gates == ("sx", "x")
    assert only_kinds(spec, {"readout"}).sources == ()
    assert only_kinds(spec, KINDS) is spec


def test_kinds_that_are_not_there_are_refused_before_anything_runs():
    with pytest.raises(NoiseModelError, match=r"noisy:fake_manila has no crosstalk errors"):
        open_backend("noisy:fake_manila", error_kinds="readout+crosstalk")
    with pytest.raises(UnknownNameError, match="error kind"):
        open_backend("noisy:fake_manila", error_kinds="gate")
