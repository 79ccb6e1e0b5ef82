"""Fine-tuning: train a bundle's model further, with frozen layers, or with a new output layer for other classes."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...backends import keras_internals
from ...errors import OptionError
from ...functions import first_of
from ...models.recipe import Recipe, registry, step
from ..bundles.bundle import Bundle
from ..bundles.written_losses import has_recorded_losses

if TYPE_CHECKING:
    import keras

# Frozen layers that a sentence names; the record of a run has all of them.
_MOST_NAMES = 5


def prepare_model(bundle: Bundle, classes: int | None = None) -> keras.Model:
    """Return a copy of a bundle's model to train further.

    Args:
        bundle: a trained model.
        classes: the number of classes of a new output layer, or None to keep the old layer.

    Raises:
        BundleError: Keras refuses the bundle's model.
        OptionError: the output layer cannot be replaced.
    """
    model = bundle.build()
    return model if classes is None else replace_head(model, classes)


def set_trainable(model: keras.Model, freeze: Sequence[str], unfreeze: Sequence[str]) -> None:
    """Say which layers are trained.

    Args:
        freeze: patterns of layer names, such as `conv*`; the weights of these layers do not change.
        unfreeze: patterns of the layers that are trained, also where `freeze` or the model says otherwise.

    Raises:
        OptionError: a pattern matches no layer, or nothing is left to train.
    """
    for option, patterns, trainable in (("freeze", freeze, False), ("unfreeze", unfreeze, True)):
        for pattern in patterns:
            for layer in _matching(model, option, pattern):
                # Each part by itself: under TensorFlow, Keras does not hand it on to the layers of a nested model.
                for part in keras_internals.all_layers(layer):
                    part.trainable = trainable
    if freeze and not model.trainable_variables:
        raise OptionError(f"`freeze` {' '.join(freeze)}: every weight is frozen, there is nothing left to train")


def _matching(model: keras.Model, option: str, pattern: str) -> list[keras.Layer]:
    matching = [layer for layer in model.layers if fnmatchcase(layer.name, pattern)]
    if not matching:
        named = ", ".join(layer.name for layer in model.layers if layer.weights)
        raise OptionError(f"`{option}` {pattern}: no layer has such a name (there are: {named})")
    return matching


def frozen_layers(model: keras.Model, path: str = "") -> list[str]:
    """Return the names of the layers that are not trained, a layer of a model within the model as `inner/dense`."""
    names = []
    for layer in model.layers:
        if layer.weights and not layer.trainable:
            names.append(path + layer.name)
        elif hasattr(layer, "layers"):
            names += frozen_layers(layer, f"{path}{layer.name}/")
    return names


def frozen_notes(model: keras.Model) -> list[str]:
    """Return a sentence about the layers that are not trained, if there are any."""
    names = frozen_layers(model)
    return [f"not trained, but frozen: {first_of(names, _MOST_NAMES)}"] if names else []


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
    if has_recorded_losses(bundle):
        raise OptionError(
            "`start`: the bundle's model was trained by losses of its own, which it does not hold: go on with the run "
            "by `resume`, or load the model in a function that calls trivium.with_losses"
        )
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
