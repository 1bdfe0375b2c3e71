"""What the runs of the examples share: a few steps of Adam on all samples at once."""

from collections.abc import Callable

import torch


def fit(
    module: torch.nn.Module,
    samples: tuple[torch.Tensor, torch.Tensor],
    loss: Callable[..., torch.Tensor],
    rate: float = 0.05,
    steps: int = 30,
) -> None:
    """Train, and print the loss of the first step and of the last one.

    Args:
        module: What is trained.
        samples: Inputs, and what the outputs are compared with.
        loss: Of outputs and what is wanted.
        rate: Learning rate.
        steps: How many.
    """
    inputs, wanted = samples
    optimizer = torch.optim.Adam(module.parameters(), lr=rate)
    for step in range(steps):
        optimizer.zero_grad()
        found = loss(module(inputs), wanted)
        found.backward()
        optimizer.step()
        if step in (0, steps - 1):
            print(f"step {step + 1}: loss {found.item():.4f}")
