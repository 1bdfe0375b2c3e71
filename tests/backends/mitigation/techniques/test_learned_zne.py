"""Learned extrapolation: its error on circuits that it has not seen."""

import contextlib

import numpy as np
import pytest
import torch

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
