from dataclasses import replace

import numpy as np
import pytest

from qvlm_qiskit.noise_models import (
    GateNoise,
    NoiseSpec,
    QubitNoise,
    ZZCrosstalk,
    diff,
    parse_parametric,
    thermal,
)
from tests.noise_models.specs import of_age


def test_diff_lists_what_changed_with_units():
    first = of_age(days=3)
    assert diff(first, replace(first, name="another name")) == []
    second = replace(
        of_age(days=1),
        qubits=(QubitNoise(110.0, 80.0, 0.01, 0.03), first.qubits[1]),
        gates=(GateNoise("cz", (0, 1), 2, 0.03, 80.0),),
        sources=(ZZCrosstalk(0.1),),
    )
    found = {(d.where, d.quantity): d for d in diff(first, second)}
    assert set(found) == {
        ("snapshot", "calibrated_utc"), ("qubit 7", "t1_us"), ("cz (7, 9)", "error"),
        ("sx (7,)", "present"), ("source 1", "kind"),
    }  # fmt: skip
    times = found["qubit 7", "t1_us"]
    assert (times.unit, times.first, times.second) == ("µs", 100.0, 110.0)
    assert times.change == pytest.approx(0.1)
    assert found["sx (7,)", "present"].change is None
    angles = diff(parse_parametric("zz(0.1)"), parse_parametric("zz(0.2)"))
    assert [(d.where, d.quantity, d.unit) for d in angles] == [
        ("source 1 (zz_crosstalk)", "angle_rad", "rad")
    ]
    assert thermal(100, 80) != thermal(100, 90)


def test_numbers_that_are_the_same_up_to_rounding_are_no_difference():
    spec = of_age(days=3)
    silent = replace(spec, qubits=(QubitNoise(100.0, None, 0.0, 0.0), spec.qubits[1]))
    rounded = QubitNoise(100.0 * (1 + 1e-12), None, 0.0, 0.0)
    assert diff(silent, replace(silent, qubits=(rounded, spec.qubits[1]))) == []
    changed = QubitNoise(100.0 * (1 + 1e-6), None, 1e-12, 0.0)
    found = diff(silent, replace(silent, qubits=(changed, spec.qubits[1])))
    assert [d.quantity for d in found] == ["t1_us", "p_meas1_prep0"]


def test_snapshots_differ_in_the_versions_that_took_them():
    taken = of_age(days=3)
    first = replace(taken, snapshot=replace(taken.snapshot, versions={"a": "1", "b": "2"}))
    second = replace(taken, snapshot=replace(taken.snapshot, versions={"a": "1", "c": "3"}))
    found = [(d.quantity, d.first, d.second) for d in diff(first, second)]
    assert found == [("version of b", "2", None), ("version of c", None, "3")]


def test_channels_differ_in_an_entry_that_is_named():
    own = GateNoise("sx", (0,), 1, channel=np.diag([1, 0.9, 0.9, 0.9]))
    other = GateNoise("sx", (0,), 1, channel=np.diag([1, 0.8, 0.8, 0.7]))
    specs = [NoiseSpec("a", ("sx",), (QubitNoise(),), (gate,)) for gate in (own, other)]
    (found,) = diff(*specs)
    assert (found.where, found.quantity) == ("sx (0,)", "channel entry Z, Z")
    assert (found.first, found.second) == (0.9, 0.7)
    bare = NoiseSpec("a", ("sx",), (QubitNoise(),), (GateNoise("sx", (0,), 1),))
    (found,) = diff(bare, specs[1])
    assert (found.first, found.second) == (1.0, 0.7)
    assert diff(specs[0], specs[0]) == []
