"""The losses in PyTorch, from a model's outputs before its last activation."""

from __future__ import annotations

import torch
import torch.nn.functional as functional

from ..task import BINARY, CROSS_ENTROPY, NativeTask


def loss_and_correct(
    task: NativeTask, outputs: torch.Tensor, y: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor | int]:
    """Return the mean loss, and the number of correct predictions, 0 if they are not counted."""
    if task.loss == CROSS_ENTROPY:
        return functional.cross_entropy(outputs, y), _correct(task, outputs.detach().argmax(1) == y)
    outputs = outputs.reshape(y.shape)
    if task.loss == BINARY:
        loss = functional.binary_cross_entropy_with_logits(outputs, y)
        return loss, _correct(task, (outputs.detach() > 0) == (y > 0.5))
    return functional.mse_loss(outputs, y), 0


def _correct(task: NativeTask, hits: torch.Tensor) -> torch.Tensor | int:
    return hits.sum() if task.accuracy else 0
