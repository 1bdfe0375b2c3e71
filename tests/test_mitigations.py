"""Names of mitigations that are known, and refused, before anything is imported."""

import re
import subprocess
import sys

import pytest

from qvlm_qiskit.errors import MitigationError
from qvlm_qiskit.mitigations import READING_ORDER, TECHNIQUES, check_mitigation


def test_a_wrong_name_is_refused_without_importing_a_technique():
    script = """
import sys
from qvlm_qiskit.mitigations import check_mitigation
from qvlm_qiskit.errors import MitigationError
check_mitigation("readout+zne(scales=1,3)")
try:
    check_mitigation("readout+zen")
except MitigationError as ex:
    assert "unknown mitigation 'zen': did you mean 'zne'" in str(ex), ex
else:
    raise SystemExit("accepted")
heavy = {"numpy", "qiskit", "torch", "transformers", "qvlm_qiskit.backends"} & set(sys.modules)
assert not heavy, heavy
"""
    subprocess.run([sys.executable, "-c", script], check=True)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("zen", "did you mean 'zne'"),
        ("learned_zne", "did you mean 'learned-zne'"),
        ("", "unknown mitigation ''"),
        ("readout+", "unknown mitigation ''"),
        ("zne(", "unbalanced"),
        ("zne(scales=1,3)x", "open parenthesis"),
    ],
)
def test_what_no_technique_is_named_is_refused(text, says):
    with pytest.raises(MitigationError, match=re.escape(says)):
        check_mitigation(text)


def test_the_reading_order_names_techniques_that_there_are():
    assert list(TECHNIQUES.own)[: len(READING_ORDER)] == list(READING_ORDER)
