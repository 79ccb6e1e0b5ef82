"""Going on from a trained model: some of its layers frozen, perhaps with a new output for other classes."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import OptionError
from ...models.recipe import Recipe, book, step
from ..bundles.bundle import Bundle

if TYPE_CHECKING:
    import keras


def begin(bundle: Bundle, freeze: Sequence[str] = (), classes: int | None = None) -> keras.Model:
    """A model to train further; the bundle's own is left alone.

    Args:
        bundle: a trained model.
        freeze: patterns of layer names, such as `conv*`; these layers keep their weights bit by bit.
        classes: how many classes a new output layer tells apart, or None to keep the old one.

    Raises:
        BundleError: Keras refuses the bundle's model.
        OptionError: a pattern that no layer matches, nothing left to train, or an output layer that cannot be replaced.
    """
    model = bundle.build()
    if classes is not None:
        model = replace_head(model, classes)
    for pattern in freeze:
        matching = [layer for layer in model.layers if fnmatchcase(layer.name, pattern)]
        if not matching:
            named = ", ".join(layer.name for layer in model.layers if layer.weights)
            raise OptionError(f"--freeze {pattern}: no layer has such a name (there are: {named})")
        for layer in matching:
            layer.trainable = False
    if not model.trainable_variables:
        raise OptionError(f"--freeze {' '.join(freeze)}: every weight is frozen, there is nothing left to train")
    return model


def replace_head(model: keras.Model, classes: int) -> keras.Model:
    """The model with a new, untrained output layer of the old one's kind in place of the old one.

    Raises:
        OptionError: the output is no single dense layer.
    """
    import keras

    head = model.layers[-1]
    if len(model.outputs) != 1 or not isinstance(head, keras.layers.Dense):
        raise OptionError(
            f"--replace-head: {model.name} ends in {head.name} ({type(head).__name__}), expected one Dense layer"
        )
    new = keras.layers.Dense(classes, activation="softmax", name=f"{head.name}_of_{classes}")
    return keras.Model(model.inputs, new(head.input), name=model.name)


def recipe_of(bundle: Bundle, named: Recipe | None, classes: int | None) -> Recipe:
    """The recipe to go on with: the bundle's own, its targets and loss changed where a new output layer needs it.

    A recipe in a user's file is only used when the user names it: a bundle never decides which code is run.

    Raises:
        OptionError: the bundle holds another recipe than the one that was named, or one that has to be named.
    """
    held = bundle.run["recipe"]
    if named is None and held not in book():
        raise OptionError(f"the bundle holds {held}, which is no recipe of trivium's book: name it before --from")
    if named is not None and named.name != held and held in book():
        raise OptionError(f"the bundle holds {held}, not {named.name}: leave the recipe out, or name that one")
    recipe = named or book()[held]
    if classes is None:
        return recipe
    return replace(
        recipe,
        targets=(step("one-hot", classes=classes),),
        loss="categorical_crossentropy",
        metrics=("accuracy",),
    )


def options_of(bundle: Bundle) -> dict[str, Any]:
    """The options that the bundle's model was built with."""
    found = bundle.run["settings"]["options"]
    return {name: tuple(value) if isinstance(value, list) else value for name, value in found.items()}


def describe(bundle: Bundle, source: Any, freeze: Sequence[str], classes: int | None) -> dict[str, Any]:
    """What a run keeps of where it began."""
    return {
        "recipe": bundle.run["recipe"],
        "file": str(source) if isinstance(source, str | Path) else None,
        "sha256": hashlib.sha256(bundle.keras_file).hexdigest(),
        "freeze": list(freeze),
        "replace_head": classes,
    }
