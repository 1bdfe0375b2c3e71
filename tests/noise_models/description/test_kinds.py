import pytest

from qvlm_qiskit.errors import NoiseModelError, UnknownNameError
from qvlm_qiskit.noise_models.description.kinds import KINDS, check_kinds, kinds_text, read_kinds


def test_a_choice_has_one_text():
    assert read_kinds("all") == set(KINDS)
    assert read_kinds("two-qubit + readout") == {"readout", "two-qubit"}
    assert kinds_text(read_kinds("two-qubit+readout")) == "readout+two-qubit"
    assert kinds_text(KINDS) == "all"


@pytest.mark.parametrize(
    ("text", "error", "says"),
    [
        ("gates", UnknownNameError, "error kind"),
        ("readuot", UnknownNameError, "readout"),
        ("", NoiseModelError, "''"),
        (None, NoiseModelError, "None"),
        ("readout+readout", NoiseModelError, "once"),
        ("readout+", UnknownNameError, "error kind"),
    ],
)
def test_other_texts_are_refused(text, error, says):
    with pytest.raises(error, match=says):
        read_kinds(text)


def test_what_a_noise_does_not_have_is_refused_by_name():
    check_kinds("fake_x", "readout", ("readout", "two-qubit"))
    check_kinds("fake_x", "all", ("readout",))
    with pytest.raises(NoiseModelError, match=r"fake_x has no crosstalk.*readout, two-qubit"):
        check_kinds("fake_x", "readout+crosstalk", ("readout", "two-qubit"))
    with pytest.raises(NoiseModelError, match="no errors"):
        check_kinds("fake_x", "readout", ())
