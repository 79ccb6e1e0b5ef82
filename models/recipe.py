"""Defines a recipe, and the registry of trivium's own recipes.

A recipe is a function that builds an uncompiled Keras model, with everything else that the published result depends on:
data, preprocessing, loss, optimizer, batch size, epochs. It holds only names and numbers, so that listing the registry
imports no framework. The engine turns them into arrays and training runs.
"""

from __future__ import annotations

import importlib
import inspect
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from ..errors import BundleError, FileError, RecipeError, first_line
from ..functions import is_file_function, load_function, suggest

if TYPE_CHECKING:
    import keras
else:

    class _LazyKeras:
        """Imports Keras on first use in the family files: the import takes seconds and fixes the backend."""

        def __getattr__(self, name: str) -> Any:
            return getattr(importlib.import_module("keras"), name)

    keras = _LazyKeras()

__all__ = [
    "Option",
    "PreprocessingStep",
    "PublishedResult",
    "Recipe",
    "find",
    "keras",
    "recipe",
    "recipe_of",
    "registry",
    "step",
]

# Steps that cut new samples out of a series or text, so that samples and targets no longer match one to one.
SERIES_STEPS = frozenset(("window", "after", "ahead", "letters", "words"))
# Options of a builder that are sizes of the data: numbers per sample, classes, values per target, samples to train on,
# for each column of words in a table the numbers that it can have, those that a word of a sentence can have, and the
# shape of a picture.
SIZES = ("inputs", "classes", "outputs", "samples", "categories", "vocabulary", "picture_shape")
# Further ones, where the data are windows of a series: rows of an input, values per row, rows of a target.
SERIES_SIZES = ("window", "features", "horizon")

# Parameters that collect further arguments: `*args` and `**options`.
_COLLECTING = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)

FAMILIES = ("dense", "cnn", "rnn", "text", "functional", "tabular")


@dataclass(frozen=True)
class Option:
    """A placeholder in the settings of a preprocessing step: the value of the recipe's option of that name."""

    name: str


@dataclass(frozen=True)
class PreprocessingStep:
    """A preprocessing step, given by its kind and its settings; `data.preprocessing` implements the kinds."""

    kind: str
    settings: Mapping[str, Any] = field(default_factory=dict)


def step(kind: str, **settings: Any) -> PreprocessingStep:
    """Declare a preprocessing step; a setting may be an `Option`.

    Example:
        >>> trivium.step("min-max")
        PreprocessingStep(kind='min-max', settings={})
    """
    return PreprocessingStep(kind, settings)


@dataclass(frozen=True)
class PublishedResult:
    """The published figures of a recipe.

    Attributes:
        seconds_per_epoch: on a 2014 iMac, CPU only, TensorFlow 2.4, all of MNIST.
        result: the published accuracy or loss, as text.
    """

    seconds_per_epoch: str = ""
    result: str = ""


