from dataclasses import replace

import pytest

from qvlm_qiskit.noise_models import (
    GateNoise,
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
