"""Fine-tuning: train a bundle's model further, with frozen layers, or with a new output layer for other classes."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import OptionError
from ...models.recipe import Recipe, registry, step
from ..bundles.bundle import Bundle

if TYPE_CHECKING:
    import keras


def prepare_model(bundle: Bundle, freeze: Sequence[str] = (), classes: int | None = None) -> keras.Model:
    """Return a copy of a bundle's model to train further.

    Args:
        bundle: a trained model.
        freeze: patterns of layer names, such as `conv*`; the weights of these layers do not change.
        classes: the number of classes of a new output layer, or None to keep the old layer.

    Raises:
        BundleError: Keras refuses the bundle's model.
        OptionError: a pattern matches no layer, nothing is left to train, or the output layer cannot be replaced.
    """
    model = bundle.build()
    if classes is not None:
        model = replace_head(model, classes)
    for pattern in freeze:
        matching = [layer for layer in model.layers if fnmatchcase(layer.name, pattern)]
        if not matching:
            named = ", ".join(layer.name for layer in model.layers if layer.weights)
            raise OptionError(f"`freeze` {pattern}: no layer has such a name (there are: {named})")
        for layer in matching:
            layer.trainable = False
    if not model.trainable_variables:
        raise OptionError(f"`freeze` {' '.join(freeze)}: every weight is frozen, there is nothing left to train")
    return model


def replace_head(model: keras.Model, classes: int) -> keras.Model:
    """Return the model with a new, untrained softmax layer in place of its output layer.

    Raises:
        OptionError: the model does not end in a single dense layer.
    """
    import keras

    head = model.layers[-1]
    if len(model.outputs) != 1 or not isinstance(head, keras.layers.Dense):
        raise OptionError(
            f"`replace_head`: {model.name} ends in {head.name} ({type(head).__name__}), expected one Dense layer"
        )
    new = keras.layers.Dense(classes, activation="softmax", name=f"{head.name}_of_{classes}")
    return keras.Model(model.inputs, new(head.input), name=model.name)


def recipe_of(bundle: Bundle, named: Recipe | None, classes: int | None) -> Recipe:
    """Return the recipe of a bundle, with other targets and another loss if the model gets a new output layer.

    A recipe in a user's file is only used if the user names it: a bundle never decides which code runs.

    Raises:
        OptionError: the user names another recipe than the bundle's, or must name the bundle's and does not.
    """
    bundled = bundle.run["recipe"]
    if named is None and bundled not in registry():
        raise OptionError(f"the bundle holds {bundled}, which is no registered recipe: name it before `start`")
    if named is not None and named.name != bundled and bundled in registry():
        raise OptionError(f"the bundle holds {bundled}, not {named.name}: leave the recipe out, or name that one")
    recipe = named or registry()[bundled]
    if classes is None:
        return recipe
    return replace(
        recipe,
        targets=(step("one-hot", classes=classes),),
        loss="categorical_crossentropy",
        metrics=("accuracy",),
    )


def options_of(bundle: Bundle) -> dict[str, Any]:
    """Return the options that the bundle's model was built with."""
    options = bundle.run["settings"]["options"]
    return {name: tuple(value) if isinstance(value, list) else value for name, value in options.items()}


def describe(bundle: Bundle, source: Any, freeze: Sequence[str], classes: int | None) -> dict[str, Any]:
    """Return the entry for the run's record."""
    return {
        "recipe": bundle.run["recipe"],
        "file": str(source) if isinstance(source, str | Path) else None,
        "sha256": hashlib.sha256(bundle.keras_file).hexdigest(),
        "freeze": list(freeze),
        "replace_head": classes,
    }
