import pytest

from qvlm_qiskit.errors import InputError, UnknownNameError
from qvlm_qiskit.quantum import SampledGradient
from qvlm_qiskit.sampled_gradients import check_sampled_gradient


@pytest.mark.parametrize("check", [check_sampled_gradient, SampledGradient])
@pytest.mark.parametrize(
    ("asked", "error", "says"),
    [
        ({"method": "spsa_"}, UnknownNameError, "did you mean 'spsa'"),
        ({"method": "spsa", "samples": 0}, InputError, "at least 1, got .* 0 directions"),
        ({"method": "spsa", "epsilon": 0.0}, InputError, "epsilon must be positive"),
        ({"method": "spsa", "prune": True}, InputError, "prune goes with gradient 'param_shift'"),
        ({"method": "param_shift", "samples": 2}, InputError, "go with gradient 'spsa'"),
        ({"method": "param_shift", "epsilon": 0.2}, InputError, "go with gradient 'spsa'"),
    ],
)
def test_what_can_not_be_computed_is_refused(check, asked, error, says):
    with pytest.raises(error, match=says):
        check(**asked)


def test_what_can_be_computed_is_taken():
    check_sampled_gradient("param_shift", prune=True)
    check_sampled_gradient("spsa", samples=3, epsilon=0.2)
