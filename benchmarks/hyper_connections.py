r"""A decoder's step with a plain residual, with transformers' hyper-connections and with ours.

    python benchmarks/hyper_connections.py [--batch 64] [--length 30] [--rounds N] [--threads N]
        [--smoke] [--json PATH]

The decoder is DeepSeek-V3's with the sizes of the recipe ``small``: two layers of latent attention
and experts, of 64 numbers, with four streams where there are hyper-connections, mixed by 20 of
Sinkhorn's iterations. A step is the forward and backward pass from embeddings to the last norm;
every decoder gets the same embeddings, and those with hyper-connections have the same weights. They
take turns. A table goes to the standard output.
"""

from __future__ import annotations

import argparse
import copy
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from command import begin, positive, store
from tables import spread_text
from timing import interleave, thread_environment

PACKAGES = ("torch", "transformers", "numba", "numpy")
PLAIN, STOCK, OWN = "plain residual", "mHC, transformers'", "mHC, ours"
STREAMS = {"hc_mult": 4, "hc_sinkhorn_iters": 20, "hc_eps": 1e-6}


def main(arguments: list[str] | None = None) -> None:
    """Measure, print, and store what ``--json`` asks for."""
    options = _options(arguments)
    # before torch is loaded
    os.environ.update(thread_environment(options.threads))
    import torch

    torch.set_num_threads(options.threads)
    results: dict[str, Any] = {**begin(options, PACKAGES), **_measured(options)}
    results["machine"]["load_after"] = os.getloadavg()[0]
    print(render(results), end="")
    store(results, options.json)


def _measured(options: argparse.Namespace) -> dict[str, Any]:
    """Milliseconds of the three decoders' steps, and how far ours is from transformers'."""
    import torch

    torch.manual_seed(0)
    embeddings = torch.randn(options.batch, options.length, 64)
    seeds = torch.randn_like(embeddings) / embeddings.numel()
    plain, stock, own = decoders()
    with torch.no_grad():
        difference = (stock(embeddings) - own(embeddings)).abs().max().item()
    calls = {
        name: _step(decoder, embeddings, seeds)
        for name, decoder in ((PLAIN, plain), (STOCK, stock), (OWN, own))
    }
    times = interleave(calls, options.rounds, 0.0 if options.smoke else 0.5)
    return {"steps": times, "difference": difference}


def _configuration() -> Any:
    """The sizes of the recipe ``small``, with streams."""
    from transformers import DeepseekV3Config

    config = DeepseekV3Config(
        vocab_size=97, hidden_size=64, intermediate_size=128, moe_intermediate_size=64,
        num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=4, kv_lora_rank=32,
        q_lora_rank=None, qk_rope_head_dim=8, qk_nope_head_dim=8, v_head_dim=16,
        n_routed_experts=4, num_experts_per_tok=1, n_group=1, topk_group=1, n_shared_experts=1,
        norm_topk_prob=False, routed_scaling_factor=1.0, first_k_dense_replace=1,
        max_position_embeddings=128, initializer_range=0.1, num_mtp_layers=0,
    )  # fmt: skip
    for name, value in STREAMS.items():
        setattr(config, name, value)
    return config


def _draw(streams: Any) -> None:
    """Weights of the hyper-connections, in place."""
    import torch

    starts = {"fn": torch.nn.init.normal_, "se": torch.nn.init.zeros_, "le": torch.nn.init.ones_}
    for name, parameter in streams.named_parameters():
        if "connections" in name or "head" in name:
            starts[name[-2:]](parameter)
            parameter.data.mul_(0.1 if name.endswith("fn") else 1.0)


