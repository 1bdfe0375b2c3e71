import pytest

from qvlm_qiskit.errors import NoiseModelError
from qvlm_qiskit.noise_models import (
    combined,
    depolarizing,
    parse_parametric,
    restricted,
)
from tests.noise_models.specs import small_spec


def test_a_restricted_description_keeps_what_lies_inside():
    spec = combined(small_spec(), parse_parametric("zz(0.1)"))
    part = restricted(spec, (1,))
    assert (part.qubits, part.physical_qubits, part.gates) == ((spec.qubits[1],), (9,), ())
    turned = restricted(spec, (1, 0))
    assert [gate.qubits for gate in turned.gates] == [(1,), (1, 0)]
    assert restricted(depolarizing(0.1), (5, 3)) == depolarizing(0.1)
    with pytest.raises(NoiseModelError, match="distinct"):
        restricted(spec, (0, 2))
