"""Networks of timm, for small pictures and ten classes."""

from __future__ import annotations

from typing import Any

import torch

from .torchvision_import import torchvision

_SIDE, _SAMPLES, _CLASSES = 64, 8, 10
# Networks with as many positions as the picture has patches.
_SIZED = ("deit_tiny_patch16_224", "mixer_s32_224", "resmlp_12_224")


def build(name: str) -> tuple[Any, tuple[Any, ...]]:
    """Return the network and example inputs."""
    torchvision()
    import timm

    options = {"img_size": _SIDE} if name in _SIZED else {}
    return timm.create_model(name, pretrained=False, num_classes=_CLASSES, **options), (
        torch.randn(_SAMPLES, 3, _SIDE, _SIDE),
    )