def decoders() -> tuple[Any, Any, Any]:
    """One with plain residuals, one with transformers' hyper-connections, one with ours."""
    import torch
    from transformers.models.deepseek_v3.modeling_deepseek_v3 import DeepseekV3Model
    from transformers.models.deepseek_v4.modeling_deepseek_v4 import (
        DeepseekV4HyperConnection,
        DeepseekV4HyperHead,
    )

    from qvlm_qiskit.model.hyper_connections import HyperConnection, HyperHead

    config = _configuration()
    model = DeepseekV3Model(config)

    class Plain(torch.nn.Module):
        """The model as it is."""

        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            """From embeddings to hidden states ``(B, T, D)``."""
            return self.model(inputs_embeds=x, use_cache=False).last_hidden_state

    class Streams(torch.nn.Module):
        """Its layers between hyper-connections, and its norm behind the head."""

        def __init__(self, connection: Any, head: Any, around: Callable[..., torch.Tensor]) -> None:
            super().__init__()
            self.model, self.around = copy.deepcopy(model), around
            count = 2 * config.num_hidden_layers
            self.connections = torch.nn.ModuleList(connection(config) for _ in range(count))
            self.head = head(config)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            """From embeddings to hidden states ``(B, T, D)``."""
            positions = torch.arange(x.shape[1])[None]
            given = {"position_embeddings": self.model.rotary_emb(x, positions)}
            streams = x[:, :, None].expand(-1, -1, config.hc_mult, -1).contiguous()
            for layer, one, two in zip(
                self.model.layers, self.connections[::2], self.connections[1::2], strict=True
            ):
                streams = self.around(one, streams, _attention(layer, given))
                streams = self.around(two, streams, _experts(layer))
            return self.model.norm(self.head(streams))

    stock = Streams(DeepseekV4HyperConnection, DeepseekV4HyperHead, _stock_around)
    own = Streams(HyperConnection, HyperHead, lambda one, x, block: one.around(x, block))
    _draw(stock)
    own.load_state_dict(stock.state_dict())
    return Plain(), stock, own


def _attention(layer: Any, given: dict[str, Any]) -> Callable[[Any], Any]:
    return lambda x: layer.self_attn(
        layer.input_layernorm(x), attention_mask=None, is_causal=True, **given
    )[0]


def _experts(layer: Any) -> Callable[[Any], Any]:
    return lambda x: layer.mlp(layer.post_attention_layernorm(x))


def _stock_around(connection: Any, streams: Any, block: Callable[[Any], Any]) -> Any:
    """As DeepSeek-V4's own layer in transformers has it."""
    post, comb, collapsed = connection(streams)
    return post[..., None] * block(collapsed)[..., None, :] + comb.mT @ streams


def _step(decoder: Any, embeddings: Any, seeds: Any) -> Callable[[], None]:
    def call() -> None:
        decoder.zero_grad()
        (decoder(embeddings) * seeds).sum().backward()

    return call


def render(results: dict[str, Any]) -> str:
    """The table, at most 80 columns wide."""
    machine, command = results["machine"], results["command"]
    lines = [
        f"{results['date']}, {machine['cpu']}, {machine['cores']} cores",
        f"Load of the machine {machine['load_before']:.1f} before, "
        f"{machine['load_after']:.1f} after; {command['threads']} thread(s).",
        "",
        f"A decoder's step, {command['batch']} sequences of {command['length']} tokens, ms: "
        "median [quartiles]",
        f"{'':24}{'ms':20}{'best':>8}{'×':>8}{'× best':>8}",
    ]
    plain = results["steps"][PLAIN]
    for name, step in results["steps"].items():
        ratios = step["median"] / plain["median"], step["best"] / plain["best"]
        lines.append(
            f"{name:24}{spread_text(step):20}{step['best']:>8.1f}{ratios[0]:>8.2f}{ratios[1]:>8.2f}"
        )
    lines.append(f"Largest difference between the two mHC: {results['difference']:.1e}")
    return "\n".join(lines) + "\n"


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Measure what hyper-connections cost.")
    parser.add_argument("--batch", type=positive, default=64, help="sequences; default 64")
    parser.add_argument("--length", type=positive, default=30, help="tokens in each; default 30")
    parser.add_argument("--rounds", type=positive, default=10, help="turns; default 10")
    parser.add_argument("--threads", type=positive, default=1, help="default 1")
    parser.add_argument("--smoke", action="store_true", help="tiny sizes, one round")
    parser.add_argument("--json", type=Path, default=None, help="where to store all results")
    options = parser.parse_args(arguments)
    if options.smoke:
        options.batch, options.length, options.rounds = 2, 3, 1
    return options


if __name__ == "__main__":
    main()
