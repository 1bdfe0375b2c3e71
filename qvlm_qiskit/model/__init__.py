"""The hybrid vision-language model in transformers' own terms: configuration, model, processor."""

from transformers import AutoConfig, AutoModelForImageTextToText, AutoProcessor

from qvlm_qiskit.model.configuration import RECIPES, HybridVLMConfig
from qvlm_qiskit.model.modeling import HybridVLM
from qvlm_qiskit.model.processing import HybridVLMProcessor, build_processor

AutoConfig.register(HybridVLMConfig.model_type, HybridVLMConfig)
AutoModelForImageTextToText.register(HybridVLMConfig, HybridVLM)
AutoProcessor.register(HybridVLMConfig, HybridVLMProcessor)

__all__ = ["RECIPES", "HybridVLM", "HybridVLMConfig", "HybridVLMProcessor", "build_processor"]
