"""What is said about torch's threads, and when."""

import logging

import pytest
import torch

from qvlm_qiskit.quantum.torch_support import threads
from qvlm_qiskit.quantum.torch_support.threads import ThreadCheck, timed


def test_threads_that_wait_are_said_once(two_threads, monkeypatch, caplog):
    answers = iter([(1e-4, 1e-4), (5e-3, 1e-4)])
    monkeypatch.setattr(threads, "timed", lambda count: next(answers))
    check = ThreadCheck()
    with caplog.at_level(logging.WARNING):
        for _ in range(1000):
            check()
    (record,) = caplog.records
    assert "2 threads wait" in record.getMessage()
    assert "5.00 ms, with one thread 0.10 ms" in record.getMessage()
    assert check.said


def test_one_thread_is_not_measured(monkeypatch):
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    monkeypatch.setattr(threads, "timed", lambda count: pytest.fail("measured"))
    ThreadCheck()()
    torch.set_num_threads(before)


def test_measuring_leaves_the_number_of_threads(two_threads):
    many, one = timed(2)
    assert many > 0
    assert one > 0
    assert torch.get_num_threads() == 2
