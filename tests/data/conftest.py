"""The processor that the data is encoded with."""

import pytest

from qvlm_qiskit.data.digits import vocabulary_texts
from qvlm_qiskit.model import HybridVLMConfig, build_processor


@pytest.fixture(scope="session")
def processor():
    return build_processor(HybridVLMConfig.recipe("tiny"), vocabulary_texts())
