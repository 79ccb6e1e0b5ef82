"""Adapt a recipe to arrays.

A recipe is written for its own dataset, but an estimator gets arbitrary arrays: a table, or a stack of images. Sizes
are therefore taken from the arrays, and values that the caller may have prepared already are not scaled again.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from ...errors import OptionError
from ...models.recipe import SERIES_STEPS, SIZES, PreprocessingStep, Recipe, step

_CLASSIFICATION_LOSSES = ("categorical_crossentropy", "sparse_categorical_crossentropy", "binary_crossentropy")


def options_from(
    recipe: Recipe, x: np.ndarray, explicit: Mapping[str, Any], counts: Mapping[str, int]
) -> dict[str, Any]:
    """Return the explicit options, completed by the sizes of the data.

    Args:
        recipe: its builder takes the options.
        x: (n, …) samples.
        explicit: option values by name. None for one of `SIZES` means: from the data. NumPy scalars become Python
            numbers.
        counts: the number of classes or outputs, by option name.
    """
    known = recipe.options
    sizes = {"inputs": math.prod(x.shape[1:]), **counts}
    from_data = {name: sizes[name] for name in SIZES if name in known and name in sizes}
    explicit_values = {k: v.item() if isinstance(v, np.generic) else v for k, v in explicit.items()}
    return {**from_data, **{k: v for k, v in explicit_values.items() if not (k in from_data and v is None)}}


def adapt_recipe(recipe: Recipe, x: np.ndarray, *, classifies: bool) -> Recipe:
    """Return the recipe with preprocessing that fits the samples.

    uint8 samples are pixels and are prepared as the recipe says. Other samples are not scaled, because they may be
    scaled already. All samples become float32. If the builder has the option `inputs`, samples are flattened; if the
    recipe is for images, rows of a square length are reshaped to square images.

    Args:
        recipe: the recipe as registered.
        x: (n, …) samples.
        classifies: True for classification, False for regression.

    Raises:
        OptionError: the recipe is for the other task, or its samples are windows of a series or text.
    """
    if {preprocessing_step.kind for preprocessing_step in (*recipe.inputs, *recipe.targets)} & SERIES_STEPS:
        raise OptionError(f"{recipe.name} cuts its samples out of a series or text: train it with trivium.train")
    _require_task(recipe, classifies)
    flat = "inputs" in recipe.options
    inputs = [preprocessing_step for preprocessing_step in recipe.inputs if _is_applicable(preprocessing_step, x, flat)]
    if flat and x.ndim > 2:
        inputs = [step("reshape", shape=(math.prod(x.shape[1:]),)), *inputs]
    side = math.isqrt(x.shape[1])
    if (
        x.ndim == 2
        and side * side == x.shape[1]
        and any(preprocessing_step.kind == "channel-axis" for preprocessing_step in inputs)
    ):
        inputs = [step("reshape", shape=(side, side)), *inputs]
    return replace(recipe, inputs=(*inputs, step("cast", dtype="float32")))


def _is_applicable(preprocessing_step: PreprocessingStep, x: np.ndarray, flat: bool) -> bool:
    if preprocessing_step.kind == "scale":
        return x.dtype == np.uint8
    return not (flat and preprocessing_step.kind == "reshape")


def _require_task(recipe: Recipe, classifies: bool) -> None:
    is_classifier = recipe.loss in _CLASSIFICATION_LOSSES or any(
        preprocessing_step.kind == "one-hot" for preprocessing_step in recipe.targets
    )
    if is_classifier and not classifies:
        raise OptionError(f"{recipe.name} is for classification, not for regression: use trivium.Classifier")
    if classifies and recipe.loss and not is_classifier:
        raise OptionError(f"{recipe.name} is for regression, not for classification: use trivium.Regressor")
