"""Six models that people really train, beside the book's, with data that are drawn: only their speed is measured.

Each module has the recipe `model`, and `draw`, which returns its training samples and targets.
"""

from __future__ import annotations

import importlib
from types import ModuleType

import numpy as np

from ...data.dataset import Dataset, Split
from ...models.recipe import Recipe

NAMES = (
    "real/mlp",
    "real/gru-forecaster",
    "real/small-transformer",
    "real/resnet20",
    "real/unet-small",
    "real/bert-mini",
)
_SEED = 0


def recipe_of(name: str) -> Recipe:
    """Return the recipe of one of `NAMES`."""
    return _module_of(name).model  # type: ignore[no-any-return]


def dataset_of(name: str) -> Dataset:
    """Return the data of one of `NAMES`: the same at each call."""
    x, y = _module_of(name).draw(np.random.default_rng(_SEED))
    return Dataset(name, Split(x, y), None, (), "drawn at random")


def _module_of(name: str) -> ModuleType:
    module = name.removeprefix("real/").replace("-", "_")
    return importlib.import_module(f".{module}", __package__)
