import math

import pytest
import torch

from qvlm_qiskit.blocks.cores.angles import BoundedAngles, UploadedAngles, angles_of
from qvlm_qiskit.blocks.cores.shape import CoreShape


def test_angles_lie_within_a_quarter_turn_and_begin_with_slope_half_pi():
    bounded = BoundedAngles()
    values = torch.tensor([-1e30, -1.0, 0.0, 1e-3, 1e30])
    half = math.pi / 2
    expected = torch.tensor([-half, half * math.tanh(-1), 0.0, half * math.tanh(1e-3), half])
    torch.testing.assert_close(bounded(values), expected)


def test_features_that_are_no_numbers_become_no_angles():
    values = torch.tensor([math.inf, -math.inf, math.nan, 1.0])
    assert BoundedAngles()(values).isnan().tolist() == [True, True, True, False]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_uploaded_angles_have_a_scale_and_an_offset_for_every_layer_and_qubit(dtype):
    uploaded = UploadedAngles(CoreShape(3, 2, encoding="re-upload"))
    features = torch.randn(2, 5, 3, dtype=dtype)
    once = BoundedAngles()(features)
    torch.testing.assert_close(uploaded(features), once.repeat(1, 1, 2))  # as they begin
    with torch.no_grad():
        uploaded.scale.copy_(torch.arange(6.0).view(2, 3))
        uploaded.offset.copy_(torch.tensor([[0.5], [-0.5]]).expand(2, 3))
    found = uploaded(features)
    assert found.dtype == dtype
    torch.testing.assert_close(found[..., 4], 4 * once[..., 1] - 0.5)
    torch.testing.assert_close(found[..., 2], 2 * once[..., 2] + 0.5)


@pytest.mark.parametrize(("encoding", "trained"), [("angle", 0), ("mps", 0), ("re-upload", 12)])
def test_only_re_uploading_trains_its_angles(parameter_count, encoding, trained):
    assert parameter_count(angles_of(CoreShape(3, 2, encoding=encoding))) == trained
