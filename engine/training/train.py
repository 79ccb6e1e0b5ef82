"""`trivium.train`: all that `trivium train` can do, from Python."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...backends import catalog
from ...backends.workers.worker import Listener
from ...data import data_name, datasets
from ...data.data_source import DataSource, dataset_of
from ...data.dataset import Dataset
from ...data.from_arrays import dataset_from_arrays
from ...data.from_streams import dataset_from_stream
from ...data.series.columns import ENDINGS as SERIES_ENDINGS
from ...data.streams.recognition import stream_of
from ...data.tables import frames
from ...errors import OptionError
from ...functions import suggest
from ...models.recipe import SERIES_SIZES, Recipe
from ...notebook.live import shows_progress
from ..bundles.named_recipe import recipe_of
from ..runs.checkpoint_policy import CheckpointRule, with_default_rule
from ..runs.run import Run
from . import hold_out
from .callback_options import CallbackOptions
from .options import TrainingOptions
from .trainer import Trainer

if TYPE_CHECKING:
    import keras

_TRAINING = tuple(field.name for field in dataclasses.fields(TrainingOptions) if field.name != "recipe")
_CALLBACKS = tuple(field.name for field in dataclasses.fields(CallbackOptions))


@shows_progress
def train(
    recipe: Recipe | str | Callable[..., Any] = "",
    data: DataSource | None = None,
    *,
    backend: str | None = None,
    validation_data: Any = None,
    test_data: Any = None,
    out: str | Path | None = None,
    resume: bool = False,
    checkpoints: Iterable[CheckpointRule | Mapping[str, Any]] = (),
    callbacks: Sequence[keras.callbacks.Callback] = (),
    listener: Listener | None = None,
    **settings: Any,
) -> Run:
    """Train a model and return the run.

    Args:
        recipe: a name such as `cnn/striding`, `path/to/file.py:function`, a `Recipe`, a function that builds a model,
            or a model; empty to go on with the recipe of the bundle `start`.
        data: `(x, y)`, `(x, y, weight)`, a dictionary of arrays named as the model's inputs and outputs, a data frame,
            a `Dataset`, a dataset's name, or a file or folder; without it the recipe's own. Several inputs or outputs
            are a tuple, list or dictionary of arrays. Or a stream of batches: a `keras.utils.PyDataset`, a generator
            function, an iterator, or a loader of TensorFlow, PyTorch, Grain or Hugging Face, on any backend.
        backend: which backend to use; it must be chosen before Keras is imported.
        validation_data, test_data: in the form of `data`, where that is arrays; without `validation_data`, a share of
            `data` is held out. Beside a stream: arrays, and for the validation also a stream with a length; nothing is
            held out of a stream.
        out: a folder for the run: its record, history, checkpoints, bundle and pictures.
        resume: continue the run in `out`.
        checkpoints: rules, or their settings such as `{"every": 5, "keep": 3}`, for a run with a folder.
        callbacks: further Keras callbacks.
        listener: called with progress events.
        settings: fields of `TrainingOptions` (`epochs=3`) and `CallbackOptions` (`early_stopping={"patience": 3}`),
            options of the recipe (`units=64`), and how a file or a data frame is read (`target="price"`).

    Raises:
        TriviumError: an error that the caller can correct; the message says how.

    Example:
        >>> run = trivium.train("dense/points", "iris", epochs=20, out="runs/flowers")
        >>> run.evaluation["accuracy"] > 0.6
        True
    """
    if resume and out is None:
        raise OptionError("`resume` continues the run in a folder: add `out`")
    catalog.use(backend, devices=settings.get("devices"))
    named = recipe_of(recipe) if recipe else ""
    data, settings["validation"] = with_validation_file(data, settings.get("validation"))
    reading = pop_reading_settings(settings, named, data)
    trainer = Trainer(named, listener=listener, callbacks=callbacks, **_sorted_settings(named, settings))
    read = dataset_of(data, **reading) if reading else data
    dataset = trainer.load(_with_parts(read, validation_data, test_data))
    if out is None:
        return trainer.fit(dataset)
    return _train_in_folder(trainer, dataset, Path(out), checkpoints, resume)


def _train_in_folder(
    trainer: Trainer,
    dataset: Dataset,
    out: Path,
    checkpoints: Iterable[CheckpointRule | Mapping[str, Any]],
    resume: bool,
) -> Run:
    from ..runs import run_folder
    from .saving import save

    rules = [rule if isinstance(rule, CheckpointRule) else CheckpointRule.of(rule) for rule in checkpoints]
    with run_folder.open_run(out, with_default_rule(rules), resume=resume) as folder:
        run = trainer.fit(dataset, run_folder=folder)
        save(run, out, trainer.listener)
    return run


def _with_parts(data: DataSource | None, validation: Any, test: Any) -> DataSource | None:
    """Return the data with the parts that are given beside them."""
    if validation is None and test is None:
        return data
    if stream := stream_of(data):
        return dataset_from_stream(stream, validation, test)
    if not isinstance(data, (tuple, Mapping)):
        raise OptionError(
            "`validation_data` and `test_data` stand beside arrays or a stream: give `data` as (x, y) too"
        )
    return dataset_from_arrays(data, validation, test)


def with_validation_file(data: DataSource | None, validation: str | None) -> tuple[DataSource | None, str | None]:
    """Return the data and how a part of them is held out; a file to validate on becomes a setting of the data.

    Raises:
        OptionError: a file is named, and the data are no file.
    """
    if validation is None or validation in hold_out.MODES or not Path(validation).exists():
        return data, validation
    if not isinstance(data, (str, Path)):
        raise OptionError(f"`validation` {validation} is read as `data` is: add `data` FILE")
    return data_name.compose(str(data), {"validation": validation}), None


def pop_reading_settings(settings: dict[str, Any], recipe: Recipe | str, data: DataSource | None) -> dict[str, Any]:
    """Remove the settings that say how data are read, but for options of the recipe; return them in their order.

    The window and the horizon of a table are those of the data, which a builder takes from there.
    """
    options = set(recipe.options) if isinstance(recipe, Recipe) else set()
    is_file = isinstance(data, (str, Path)) and Path(data_name.parse(str(data))[0]).suffix.lower() in SERIES_ENDINGS
    if is_file or frames.is_frame(data):
        options -= set(SERIES_SIZES)
    of_data = datasets.known_settings() - options
    return {name: settings.pop(name) for name in tuple(settings) if name in of_data}


def _sorted_settings(recipe: Recipe | str, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings as those of a `Trainer`.

    Raises:
        OptionError: a setting that nothing has.
    """
    known = recipe.options if isinstance(recipe, Recipe) else {}
    training = {name: value for name, value in settings.items() if name in _TRAINING}
    callbacks = {name: value for name, value in settings.items() if name in _CALLBACKS}
    options = {name: value for name, value in settings.items() if name not in {*_TRAINING, *_CALLBACKS}}
    for name in options:
        if name not in known:
            nearest = suggest(name, [*_TRAINING, *_CALLBACKS, *known])
            if isinstance(recipe, Recipe) and recipe.takes_any_option:
                raise OptionError(
                    f"{name!r} is no setting{nearest}; an option that the builder collects stands in `options`"
                )
            raise OptionError(f"there is no setting {name!r}, and the recipe has no such option{nearest}")
    if callbacks:
        training["callback_options"] = CallbackOptions(**callbacks)
    if options:
        training["options"] = {**training.get("options", {}), **options}
    return training
