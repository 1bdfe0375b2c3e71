"""The hybrid vision-language model in transformers' own terms: configuration, model, processor."""

from transformers import AutoConfig, AutoModelForImageTextToText, AutoProcessor

from qvlm_qiskit.model.configuration import HybridVLMConfig
from qvlm_qiskit.model.modeling import HybridVLM
from qvlm_qiskit.model.processing import HybridVLMProcessor, build_processor
from qvlm_qiskit.model.recipes import RECIPES
from qvlm_qiskit.model.text_configuration import HybridVLMTextConfig

AutoConfig.register(HybridVLMTextConfig.model_type, HybridVLMTextConfig)
AutoConfig.register(HybridVLMConfig.model_type, HybridVLMConfig)
AutoModelForImageTextToText.register(HybridVLMConfig, HybridVLM)
AutoProcessor.register(HybridVLMConfig, HybridVLMProcessor)

__all__ = [
    "RECIPES",
    "HybridVLM",
    "HybridVLMConfig",
    "HybridVLMProcessor",
    "HybridVLMTextConfig",
    "build_processor",
]
