import pytest

from qvlm_qiskit.errors import NoiseModelError, UnknownNameError
from qvlm_qiskit.noise_models import (
    Depolarizing,
    ZZCrosstalk,
    combined,
    depolarizing,
    over_rotation,
    parse_parametric,
)
from tests.noise_models.specs import small_spec


def test_depolarizing_states_which_gate_gets_what():
    one, two = depolarizing(0.01).sources
    assert one == Depolarizing(("sx", "x"), 0.001)
    assert two == Depolarizing(("cz",), 0.01)
    assert parse_parametric("depolarizing(0.02, 0.004)") == depolarizing(0.02, 0.004)
    assert parse_parametric("depolarizing(0.02)") == depolarizing(0.02, 0.002)


@pytest.mark.parametrize("text", ["bitflip(0.1)", "depolarizing", "", "zz(0.1)+fog(1)", "+"])
def test_unknown_families_are_refused(text):
    with pytest.raises(UnknownNameError, match="noise"):
        parse_parametric(text)


@pytest.mark.parametrize(
    "text",
    [
        "depolarizing(much)",
        "depolarizing(1.5)",
        "depolarizing()",
        "depolarizing(1,2,3)",
        "depolarizing(0.1,p2=0.1)",
        "depolarizing(p3=0.1)",
        "thermal(t1_us=10,t2_us=21)",
        "thermal(10)",
        "amplitude_damping(-0.1)",
        "phase_damping(2)",
        "readout(1.2)",
        "over_rotation(1.5)",
        "zz(4)",
        "zz(nan)",
        "thermal(t1_us=0,t2_us=1)",
        "zz(0.1",
    ],
)
def test_impossible_strengths_are_refused(text):
    with pytest.raises((NoiseModelError, UnknownNameError)):
        parse_parametric(text)


def test_exponents_are_no_sums():
    assert parse_parametric("depolarizing(1e-2)+zz(1E+0)").sources[-1] == ZZCrosstalk(1.0)


def test_only_the_first_term_may_have_qubits():
    assert combined(small_spec(), depolarizing(0.1)).qubits == small_spec().qubits
    with pytest.raises(NoiseModelError, match="only the first"):
        combined(depolarizing(0.1), small_spec())


def test_gates_with_an_angle_do_not_turn_too_far():
    (source,) = over_rotation(0.02, basis=("rz", "rx", "sx", "rzz", "cz")).sources
    assert source.gates == ("sx", "cz")
