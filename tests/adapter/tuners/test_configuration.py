import pytest

from qvlm_qiskit.errors import InputError


def test_layers_are_chosen_among_listed_targets(tuner):
    with pytest.raises(InputError, match="layers_to_transform goes with a list"):
        tuner.config(".*q_proj", layers_to_transform=[0])
    with pytest.raises(InputError, match="layers_pattern says which list"):
        tuner.config(["q_proj"], layers_pattern="h")
