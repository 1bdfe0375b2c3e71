"""Pretrained language models: any causal one of transformers, frozen, with an adapter of peft."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Mapping
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from textwrap import shorten
from typing import Any

import torch
from torch import nn
from transformers import AutoModelForCausalLM, AutoTokenizer
from transformers.pytorch_utils import Conv1D

from qvlm_qiskit.adapter.packages import language_file
from qvlm_qiskit.adapter.pretrained import opened
from qvlm_qiskit.basics.option_texts import read_options
from qvlm_qiskit.basics.optional import optional
from qvlm_qiskit.basics.placed_names import PlacedName
from qvlm_qiskit.errors import InputError, MissingDependencyError, UnknownNameError

LORA = {"r": "8", "lora_alpha": "16", "lora_dropout": "0.1"}
"""The source's low-rank adapter, on queries and values."""
KEPT = 2**28
"""Bytes of a ``.gguf`` file whose weights are kept for the next time: reading takes ten seconds for
135 million of them, a copy less than one."""
_ATTENTION = (["q_proj", "v_proj"], ["c_attn"], ["query_key_value"], ["qkv_proj"])


def open_decoder(name: str) -> nn.Module:
    """A causal language model in the precision that it is stored in, frozen.

    Args:
        name: Folder, Hub name, or a ``.gguf`` file, which is opened with its folder's tokenizer.

    Raises:
        InputError: It can't be opened.
    """
    path = _gguf(name)
    if path is None:
        _check_folder(Path(name).expanduser())
        model: nn.Module = opened(name, "language model", AutoModelForCausalLM, dtype="auto")
    else:
        model = _copied(path, "language model")
    return model.eval().requires_grad_(False)


def open_tokenizer(name: str) -> Any:
    """The tokenizer of a language model, with a token to pad with and one that ends texts.

    Raises:
        InputError: It can't be opened, or has no token that ends texts.
    """
    path = _gguf(name)
    if path is None:
        tokenizer = opened(name, "tokenizer", AutoTokenizer)
    else:
        tokenizer = _copied(path, "tokenizer")
    if tokenizer.eos_token_id is None:
        raise InputError(
            f"the tokenizer of {name} has no token that ends a text: no model could learn to stop"
        )
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer


def _gguf(name: str) -> Path | None:
    """The ``.gguf`` file of a name, if it is of one."""
    path = Path(language_file(name)).expanduser()
    if path.suffix != ".gguf":
        return None
    if not path.is_file():
        raise InputError(f"no language model can be opened from {name}: there is no such file")
    if find_spec("gguf") is None:
        raise MissingDependencyError("gguf", "pretrained", f"reading {path.name}")
    return path


def _check_folder(folder: Path) -> None:
    """Refuse a folder in which only the name of a ``.gguf`` file can say what is meant."""
    files = sorted(folder.glob("*.gguf")) if folder.is_dir() else []
    if files and not (folder / "config.json").is_file():
        raise InputError(f"{folder} holds {files[0].name}: say the file, not its folder")


def _copied(path: Path, what: str) -> Any:
    """A model or tokenizer of one's own; that of a small file is read once in a process."""
    found = path.stat()
    changed = (found.st_size, found.st_mtime_ns)  # another file may come to lie there
    if found.st_size > KEPT:
        return _from_gguf.__wrapped__(path, changed, what)
    return copy.deepcopy(_from_gguf(path, changed, what))


@lru_cache(maxsize=2)
def _from_gguf(path: Path, changed: tuple[int, int], what: str) -> Any:
    more = {"dtype": "auto"} if what == "language model" else {}
    kind = AutoModelForCausalLM if what == "language model" else AutoTokenizer
    return opened(str(path.parent), what, kind, gguf_file=path.name, **more)


def with_adapter(decoder: nn.Module, adapter: str) -> nn.Module:
    """The same decoder inside a ``PeftModel``, whose adapter alone trains.

    Args:
        decoder: Of :func:`open_decoder`.
        adapter: The name of a method of peft, perhaps with options: ``lora(r=8,lora_alpha=16)``.
            ``target_modules`` are joined by ``+``; by default queries and values.

    Raises:
        MissingDependencyError: peft is not installed.
        UnknownNameError: There is no such method or option, or no such module in the decoder.
        InputError: A value of another type, or an adapter that peft refuses.
    """
    config = adapter_config(decoder, adapter)
    try:
        from peft import get_peft_model

        with warnings.catch_warnings():
            # peft 0.21 asks transformers by a name of before 5.23
            warnings.filterwarnings("ignore", "`is_gradient_checkpointing`", FutureWarning)
            made: nn.Module = get_peft_model(decoder, config)
    except (ValueError, TypeError, NotImplementedError) as error:
        said = shorten(" ".join(str(error).split()), 200, placeholder=" …")
        raise InputError(f"peft refuses {adapter} on this decoder: {said}") from error
    return made


def adapter_config(decoder: nn.Module, adapter: str) -> Any:
    """Peft's configuration of an adapter; see :func:`with_adapter`."""
    with optional("lora", "an adapter of a language model", peft="peft"):
        from peft.mapping import PEFT_TYPE_TO_CONFIG_MAPPING

        import qvlm_qiskit.adapter.tuners  # noqa: F401 - tells peft of this package's tuners

    placed = PlacedName.read(adapter)
    known = {_plain(kind.value): kind for kind in PEFT_TYPE_TO_CONFIG_MAPPING}
    name = _plain(placed.name)
    if placed.place is not None or name not in known:
        raise UnknownNameError("adapter", placed.name, known)
    given = dict(placed.options)
    targets = _targets(decoder, given.pop("target_modules", None))
    if name == "lora":
        given = {**LORA, **given}
    kind = PEFT_TYPE_TO_CONFIG_MAPPING[known[name]]
    config = read_options(kind, given, adapter)
    config.target_modules = set(targets)
    config.task_type = "CAUSAL_LM"
    if hasattr(config, "fan_in_fan_out"):
        config.fan_in_fan_out = any(isinstance(m, Conv1D) for m in decoder.modules())
    return config


def _plain(name: str) -> str:
    return name.lower().replace("_", "-")


def _targets(decoder: nn.Module, asked: str | None) -> list[str]:
    """Last parts of the names of linear maps: those that were asked for, or the usual ones."""
    known = sorted(
        {
            name.rsplit(".", 1)[-1]
            for name, module in decoder.named_modules()
            if isinstance(module, nn.Linear | Conv1D)
        }
        - {"lm_head"}
    )
    if asked is None:
        found = next((names for names in _ATTENTION if set(names) <= set(known)), None)
        if found is None:
            raise InputError(
                f"no queries and values were found in this decoder: say target_modules=, of "
                f"{', '.join(known)}"
            )
        return found
    names = [name.strip() for name in asked.split("+")]
    for name in names:
        if name not in known:
            raise UnknownNameError("target module", name, known)
    return names


def embedding_deviation(decoder: nn.Module) -> float:
    """Standard deviation of the entries of a decoder's embeddings."""
    table: Any = decoder.get_input_embeddings()  # type: ignore[operator]
    with torch.no_grad():
        return float(table.weight.float().std())


def embedding_width(decoder: nn.Module) -> int:
    """Channels of a decoder's embeddings."""
    table: Any = decoder.get_input_embeddings()  # type: ignore[operator]
    return int(table.embedding_dim)


def adapter_weights(model: nn.Module) -> Mapping[str, torch.Tensor]:
    """The adapter's own tensors, by peft's names."""
    from peft import get_peft_model_state_dict

    found = get_peft_model_state_dict(model, save_embedding_layers=False)
    return dict(found)
