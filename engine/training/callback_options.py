"""Keras' own callbacks by their settings: early stopping, learning rate schedules, TensorBoard and CSV logs.

The callbacks are those of `keras.callbacks`, unchanged.
"""

from __future__ import annotations

import csv
import importlib.util
import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...backends import catalog, quiet_imports
from ...errors import OptionError, first_line
from ...functions import is_file_function, load_function, require_known, takes_arguments
from ...storage.atomic import require_writable_file, require_writable_folder, write_text
from ...storage.regular_file import read_regular
from ..runs import direction
from ..tracking import destination as destinations
from ..tracking.destination import Destination, Destinations
from .sample_settings import SampleSettings

if TYPE_CHECKING:
    import keras

Settings = Mapping[str, Any]

_EARLY_STOPPING: Settings = {
    "monitor": "val_loss",
    "mode": "auto",
    "patience": 10,
    "min_delta": 0.0,
    "restore_best": False,
}
_REDUCE_ON_PLATEAU: Settings = {
    "monitor": "val_loss",
    "mode": "auto",
    "factor": 0.1,
    "patience": 10,
    "min_delta": 1e-4,
    "cooldown": 0,
    "min_lr": 0.0,
}
# The default factor of an exponential schedule, per epoch.
_DEFAULT_DECAY = 0.95


@dataclass(frozen=True)
class CallbackOptions:
    """The options of Keras' own callbacks.

    Attributes:
        early_stopping: some of `monitor` ("val_loss"), `mode` ("max", "min", or "auto", as Keras knows it), `patience`
            (10 epochs), `min_delta` (0) and `restore_best` (False), with the default of each in parentheses; empty for
            all defaults, None for no early stopping.
        lr_schedule: `step:0.1@30,60`, `cosine`, `exponential:0.95`, or a function, or `file.py:function`, of (epoch) or
            (epoch, rate) → rate.
        reduce_on_plateau: some of `monitor` ("val_loss"), `mode` ("auto"), `factor` (0.1), `patience` (10 epochs),
            `min_delta` (1e-4), `cooldown` (0 epochs) and `min_lr` (0); empty for all defaults, None for a rate that no
            plateau lowers.
        tensorboard: the folder for TensorBoard's logs.
        csv: the file for a line of metrics per epoch.
        samples: some of `every` (1 epoch), `temperatures` ((0.5, 1, 1.5)) and `length` (200): texts that a text model
            writes after every n-th epoch into `samples.txt` in the folder of the run; empty for all defaults, None for
            no texts.
        log: the experiment trackers that the run is sent to: `mlflow`, `wandb`, `tensorboard`, each with its arguments,
            such as `mlflow:uri=http://host:5000,experiment=digits`; or a mapping from their names to their arguments.

    Raises:
        OptionError: a setting that is unknown or out of range.
    """

    early_stopping: Settings | None = None
    lr_schedule: str | Callable[..., float] | None = None
    reduce_on_plateau: Settings | None = None
    tensorboard: Path | None = None
    csv: Path | None = None
    samples: Settings | None = None
    log: Destinations = ()

    def __post_init__(self) -> None:
        if self.early_stopping is not None:
            _complete("`early_stopping`", self.early_stopping, _EARLY_STOPPING)
        if self.reduce_on_plateau is not None:
            arguments = _complete("`reduce_on_plateau`", self.reduce_on_plateau, _REDUCE_ON_PLATEAU)
            if not 0 < arguments["factor"] < 1:
                raise OptionError(
                    f"`reduce_on_plateau`: factor must be between 0 and 1, received {arguments['factor']:g}"
                )
        if self.samples is not None:
            SampleSettings.of(self.samples)
        if self.lr_schedule is not None:
            schedule(self.lr_schedule, 1)
        if self.tensorboard:
            require_writable_folder(self.tensorboard, "tensorboard")
        if self.csv:
            require_writable_file(self.csv.absolute(), "csv")
        _ = self.destinations

    def describe(self) -> dict[str, str]:
        """Return the options that change the trained weights."""
        texts = {
            "early_stopping": _describe(self.early_stopping),
            "lr_schedule": _schedule_text(self.lr_schedule),
            "reduce_on_plateau": _describe(self.reduce_on_plateau),
        }
        return {name: text for name, text in texts.items() if text is not None}

    @property
    def destinations(self) -> list[Destination]:
        """The experiment trackers that the run is sent to."""
        return destinations.parse(self.log)

    @property
    def monitors(self) -> dict[str, str]:
        """The metric that each option watches, by the option's name in messages."""
        watching = (
            ("`early_stopping`", self.early_stopping, _EARLY_STOPPING),
            ("`reduce_on_plateau`", self.reduce_on_plateau, _REDUCE_ON_PLATEAU),
        )
        return {
            option: _complete(option, settings, defaults)["monitor"]
            for option, settings, defaults in watching
            if settings is not None
        }

    @property
    def rate_options(self) -> list[str]:
        """The options that set the learning rate while the model trains."""
        return [name for name in ("lr_schedule", "reduce_on_plateau") if getattr(self, name) is not None]

    def require_metrics(self, validated: bool) -> None:
        """Raise an OptionError if a callback monitors a validation metric and there is no validation."""
        for option, monitor in self.monitors.items():
            if monitor.startswith("val_") and not validated:
                raise OptionError(f"{option}: {monitor} is not measured without a validation part: add monitor=loss")

    def build(
        self, epochs: int, first_epoch: int = 0, directions: Mapping[str, str | None] | None = None
    ) -> list[keras.callbacks.Callback]:
        """Return the callbacks.

        Args:
            epochs: of the whole run.
            first_epoch: the epoch to begin with, counted from 0; earlier ones were trained before.
            directions: which values of each metric are better, as `metric_directions` returns it; by default those of
                a model without metrics.

        Raises:
            OptionError: nobody knows which values of a watched metric are better, TensorBoard's package is not
                installed, or the CSV file exists and is no log of a run.
        """
        import keras

        callbacks: list[keras.callbacks.Callback] = []
        directions = directions or {"loss": direction.MIN}
        if self.lr_schedule is not None:
            callbacks.append(keras.callbacks.LearningRateScheduler(schedule(self.lr_schedule, epochs)))
        if self.reduce_on_plateau is not None:
            arguments = _directed("`reduce_on_plateau`", self.reduce_on_plateau, _REDUCE_ON_PLATEAU, directions)
            callbacks.append(keras.callbacks.ReduceLROnPlateau(**arguments))
        if self.early_stopping is not None:
            arguments = _directed("`early_stopping`", self.early_stopping, _EARLY_STOPPING, directions)
            arguments["restore_best_weights"] = arguments.pop("restore_best")
            callbacks.append(keras.callbacks.EarlyStopping(**arguments))
        if self.tensorboard is not None:
            callbacks.append(_tensorboard(self.tensorboard))
        if self.csv is not None:
            _truncate_csv(self.csv, first_epoch)
            self.csv.absolute().parent.mkdir(parents=True, exist_ok=True)
            callbacks.append(keras.callbacks.CSVLogger(str(self.csv), append=first_epoch > 0))
        return callbacks


