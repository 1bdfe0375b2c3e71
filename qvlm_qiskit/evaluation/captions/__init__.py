"""Captions → tokens and their runs, as COCO's evaluation makes them."""

from qvlm_qiskit.evaluation.captions.ngrams import ngrams
from qvlm_qiskit.evaluation.captions.tokenizer import TOKENIZERS, Tokenizer, find_tokenizer

__all__ = ["TOKENIZERS", "Tokenizer", "find_tokenizer", "ngrams"]
