"""NumPy's scalars as options."""

import json

import numpy as np
import pytest

from qvlm_qiskit.backends import open_backend
from qvlm_qiskit.backends.mitigation.names import parse_mitigation
from qvlm_qiskit.backends.mitigation.techniques.readout import Readout
from qvlm_qiskit.backends.mitigation.techniques.zne import Zne
from qvlm_qiskit.backends.options import BackendOptions
from qvlm_qiskit.basics.numbers import (
    check_positive,
    check_truth,
    check_whole,
    is_real,
    plain_number,
)
from qvlm_qiskit.errors import InputError
from qvlm_qiskit.model import HybridVLMConfig
from qvlm_qiskit.noise_models import GateNoise, depolarizing


@pytest.mark.parametrize(
    ("given", "plain"),
    [
        (np.int64(3), 3),
        (np.uint8(3), 3),
        (np.float32(0.1), 0.1),
        (np.float64(0.1), 0.1),
        (np.array(7), 7),
        (np.bool_(True), True),
        (2.5, 2.5),
        ("3", "3"),
        (None, None),
    ],
)
def test_numbers_become_pythons_own(given, plain):
    found = plain_number(given)
    assert (type(found), found) == (type(plain), plain)


@pytest.mark.parametrize(
    "given",
    [
        {"shots": np.int64(100)},
        {"seed": np.uint32(3)},
        {"noise_scale": np.float32(0.5)},
        {"precision": np.float32(0.1)},
        {"layout_trials": np.int8(2)},
        {"optimization_level": np.int64(1)},
        {"max_age_days": np.float16(2)},
    ],
)
def test_options_take_them_and_say_what_python_numbers_say(given):
    ((name, value),) = given.items()
    assert BackendOptions(**given) == BackendOptions(**{name: value.item()}) or name == "precision"
    assert "np." not in repr(BackendOptions(**given))


def test_a_truth_value_is_still_no_number():
    with pytest.raises(InputError, match="shots is True"):
        BackendOptions(shots=np.bool_(True))


def test_techniques_take_them_and_their_names_can_be_read_back():
    steps = (Readout(shots=np.int32(500)), Zne(scales=np.array([1, 3])))
    assert parse_mitigation("+".join(map(str, steps))) == steps
    backend = open_backend(
        "noisy:depolarizing(0.01)", shots=np.int64(50), mitigation="auto", budget=np.int64(9000)
    )
    assert json.dumps(backend.describe())


def test_noises_take_them():
    assert depolarizing(np.float32(0.01)).digest() == depolarizing(0.01).digest()
    assert GateNoise("cz", (np.int64(0), np.int64(1)), 2).qubits == (0, 1)


def test_a_models_configuration_takes_them():
    options = {"name": "paqm", "num_qubits": np.int64(4)}
    assert json.loads(HybridVLMConfig(blocks={"text": options}).to_json_string())


@pytest.mark.parametrize("large", [10**400, -(10**400), 10**5000], ids=["400", "-400", "5000"])
def test_a_whole_number_beyond_every_float_is_no_real_one(large):
    assert not is_real(large)
    with pytest.raises(InputError, match="rate must be positive and finite, got") as caught:
        check_positive("rate", large)
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize("wrong", [np.zeros((2, 2)), [10**5000], "1", np.ones(1), object()])
def test_what_is_refused_is_shown_on_one_short_line(wrong):
    for refuse in (check_whole, check_positive, check_truth):
        with pytest.raises(InputError, match="steps") as caught:
            refuse("steps", wrong)
        assert "\n" not in str(caught.value)
        assert len(str(caught.value)) < 200


def test_truth_values_are_pythons_and_numpys():
    check_truth("repair", True)
    check_truth("repair", np.bool_(False))
    with pytest.raises(InputError, match="repair is True or False, got 1"):
        check_truth("repair", 1)