def schedule(text: str | Callable[..., float], epochs: int) -> Callable[..., float]:
    """Return a function of (epoch from 0, learning rate) → learning rate for `keras.callbacks.LearningRateScheduler`.

    `step` and `exponential` multiply the rate of the previous epoch. `cosine` falls along half a cosine wave, from the
    rate of the first epoch to 0 after the last.

    Raises:
        OptionError: the text is no schedule, or the function takes other arguments.
    """
    if callable(text) or is_file_function(text):
        return _own_schedule(text if callable(text) else load_function(text), _schedule_text(text) or "")
    kind, _, rest = text.partition(":")
    if kind == "cosine" and not rest:
        return lambda epoch, rate: rate * _cosine_ratio(epoch, epochs)
    if kind == "exponential":
        decay = _parse_factor(text, rest or str(_DEFAULT_DECAY))
        return lambda epoch, rate: rate * decay if epoch else rate
    if kind == "step":
        by, at, places = rest.partition("@")
        numbers = places.split(",")
        if at and all(number.strip().isdecimal() for number in numbers):
            factor, drops = _parse_factor(text, by), {int(number) for number in numbers}
            return lambda epoch, rate: rate * factor if epoch in drops else rate
    raise OptionError(
        f"`lr_schedule` {text}: expected step:0.1@30,60, cosine, exponential, exponential:0.95 or file.py:function"
    )


def _schedule_text(text: str | Callable[..., float] | None) -> str | None:
    """Return a schedule as the record of a run has it: a function of the caller's by its name."""
    return str(getattr(text, "__name__", type(text).__name__)) if callable(text) else text


