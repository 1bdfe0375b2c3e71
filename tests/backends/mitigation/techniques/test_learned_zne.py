"""Learned extrapolation: its error on circuits that it has not seen."""

import contextlib

import numpy as np
import pytest
import torch

from qvlm_qiskit.backends.mitigation import learned_network
from qvlm_qiskit.backends.mitigation.techniques.learned_zne import LearnedExtrapolation, LearnedZne
from qvlm_qiskit.noise_models import build
from tests.backends.mitigation.circuits import NOISE, stacked


@pytest.mark.slow
def test_the_network_reports_its_error_on_circuits_it_has_not_seen(exact_device, problem):
    device = exact_device(build(NOISE))
    result = stacked("learned-zne(circuits=32)", device).run([problem[0]]).result()[0]
    entry = result.metadata["mitigation"][0]
    assert (entry["training_circuits"], entry["held_out_circuits"]) == (32, 8)
    rms_by_method = entry["held_out_rms"]
    assert set(rms_by_method) == {"learned", "linear", "richardson", "none"}
    assert rms_by_method["learned"] < 0.7 * rms_by_method["linear"] < rms_by_method["none"]
    for mode in (contextlib.nullcontext, torch.inference_mode, torch.no_grad):
        with mode():  # models are evaluated without gradients
            again = stacked("learned-zne(circuits=32)", exact_device(build(NOISE))).run(
                [problem[0]]
            )
            np.testing.assert_array_equal(again.result()[0].data.evs, result.data.evs)


def test_what_is_stated_of_unseen_circuits_is_their_error(exact_device, monkeypatch):
    monkeypatch.setattr(learned_network, "STEPS", 20)
    random = np.random.default_rng(1)
    exact = random.uniform(-1, 1, (12, 2))
    noisy = exact[..., None] * np.array([0.9, 0.7, 0.5]) + random.normal(0, 0.02, (12, 2, 3))
    estimator = LearnedExtrapolation(exact_device(build(NOISE)), LearnedZne(circuits=12))
    model = estimator._fit(noisy, exact)
    assert model.held_out_circuits == 3
    unseen, wanted = noisy[3::4].reshape(-1, 3), exact[3::4].ravel()
    found, _ = model.limits(unseen, np.zeros_like(unseen))
    errors = {"learned": found - wanted, "none": unseen[:, 0] - wanted}
    for name, error in errors.items():
        assert model.held_out_rms[name] == pytest.approx(np.sqrt(np.mean(error**2)))