@dataclass(frozen=True)
class Recipe:
    """A model, and everything else that its result depends on.

    Attributes:
        name: `family/model`, or `path/to/file.py:function` for a user's own.
        summary: one line.
        build: builds the uncompiled model; its keyword arguments are the recipe's options.
        dataset: the name of its dataset, or None if the user must provide the data.
        inputs, targets: the preprocessing steps of x and of y, in order.
        loss, optimizer, metrics: arguments of `keras.Model.compile`; a loss of None is chosen from the model and the
            labels.
        learning_rate: the optimizer's; None for its default.
        fitted: options that follow from the data unless they are set, as pairs: (option, kind of the tokenizer whose
            vocabulary size is its value).
        batch_size, epochs: those of the published run; where none is published, what is enough to see the recipe learn.
        validation_split: the fraction of the training data that is held out, 0 to 1.
        validation: how the held-out samples are chosen: `last` of the data as published, `shuffled`, `stratified` by
            class, or `auto` by the data.
        shuffle: whether each epoch takes the samples in a new order.
        parameters: the model's parameter count with default options; the tests check it.
        reference: the published figures.

    Example:
        >>> def tiny(units=10):
        ...     return keras.Sequential([keras.Input((28, 28)), keras.layers.Flatten(), keras.layers.Dense(units)])
        >>> trivium.Recipe("mine/tiny", "one layer", tiny, dataset="mnist:sample").options
        {'units': 10}
    """

    name: str
    summary: str
    build: Callable[..., keras.Model]
    dataset: str | None = None
    inputs: tuple[PreprocessingStep, ...] = ()
    targets: tuple[PreprocessingStep, ...] = ()
    loss: str | None = None
    optimizer: str = "adam"
    metrics: tuple[str, ...] = ()
    learning_rate: float | None = None
    fitted: tuple[tuple[str, str], ...] = ()
    batch_size: int = 32
    epochs: int = 10
    validation_split: float = 0.25
    validation: str = "last"
    shuffle: bool = True
    parameters: int | None = None
    reference: PublishedResult = PublishedResult()

    @property
    def family(self) -> str:
        return "file" if is_file_function(self.name) else self.name.partition("/")[0]

    @property
    def options(self) -> dict[str, Any]:
        """The options that `build` takes by name, with their defaults."""
        parameters = inspect.signature(self.build).parameters
        named = {name: known for name, known in parameters.items() if known.kind not in _COLLECTING}
        return {name: parameter.default for name, parameter in named.items()}

    @property
    def takes_any_option(self) -> bool:
        """Whether `build` collects further options by `**`."""
        parameters = inspect.signature(self.build).parameters.values()
        return any(parameter.kind is inspect.Parameter.VAR_KEYWORD for parameter in parameters)

    @property
    def _positional(self) -> list[str]:
        """The names of the options that `build` takes by position alone."""
        parameters = inspect.signature(self.build).parameters.values()
        return [known.name for known in parameters if known.kind is inspect.Parameter.POSITIONAL_ONLY]

    def complete(self, options: Mapping[str, Any], *, without_sizes: bool = False) -> dict[str, Any]:
        """Return all options: the defaults, overridden by the given ones.

        Args:
            options: by name.
            without_sizes: whether `SIZES` and `SERIES_SIZES` may be missing, because the data are not known yet.

        Raises:
            RecipeError: the recipe has no such option, or needs one that is missing, or a text is given for one that is
                true or false.
        """
        known = self.options
        for name in options:
            if name not in known and not self.takes_any_option:
                listed = ", ".join(known) or "none"
                raise RecipeError(f"{self.name} has no option {name!r} (it has: {listed}){suggest(name, list(known))}")
            if isinstance(known.get(name), bool) and isinstance(options[name], str):  # any text would count as true
                raise RecipeError(
                    f"{self.name}: the option {name} is true or false, received {options[name]!r}: write {name}=false "
                    f"or {name}=true"
                )
        complete = {**known, **{name: _python_number(value) for name, value in options.items()}}
        missing = [name for name, value in complete.items() if value is inspect.Parameter.empty]
        if without_sizes:
            sizes = {*SIZES, *SERIES_SIZES}
            complete = {name: value for name, value in complete.items() if name not in sizes or name not in missing}
            missing = [name for name in missing if name not in sizes]
        if missing:
            raise RecipeError(f"{self.name} needs a value for {', '.join(missing)}: add `options` {missing[0]}=…")
        return complete

    def steps(self, steps: tuple[PreprocessingStep, ...], options: Mapping[str, Any]) -> list[PreprocessingStep]:
        """Return `self.inputs` or `self.targets` with each `Option` replaced by its value."""
        values = self.complete(options, without_sizes=True)
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
            RecipeError: an option is unknown, or Keras refuses its value.
        """
        values = self.complete(options)
        try:
            positional = [values.pop(name) for name in self._positional]
            model = self.build(*positional, **values)
        except (BundleError, FileError):  # of a model in a file: they say all
            raise
        except (Exception, SystemExit) as error:  # Keras, or a user's own function, may raise anything
            arguments = ", ".join(f"{k}={v!r}" for k, v in options.items())
            raise RecipeError(
                f"{self.name}({arguments}) cannot be built: {type(error).__name__}: {first_line(error)}"
            ) from error
        if not isinstance(model, keras.Model):
            raise RecipeError(f"{self.name} returned {type(model).__name__}, expected a keras.Model")
        return model


def _python_number(value: Any) -> Any:
    """Return a NumPy scalar, which Keras' layers refuse as a size, as a Python number."""
    return value.item() if getattr(value, "shape", None) == () and hasattr(value, "item") else value


_registry: dict[str, Recipe] = {}


def recipe(name: str, summary: str, **settings: Any) -> Callable[[Callable[..., keras.Model]], Recipe]:
    """Turn the decorated builder into a recipe; the keywords are the fields of `Recipe`.

    Example:
        >>> @trivium.recipe("mine/tiny", "one layer", dataset="mnist:sample", loss="sparse_categorical_crossentropy")
        ... def tiny(units=10):
        ...     return keras.Sequential([keras.Input((28, 28)), keras.layers.Flatten(), keras.layers.Dense(units)])
        >>> tiny.name, tiny.options
        ('mine/tiny', {'units': 10})
    """

    def decorate(build: Callable[..., keras.Model]) -> Recipe:
        return Recipe(name, summary, build, **settings)

    return decorate


def registry() -> dict[str, Recipe]:
    """Return all of trivium's own recipes by name, in the order of the families' files."""
    if not _registry:
        for family in FAMILIES:
            module = importlib.import_module(f".{family}", __package__)
            _registry.update({entry.name: entry for entry in vars(module).values() if isinstance(entry, Recipe)})
    return _registry


def recipe_of(model: Recipe | str | Callable[..., Any]) -> Recipe:
    """Return a recipe, given a recipe, its name, a function that builds a model, or a model.

    Raises:
        RecipeError: no recipe has that name, or the argument is none of these.
    """
    if isinstance(model, Recipe):
        return model
    if isinstance(model, str):
        return find(model)
    if "keras" in sys.modules and isinstance(model, keras.Model):
        return Recipe(model.name, "a model", lambda: model, validation="auto")
    if not callable(model):
        raise RecipeError(
            f"expected a recipe, its name, a function that builds a model, or a model, received {model!r}"
        )
    return Recipe(getattr(model, "__name__", type(model).__name__), "a builder", model, validation="auto")


def find(name: str) -> Recipe:
    """Return the recipe of that name, or the one made by `path/to/file.py:function`.

    Raises:
        RecipeError: there is no such recipe; the message suggests the nearest names.
    """
    if name in registry():
        return registry()[name]
    if not is_file_function(name):
        raise RecipeError(
            f"unknown recipe {name!r}{suggest(name, list(registry()))} (`trivium recipes` lists them all; "
            "a model of your own is path/to/file.py:function)"
        )
    function = load_function(name)
    if isinstance(function, Recipe):
        return replace(function, name=name)
    summary = (inspect.getdoc(function) or "a model of your own").splitlines()[0]
    return Recipe(name, summary, function, validation="auto")