def _own_schedule(function: Callable[..., float], text: str) -> Callable[[int, float], float]:
    """Return the schedule of a user's function of (epoch, learning rate) or of (epoch), as Keras takes either.

    Args:
        text: what named the function, for messages.

    Raises:
        OptionError: it takes something else.
    """
    count = next((count for count in (2, 1) if takes_arguments(function, count)), None)
    if count is None:
        raise OptionError(f"`lr_schedule` {text}: expected a function of (epoch, rate), or of (epoch)")

    def rate_of(epoch: int, rate: float) -> float:
        try:
            value = float(function(*(epoch, rate)[:count]))
        except Exception as error:  # the function is the user's own
            reason = f"{type(error).__name__}: {first_line(error)}"
            raise OptionError(f"`lr_schedule` {text}: no learning rate for epoch {epoch + 1}: {reason}") from error
        if not 0 <= value < math.inf:
            raise OptionError(
                f"`lr_schedule` {text}: the learning rate of epoch {epoch + 1} must be 0 or more: {value}"
            )
        return value

    return rate_of


def _cosine_ratio(epoch: int, epochs: int) -> float:
    """Return the ratio of half a cosine wave at this epoch to the epoch before."""

    def wave(position: int) -> float:
        return (1 + math.cos(math.pi * position / epochs)) / 2

    return wave(epoch) / wave(epoch - 1) if epoch else 1.0


def _parse_factor(text: str, number: str) -> float:
    try:
        factor = float(number)
    except ValueError:
        factor = math.nan
    if not 0 < factor < 1:
        raise OptionError(f"`lr_schedule` {text}: the factor must be between 0 and 1, received {number!r}")
    return factor


def _complete(option: str, settings: Settings, defaults: Settings) -> dict[str, Any]:
    """Return the settings over the defaults; each value gets the type of its default."""
    require_known(option, settings, list(defaults))
    values = {**defaults, **{name: _convert(option, name, settings[name], defaults[name]) for name in settings}}
    direction.require_mode(option, values["mode"])
    return values


def _directed(
    option: str, settings: Settings, defaults: Settings, directions: Mapping[str, str | None]
) -> dict[str, Any]:
    """Return the settings over the defaults, with `max` or `min` as the mode."""
    values = _complete(option, settings, defaults)
    return {**values, "mode": direction.resolve(option, values["monitor"], values["mode"], directions)}


def _convert(option: str, name: str, value: Any, default: Any) -> Any:
    if isinstance(default, bool):
        if not isinstance(value, bool):
            raise OptionError(f"{option}: {name} must be true or false, received {value!r}")
        return value
    if isinstance(default, str):
        return str(value)
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not is_number or not 0 <= value < math.inf or value != type(default)(value):
        whole = "a whole number of " if isinstance(default, int) else ""
        raise OptionError(f"{option}: {name} must be {whole}0 or more, received {value!r}")
    return type(default)(value)


def _describe(settings: Settings | None) -> str | None:
    """Return the settings as `patience=3,restore_best=true`: the form in which run.json has always had them."""
    if settings is None:
        return None
    values = {name: value if isinstance(value, str) else json.dumps(value) for name, value in settings.items()}
    return ",".join(f"{name}={value}" for name, value in values.items())


def _tensorboard(folder: Path) -> keras.callbacks.Callback:
    import keras

    needed = ["tensorboard", *(backend.package for backend in catalog.BACKENDS if backend.serves_others)]
    missing = [package for package in needed if importlib.util.find_spec(package) is None]
    if missing:
        raise OptionError(
            f"`tensorboard`: Keras needs {' and '.join(missing)} to write these logs: "
            f"pip install {' '.join(missing)}, or use `csv` FILE"
        )
    for package in needed:
        quiet_imports.import_quietly(package)
    return keras.callbacks.TensorBoard(str(folder), write_graph=False)


def _truncate_csv(path: Path, epochs: int) -> None:
    """Cut a log after its first epochs: a resumed run writes the later ones again.

    Raises:
        OptionError: the file holds something else.
    """
    if not path.is_file() or not path.stat().st_size:
        return
    try:
        lines = read_regular(path).decode().splitlines(keepends=True)
        column = next(csv.reader(lines[:1])).index("epoch")
        rows = [line for line, row in zip(lines[1:], csv.reader(lines[1:]), strict=True) if int(row[column]) < epochs]
    except (ValueError, IndexError, StopIteration, csv.Error) as error:
        raise OptionError(f"`csv` {path}: the file exists and is no log of a run: name another file") from error
    write_text(path, "".join([*lines[:1], *rows]))
