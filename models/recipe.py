"""What a recipe is, and the book of them.

A recipe is a function that builds an uncompiled Keras model, with everything around it that the published result
depends on: data, preparation, loss, optimizer, batch size, epochs. It holds names and numbers only, so that listing
the book imports no framework; the engine turns them into arrays and training runs.
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from ..errors import RecipeError, first_line
from ..functions import is_file_function, load_function, suggest

if TYPE_CHECKING:
    import keras
else:

    class _KerasOnFirstUse:
        """Stands for `keras` in the family files: importing Keras costs seconds and fixes the backend."""

        def __getattr__(self, name: str) -> Any:
            return getattr(importlib.import_module("keras"), name)

    keras = _KerasOnFirstUse()

__all__ = ["Option", "Recipe", "Reference", "Step", "book", "find", "keras", "recipe", "step"]

FAMILIES = ("dense", "cnn", "rnn", "text", "functional")


@dataclass(frozen=True)
class Option:
    """In a step's settings: the value of the recipe's option of that name."""

    name: str


@dataclass(frozen=True)
class Step:
    """One step of preparation, by the name and settings that `engine.preprocessing` knows it by."""

    kind: str
    settings: Mapping[str, Any] = field(default_factory=dict)


def step(kind: str, **settings: Any) -> Step:
    """A step of preparation; a setting may be an `Option`."""
    return Step(kind, settings)


@dataclass(frozen=True)
class Reference:
    """What is published about a recipe.

    Attributes:
        parameters: the model's parameter count with default options; trivium asserts it.
        seconds_per_epoch: on a 2014 iMac, CPU only, TensorFlow 2.4, all of MNIST.
        result: the published accuracy or loss, in words.
    """

    parameters: int | None = None
    seconds_per_epoch: str = ""
    result: str = ""


@dataclass(frozen=True)
class Recipe:
    """A model, and everything around it that its result depends on.

    Attributes:
        name: `family/model`, or `path/to/file.py:function` for a user's own.
        summary: one line.
        build: makes the uncompiled model; its keyword arguments are the recipe's options.
        dataset: the name of its data, or None when the user must give data.
        inputs, targets: the preparation of x and of y, in order.
        loss, optimizer, metrics: what `keras.Model.compile` takes; a loss of None is chosen by the model and the
            labels.
        learning_rate: of the optimizer; None for its own default.
        fitted: options that are taken from the data unless given: (option, kind of the step whose vocabulary it
            counts).
        batch_size, epochs: of the published run.
        validation_split: the share at the end of the training data that is held out, 0 to 1.
        shuffle: whether an epoch draws its samples in a new order.
        reference: the published figures.
    """

    name: str
    summary: str
    build: Callable[..., keras.Model]
    dataset: str | None = None
    inputs: tuple[Step, ...] = ()
    targets: tuple[Step, ...] = ()
    loss: str | None = None
    optimizer: str = "adam"
    metrics: tuple[str, ...] = ()
    learning_rate: float | None = None
    fitted: tuple[tuple[str, str], ...] = ()
    batch_size: int = 32
    epochs: int = 10
    validation_split: float = 0.25
    shuffle: bool = True
    reference: Reference = Reference()

    @property
    def family(self) -> str:
        return "file" if is_file_function(self.name) else self.name.partition("/")[0]

    @property
    def options(self) -> dict[str, Any]:
        """The options that `build` takes, with their defaults."""
        return {name: parameter.default for name, parameter in inspect.signature(self.build).parameters.items()}

    def complete(self, options: Mapping[str, Any]) -> dict[str, Any]:
        """The given options over the defaults.

        Raises:
            RecipeError: an option that the recipe does not have, or one that it needs and was not given.
        """
        known = self.options
        for name in options:
            if name not in known:
                listed = ", ".join(known) or "none"
                raise RecipeError(f"{self.name} has no option {name!r} (it has: {listed}){suggest(name, list(known))}")
        complete = {**known, **options}
        missing = [name for name, value in complete.items() if value is inspect.Parameter.empty]
        if missing:
            raise RecipeError(f"{self.name} needs a value for {', '.join(missing)}: add --set {missing[0]}=…")
        return complete

    def steps(self, steps: tuple[Step, ...], options: Mapping[str, Any]) -> list[Step]:
        """`self.inputs` or `self.targets` with each `Option` replaced by its value."""
        values = self.complete(options)
        return [
            replace(
                step,
                settings={k: values[v.name] if isinstance(v, Option) else v for k, v in step.settings.items()},
            )
            for step in steps
        ]

    def __call__(self, **options: Any) -> keras.Model:
        """Build the model, uncompiled.

        Raises:
            RecipeError: an unknown option, or one with a value that Keras refuses.
        """
        values = self.complete(options)
        try:
            model = self.build(**values)
        except Exception as error:  # whatever Keras, or a user's own function, makes of the options
            given = ", ".join(f"{k}={v!r}" for k, v in options.items())
            raise RecipeError(
                f"{self.name}({given}) cannot be built: {type(error).__name__}: {first_line(error)}"
            ) from error
        if not isinstance(model, keras.Model):
            raise RecipeError(f"{self.name} returned {type(model).__name__}, expected a keras.Model")
        return model


_book: dict[str, Recipe] = {}


def recipe(name: str, summary: str, **around: Any) -> Callable[[Callable[..., keras.Model]], Recipe]:
    """Make the decorated builder a recipe; the keywords are the fields of `Recipe`.

    Example:
        >>> @trivium.recipe("mine/tiny", "one layer", dataset="mnist:sample", loss="sparse_categorical_crossentropy")
        ... def tiny(units=10):
        ...     return keras.Sequential([keras.Input((28, 28)), keras.layers.Flatten(), keras.layers.Dense(units)])
    """

    def decorate(build: Callable[..., keras.Model]) -> Recipe:
        return Recipe(name, summary, build, **around)

    return decorate


def book() -> dict[str, Recipe]:
    """Every recipe that trivium brings, by name, in the order of the families' files."""
    if not _book:
        for family in FAMILIES:
            module = importlib.import_module(f".{family}", __package__)
            _book.update({found.name: found for found in vars(module).values() if isinstance(found, Recipe)})
    return _book


def find(name: str) -> Recipe:
    """The recipe of that name, or the one that `path/to/file.py:function` makes.

    Raises:
        RecipeError: there is none; the message gives the nearest names.
    """
    if name in book():
        return book()[name]
    if not is_file_function(name):
        raise RecipeError(
            f"unknown recipe {name!r}{suggest(name, list(book()))} (`trivium recipes` lists them all; "
            "a model of your own is path/to/file.py:function)"
        )
    found = load_function(name)
    if isinstance(found, Recipe):
        return replace(found, name=name)
    summary = (inspect.getdoc(found) or "a model of your own").splitlines()[0]
    return Recipe(name, summary, found)
