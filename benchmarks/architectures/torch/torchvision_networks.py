"""The networks of torchvision, for the smallest pictures that each takes, and ten classes."""

from __future__ import annotations

from typing import Any

import torch

from .torchvision_import import torchvision

_SIDES = {"alexnet": 64, "inception_v3": 75}
_SIDE, _SAMPLES, _CLASSES = 32, 8, 10
_OPTIONS: dict[str, dict[str, Any]] = {
    "vit_b_16": {"image_size": _SIDE},
    "googlenet": {"aux_logits": False, "init_weights": False},
    "inception_v3": {"aux_logits": False, "init_weights": False},
}


def build(name: str) -> tuple[Any, tuple[Any, ...]]:
    """Return the network and example inputs."""
    side = _SIDES.get(name, _SIDE)
    network = torchvision().models.get_model(name, weights=None, num_classes=_CLASSES, **_OPTIONS.get(name, {}))
    return network, (torch.randn(_SAMPLES, 3, side, side),)
