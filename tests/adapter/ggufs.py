"""A small Llama with random weights in a ``.gguf`` file, its matrices in eight bits."""

import json

import numpy as np
import torch
import transformers as tf

from tests.adapter import hubs

SIZE = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2,
        "num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 64,
        "bos_token_id": 0, "eos_token_id": 1}  # fmt: skip
PLACES = {
    "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output", "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down", "input_layernorm": "attn_norm",
    "post_attention_layernorm": "ffn_norm",
}  # fmt: skip
ENDS = {"model.embed_tokens.weight": "token_embd.weight", "model.norm.weight": "output_norm.weight",
        "lm_head.weight": "output.weight"}  # fmt: skip


def write(path, seed=0):
    """The file; returns what its weights are after they went through eight bits."""
    from gguf import GGMLQuantizationType, GGUFWriter, quants

    words = hubs.tokenizer()
    torch.manual_seed(seed)
    model = tf.LlamaForCausalLM(tf.LlamaConfig(**SIZE, vocab_size=len(words)))
    writer = GGUFWriter(path, "llama")
    _about(writer, words)
    eight, kept = GGMLQuantizationType.Q8_0, {}
    for name, tensor in model.state_dict().items():
        values = tensor.numpy()
        stored = _turned(name, values)
        if values.ndim == 1:
            writer.add_tensor(_place(name), stored)
            kept[name] = tensor
            continue
        packed = quants.quantize(np.ascontiguousarray(stored), eight)
        writer.add_tensor(_place(name), packed, raw_dtype=eight)
        kept[name] = torch.from_numpy(_back(name, quants.dequantize(packed, eight)))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return kept


def _about(writer, words):
    heads, width = SIZE["num_attention_heads"], SIZE["hidden_size"]
    writer.add_context_length(SIZE["max_position_embeddings"])
    writer.add_block_count(SIZE["num_hidden_layers"])
    writer.add_feed_forward_length(SIZE["intermediate_size"])
    writer.add_embedding_length(width)
    writer.add_rope_dimension_count(width // heads)
    writer.add_rope_freq_base(10000.0)
    writer.add_head_count(heads)
    writer.add_head_count_kv(SIZE["num_key_value_heads"])
    writer.add_layer_norm_rms_eps(1e-6)
    writer.add_vocab_size(len(words))
    inner = json.loads(words.backend_tokenizer.to_str())["model"]
    tokens = sorted(inner["vocab"], key=inner["vocab"].get)
    writer.add_tokenizer_model("gpt2")
    writer.add_token_list(tokens)
    writer.add_token_types([3 if token in ("<s>", "</s>") else 1 for token in tokens])
    writer.add_token_merges([" ".join(pair) for pair in inner["merges"]])
    writer.add_bos_token_id(0)
    writer.add_eos_token_id(1)


def _place(name):
    if name in ENDS:
        return ENDS[name]
    layer, inside = name.removeprefix("model.layers.").split(".", 1)
    return f"blk.{layer}.{PLACES[inside.removesuffix('.weight')]}.weight"


def _heads(name):
    if "q_proj" in name:
        return SIZE["num_attention_heads"]
    return SIZE["num_key_value_heads"] if "k_proj" in name else None


def _turned(name, values):
    """Rows of queries and keys in the file's order: pairs of a rotation side by side."""
    heads = _heads(name)
    if heads is None:
        return values
    return values.reshape(heads, 2, -1, values.shape[1]).swapaxes(1, 2).reshape(values.shape)


def _back(name, values):
    heads = _heads(name)
    if heads is None:
        return values
    return values.reshape(heads, -1, 2, values.shape[1]).swapaxes(1, 2).reshape(values.shape)
