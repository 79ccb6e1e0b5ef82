"""A recipe made to go with given arrays: how a table or a stack of pictures meets what the book says of its own data.

A recipe of the book is about one dataset; an estimator is given arrays that nobody has named. What depends on the data
is taken from them, and nothing is done to values that somebody may have prepared already.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from ...errors import OptionError
from ...models.recipe import Recipe, Step, find, step

# Options of a builder that are taken from the data unless they are given.
FROM_DATA = ("inputs", "classes", "outputs")

# Steps that make other samples than they were given: they have no target each.
_OF_A_SERIES = {"window", "after", "ahead", "letters", "words"}
_OF_CLASSES = ("categorical_crossentropy", "sparse_categorical_crossentropy", "binary_crossentropy")


def recipe_of(model: Recipe | str | Callable[..., Any]) -> Recipe:
    """The recipe of that name, or the one that a builder is.

    Raises:
        RecipeError: there is none of that name.
        OptionError: it is neither a name, nor a recipe, nor a function.
    """
    if isinstance(model, Recipe):
        return model
    if isinstance(model, str):
        return find(model)
    if not callable(model):
        raise OptionError(f"expected a recipe, its name or a function that builds a model, received {model!r}")
    return Recipe(getattr(model, "__name__", type(model).__name__), "a builder", model)


def options_from(recipe: Recipe, x: np.ndarray, given: Mapping[str, Any], counts: Mapping[str, int]) -> dict[str, Any]:
    """The given options, and those that the data decide.

    Args:
        recipe: whose builder takes them.
        x: (n, …) samples.
        given: by name; one of `FROM_DATA` that is None counts as not given. Numbers of NumPy become Python's.
        counts: of classes or of outputs, by the option's name.
    """
    known = recipe.options
    sizes = {"inputs": math.prod(x.shape[1:]), **counts}
    from_data = {name: sizes[name] for name in FROM_DATA if name in known and name in sizes}
    chosen = {k: v.item() if isinstance(v, np.generic) else v for k, v in given.items()}
    return {**from_data, **{k: v for k, v in chosen.items() if not (k in from_data and v is None)}}


def adapted(recipe: Recipe, x: np.ndarray, *, classifies: bool) -> Recipe:
    """The recipe with a preparation that suits samples like these.

    Pixels, which are samples of uint8, are prepared as the recipe says. Other samples are not scaled from the range of
    pixels: they may well be scaled already. All become float32. Where the builder takes how many inputs there are, a
    sample becomes one row; where it takes pictures, a row whose length is a square becomes one.

    Args:
        recipe: as the book has it.
        x: (n, …) samples.
        classifies: whether what is to be learnt is classes.

    Raises:
        OptionError: the recipe learns something else, or its samples are windows of a series.
    """
    if {each.kind for each in (*recipe.inputs, *recipe.targets)} & _OF_A_SERIES:
        raise OptionError(f"{recipe.name} makes its samples out of a series or text: train it by trivium.train")
    _require_purpose(recipe, classifies)
    flat = "inputs" in recipe.options
    inputs = [each for each in recipe.inputs if _suits(each, x, flat)]
    if flat and x.ndim > 2:
        inputs = [step("reshape", shape=(math.prod(x.shape[1:]),)), *inputs]
    side = math.isqrt(x.shape[1])
    if x.ndim == 2 and side * side == x.shape[1] and any(each.kind == "channel-axis" for each in inputs):
        inputs = [step("reshape", shape=(side, side)), *inputs]
    return replace(recipe, inputs=(*inputs, step("cast", dtype="float32")))


def _suits(each: Step, x: np.ndarray, flat: bool) -> bool:
    if each.kind == "scale":
        return x.dtype == np.uint8
    return not (flat and each.kind == "reshape")


def _require_purpose(recipe: Recipe, classifies: bool) -> None:
    for_classes = recipe.loss in _OF_CLASSES or any(each.kind == "one-hot" for each in recipe.targets)
    if for_classes and not classifies:
        raise OptionError(f"{recipe.name} tells classes apart, it predicts no values: use trivium.Classifier")
    if classifies and recipe.loss and not for_classes:
        raise OptionError(f"{recipe.name} predicts values, it tells no classes apart: use trivium.Regressor")
