"""Attacks on pictures: the changes of at most ε of a pixel that make a classifier wrong.

FGSM is one step along the sign of the loss's gradient (Goodfellow et al., arXiv:1412.6572), PGD
many small ones from a random start, each followed by a projection (Madry et al., arXiv:1706.06083).
Gradients of a hybrid model go through its circuits.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

REACH = 2.5
"""All steps of PGD together, over ε: more than enough to cross the ball from any start."""


def input_gradient(model: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
    """Of each picture's own loss, of the shape of the pictures."""
    given = images.detach().requires_grad_()
    loss = model(given, labels=labels)["loss"] * len(images)
    (found,) = torch.autograd.grad(loss, given)
    return found


def random_change(images: Tensor, epsilon: float, generator: torch.Generator) -> Tensor:
    """Every pixel changed by ε up or down, by chance: as large as an attack, and blind."""
    signs = torch.randint(0, 2, images.shape, generator=generator) * 2 - 1
    return (images + epsilon * signs).clamp(0, 1)


def fgsm(model: nn.Module, images: Tensor, labels: Tensor, epsilon: float) -> Tensor:
    """One step of ε along the gradient's sign."""
    return (images + epsilon * input_gradient(model, images, labels).sign()).clamp(0, 1)


def pgd(
    model: nn.Module,
    images: Tensor,
    labels: Tensor,
    epsilon: float,
    steps: int,
    generator: torch.Generator,
) -> Tensor:
    """Steps along the gradient's sign, from a random start within ε; the last pictures.

    Args:
        model: Returns its mean ``loss`` for images and labels.
        images: ``(B, …)`` from 0 to 1.
        labels: ``(B,)``.
        epsilon: Largest change of a pixel.
        steps: How many, of 2.5 ε / steps each.
        generator: Of the start.
    """
    low, high = (images - epsilon).clamp(min=0), (images + epsilon).clamp(max=1)
    start = torch.rand(images.shape, generator=generator)
    found = torch.lerp(low, high, start)
    for _ in range(steps):
        moved = found + REACH * epsilon / steps * input_gradient(model, found, labels).sign()
        found = torch.minimum(torch.maximum(moved, low), high)
    return found


def correct(model: nn.Module, images: Tensor, labels: Tensor) -> int:
    """How many pictures the model takes for what they are."""
    with torch.no_grad():
        return int((model(images)["logits"].argmax(-1) == labels).sum())
