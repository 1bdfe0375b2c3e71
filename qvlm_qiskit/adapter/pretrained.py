"""Opening what transformers has stored somewhere, in one line where it can't be."""

from __future__ import annotations

from pathlib import Path
from textwrap import shorten
from typing import Any

import torch
from torch import Tensor

from qvlm_qiskit.basics.bars import no_transformers_bars
from qvlm_qiskit.basics.hub import check_on_hub
from qvlm_qiskit.errors import InputError


def opened(name: str, what: str, kind: Any, **more: Any) -> Any:
    """What ``kind.from_pretrained`` returns.

    Args:
        name: A folder, or a name on the Hub.
        what: Such as "tokenizer", for the message.
        kind: A class of transformers.
        **more: Arguments of its ``from_pretrained``.

    Raises:
        InputError: There is nothing of that kind.
    """
    path = Path(name).expanduser()
    place = str(Path(name) / more["gguf_file"]) if "gguf_file" in more else name
    if name.startswith((".", "/", "~")) and not path.exists():
        raise InputError(f"no {what} can be opened from {place}: nothing is there")
    try:
        if not path.exists():
            check_on_hub(name)
        with no_transformers_bars():
            return kind.from_pretrained(str(path) if path.exists() else name, **more)
    except Exception as error:  # transformers raises what it likes
        said = shorten(" ".join(str(error).split()), 160, placeholder=" …")
        raise InputError(f"no {what} can be opened from {place}: {said}") from error


def content(tensor: Tensor) -> memoryview:
    """The bytes of a tensor of any shape and dtype, for a digest."""
    flat = tensor.detach().cpu().contiguous().reshape(-1)
    return flat.view(torch.uint8).numpy().data
