"""How peft comes to know a tuner that is not its own."""

from __future__ import annotations

from enum import Enum
from typing import Any

from peft.mapping import (
    PEFT_TYPE_TO_CONFIG_MAPPING,
    PEFT_TYPE_TO_PREFIX_MAPPING,
    PEFT_TYPE_TO_TUNER_MAPPING,
)

from qvlm_qiskit.errors import InputError


class TunerType(str, Enum):  # noqa: UP042  (peft cuts str(name) behind its point)
    """Names of our tuners in ``adapter_config.json``; peft's own are in its ``PeftType``.

    A text that is equal to a member is also found by it in peft's tables.
    """

    QUANTUM_LORA = "QUANTUM_LORA"
    QWHA = "QWHA"
    TERA = "TERA"
    TRANSFORMED_LORA = "TRANSFORMED_LORA"


def register(model_class: Any, config_class: Any) -> None:
    """Enter a tuner into peft's tables.

    peft's ``register_peft_method`` does the same for members of ``PeftType`` alone, an enumeration
    that can't be extended.

    Args:
        model_class: A ``BaseTuner`` with its ``prefix``.
        config_class: A ``PeftConfig`` whose ``tuner`` is the name.

    Raises:
        InputError: Another tuner has the name or the prefix.
    """
    name, prefix = config_class.tuner, model_class.prefix
    there = PEFT_TYPE_TO_CONFIG_MAPPING.get(name, config_class)
    prefixes = {p: key for key, p in PEFT_TYPE_TO_PREFIX_MAPPING.items()}
    if there is not config_class or prefixes.get(prefix, name) != name:
        raise InputError(f"peft has another tuner of the name {name.value} or prefix {prefix}")
    PEFT_TYPE_TO_PREFIX_MAPPING[name] = prefix
    PEFT_TYPE_TO_CONFIG_MAPPING[name] = config_class
    PEFT_TYPE_TO_TUNER_MAPPING[name] = model_class
