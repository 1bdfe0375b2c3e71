"""Tiny random towers and language models, written to disk as published ones are."""

import torch
import transformers as tf
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

WORDS = "describe the image: a red apple a blue pear which fruit is it green plum".split()


def tokenizer(end="</s>"):
    found = Tokenizer(models.BPE())
    found.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    found.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=300, special_tokens=["<s>", "</s>"], show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
    )  # fmt: skip
    found.train_from_iterator([" ".join(WORDS)] * 5, trainer)
    return tf.PreTrainedTokenizerFast(tokenizer_object=found, bos_token="<s>", eos_token=end)


VISION = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1,
          "num_attention_heads": 2, "image_size": 16, "patch_size": 8}  # fmt: skip
TEXT = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1,
        "num_attention_heads": 2, "vocab_size": 40}  # fmt: skip


def towers():
    """Name → model; of CLIP and SigLIP both halves, of ViT a classifier."""
    return {
        "clip": lambda: tf.CLIPModel(
            tf.CLIPConfig(text_config=TEXT, vision_config=VISION, projection_dim=8)
        ),
        "siglip": lambda: tf.SiglipModel(tf.SiglipConfig(text_config=TEXT, vision_config=VISION)),
        "siglip-headless": lambda: tf.SiglipVisionModel(
            tf.SiglipVisionConfig(**VISION, vision_use_head=False)
        ),
        "vit": lambda: tf.ViTForImageClassification(tf.ViTConfig(**VISION, num_labels=3)),
        "dinov2": lambda: tf.Dinov2Model(
            tf.Dinov2Config(**{k: v for k, v in VISION.items() if k != "intermediate_size"})
        ),
    }


LLAMA = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2,
         "num_attention_heads": 4, "num_key_value_heads": 2, "bos_token_id": 0,
         "eos_token_id": 1}  # fmt: skip


def languages(vocabulary):
    """Name → model."""
    size = {"vocab_size": vocabulary}
    return {
        "llama": lambda: tf.LlamaForCausalLM(tf.LlamaConfig(**LLAMA, **size)),
        "llama-bf16": lambda: tf.LlamaForCausalLM(tf.LlamaConfig(**LLAMA, **size)).bfloat16(),
        "qwen2": lambda: tf.Qwen2ForCausalLM(
            tf.Qwen2Config(**LLAMA, **size, tie_word_embeddings=True)
        ),
        "gpt2": lambda: tf.GPT2LMHeadModel(
            tf.GPT2Config(n_embd=16, n_layer=2, n_head=2, n_positions=64, bos_token_id=0,
                          eos_token_id=1, **size)
        ),
    }  # fmt: skip


def write(folder):
    """Everything into subfolders of a folder."""
    words = tokenizer()
    processor = tf.ViTImageProcessor(size={"height": 16, "width": 16})
    torch.manual_seed(0)
    for name, make in towers().items():
        make().save_pretrained(folder / name)
        processor.save_pretrained(folder / name)
    for name, make in languages(len(words)).items():
        make().save_pretrained(folder / name)
        words.save_pretrained(folder / name)
    tokenizer(end=None).save_pretrained(folder / "endless")
    words.save_pretrained(folder / "torn")
    (folder / "torn" / "torn.gguf").write_bytes(b"GGUF and no more")
    return folder
