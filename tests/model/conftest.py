"""One tiny model, processor and data set for all tests of the model."""

import pytest
import torch

from qvlm_qiskit.data import DigitCanvases, encode_prompts, encode_training
from qvlm_qiskit.data.batch import collate
from qvlm_qiskit.data.digits import vocabulary_texts
from qvlm_qiskit.model import HybridVLM, HybridVLMConfig, build_processor


def tiny_model(blocks="quantum", seed=0, **changes):
    config = HybridVLMConfig.recipe("tiny", blocks=blocks)
    for name, value in changes.items():
        setattr(config, name, value)
    torch.manual_seed(seed)
    return HybridVLM(config).eval()


@pytest.fixture(scope="session")
def make_model():
    return tiny_model


@pytest.fixture
def model():
    return tiny_model()


@pytest.fixture(scope="session")
def processor():
    return build_processor(HybridVLMConfig.recipe("tiny"), vocabulary_texts())


@pytest.fixture(scope="session")
def samples():
    return list(DigitCanvases("train", 6, seed=1))


@pytest.fixture
def batch(processor, samples):
    """Six rows with labels."""
    return collate(encode_training(processor, samples))


@pytest.fixture
def prompts(processor, samples):
    """Six prompts of different lengths, padded on the left."""
    return encode_prompts(processor, [s.image for s in samples], [s.question for s in samples])
