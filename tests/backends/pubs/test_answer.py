"""Answers that fit their package, and metadata that JSON can hold."""

import json

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.primitives.containers.estimator_pub import EstimatorPub

from qvlm_qiskit.backends.pubs.answer import DamagedResultError, PubAnswer, checked, plain
from qvlm_qiskit.backends.pubs.package import Package

PACKAGE = Package((EstimatorPub.coerce((QuantumCircuit(1), ["Z", "X"])),))


def test_answers_of_the_packages_shape_pass():
    answers = [PubAnswer(np.zeros(2), np.zeros(2))]
    assert checked(answers, PACKAGE) == answers


@pytest.mark.parametrize(
    ("answers", "says"),
    [
        ([], "0 pubs for a job with 1"),
        ([PubAnswer(np.zeros(3), np.zeros(2))], r"\(3,\) values"),
        ([PubAnswer(np.zeros(2), np.zeros(()))], r"\(\) standard errors"),
    ],
)
def test_answers_of_another_shape_are_damaged(answers, says):
    with pytest.raises(DamagedResultError, match=says):
        checked(answers, PACKAGE)


def test_metadata_become_plain_data():
    given = {1: np.float64(0.5), "a": (np.arange(2), float("nan")), "b": complex(1, 2), "c": None}
    found = plain(given)
    assert found == {"1": 0.5, "a": [[0, 1], "nan"], "b": "(1+2j)", "c": None}
    assert json.loads(json.dumps(found, allow_nan=False)) == found
