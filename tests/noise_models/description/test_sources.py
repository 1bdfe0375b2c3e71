import json

import pytest

from qvlm_qiskit.errors import NoiseModelError
from qvlm_qiskit.noise_models.description.sources import (
    KINDS,
    AmplitudeDamping,
    Depolarizing,
    OverRotation,
    PhaseDamping,
    ReadoutError,
    ThermalRelaxation,
    ZZCrosstalk,
    is_silent,
    source_from_dict,
    source_to_dict,
)

ONE_OF_EACH = [
    Depolarizing(("cz",), 0.1),
    AmplitudeDamping(("sx", "x"), 0.2),
    PhaseDamping(("x",), 0.3),
    ThermalRelaxation(("cz",), 70.0, 100.0, 80.0),
    OverRotation(("sx",), -0.05),
    ZZCrosstalk(0.2),
    ReadoutError(0.01, 0.02),
]


def test_a_source_of_every_kind_is_read_back_from_json():
    assert {source.kind for source in ONE_OF_EACH} == set(KINDS)
    for source in ONE_OF_EACH:
        stored = json.loads(json.dumps(source_to_dict(source)))
        assert source_from_dict(stored) == source


@pytest.mark.parametrize("source", ONE_OF_EACH, ids=lambda source: source.kind)
def test_scaled_by_nothing_a_source_is_silent(source):
    assert not is_silent(source)
    assert not is_silent(source.scaled(0.5))
    assert is_silent(source.scaled(0.0))
    assert source.scaled(1.0) == source


@pytest.mark.parametrize(
    ("data", "says"),
    [
        ({"kind": "depolarising"}, "unknown noise source 'depolarising' .*known: depolarizing"),
        ({}, "unknown noise source None"),
        ({"kind": "zz_crosstalk", "angle_rad": 0.1, "angle": 1}, "unknown fields: angle"),
        ({"kind": "zz_crosstalk", "angle_rad": 4.0}, "between -π and π"),
        ({"kind": "over_rotation", "gates": ["x"], "fraction": 2}, "between -1 and 1"),
    ],
)
def test_another_kind_or_field_or_value_is_refused(data, says):
    with pytest.raises(NoiseModelError, match=says):
        source_from_dict(data)
