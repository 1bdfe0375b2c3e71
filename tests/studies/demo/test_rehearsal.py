"""What a demo can't do is refused before its training."""

import pytest

from qvlm_qiskit.errors import QVLMError, UnknownNameError
from qvlm_qiskit.studies import run_demo


@pytest.mark.parametrize(
    "wrong",
    [
        {"device": "fake_manilla"},
        {"device": "aer"},
        {"device": "noisy:fake_manila"},
        {"device": "depolarizing(0.01)"},
        {"mitigation": "magic"},
        {"mitigation": "resilience-1"},
        {"mitigation": "none"},
        {"shots": 0},
        {"shots": -3},
        {"scales": ()},
        {"scales": (-1.0,)},
        # more noise than is physical
        {"scales": (0.0, 1e6)},
        {"rows": 0},
        # one qubit, and the blocks have two
        {"device": "fake_armonk"},
    ],
    ids=str,
)
def test_what_can_not_run_is_refused_before_the_training_and_leaves_nothing(
    short_demo_options, tmp_path, tree, watch, wrong
):
    seen = []
    with pytest.raises(QVLMError):
        run_demo(short_demo_options(**wrong), tmp_path / "run", track=watch(seen))
    assert seen == []
    assert tree(tmp_path) == {}


def test_a_device_with_a_typing_error_is_answered_with_the_nearest(demo_options, tmp_path):
    with pytest.raises(UnknownNameError, match=r"did you mean '(noisy:)?fake_manila'"):
        run_demo(demo_options(device="fake_manilla"), tmp_path / "run")
