"""Parameter-efficient tuners that peft lacks, known to peft once this package is imported.

    from peft import get_peft_model
    from qvlm_qiskit.adapter.tuners import QuantumLoraConfig

    model = get_peft_model(model, QuantumLoraConfig(r=4, target_modules=["q_proj", "v_proj"]))

Import it before ``PeftModel.from_pretrained`` opens a folder of one of them, too. See
docs/adapter-tuners.md.
"""

from qvlm_qiskit.basics.optional import optional

with optional("lora", "an adapter of a language model", peft="peft"):
    import peft as _peft  # noqa: F401

from qvlm_qiskit.adapter.tuners.quantum_lora import QuantumLoraConfig, QuantumLoraModel
from qvlm_qiskit.adapter.tuners.qwha import QWHAConfig, QWHAModel
from qvlm_qiskit.adapter.tuners.tera import TeraConfig, TeraModel
from qvlm_qiskit.adapter.tuners.transformed_lora import TransformedLoraConfig, TransformedLoraModel

__all__ = [
    "QWHAConfig",
    "QWHAModel",
    "QuantumLoraConfig",
    "QuantumLoraModel",
    "TeraConfig",
    "TeraModel",
    "TransformedLoraConfig",
    "TransformedLoraModel",
]
