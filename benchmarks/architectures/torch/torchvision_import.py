"""Imports torchvision beside a PyTorch without CUDA.

The wheel on PyPI is compiled for a PyTorch with CUDA. Beside another, its compiled operators are missing, and its
import fails (torchvision 0.28: "operator torchvision::nms does not exist"). The networks for classification use none of
them, so it is enough to declare those that the import refers to.
"""

from __future__ import annotations

import importlib
from typing import Any

_MISSING = ("nms", "qnms")
_declared: list[Any] = []


def torchvision() -> Any:
    """Return the package."""
    import torch

    if torch.version.cuda is None and not _declared:
        library = torch.library.Library("torchvision", "FRAGMENT")
        for name in _MISSING:
            library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        _declared.append(library)  # the declarations end with it
    return importlib.import_module("torchvision")
