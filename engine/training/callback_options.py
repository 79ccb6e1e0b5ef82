"""Keras' own callbacks, asked for in words: when to stop, how the learning rate falls, where the metrics go.

They are `keras.callbacks` as they are; what is here is only how they are named on a command line.
"""

from __future__ import annotations

import csv
import importlib.util
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...backends import catalog
from ...errors import OptionError
from ...functions import is_file_function, load_function, suggest
from ...storage.atomic import require_place, write_text

if TYPE_CHECKING:
    import keras

Entries = dict[str, Any]

_EARLY_STOPPING: Entries = {"monitor": "val_loss", "patience": 10, "min_delta": 0.0, "restore_best": False}
_REDUCE: Entries = {
    "monitor": "val_loss",
    "factor": 0.1,
    "patience": 10,
    "min_delta": 1e-4,
    "cooldown": 0,
    "min_lr": 0.0,
}
# By how much the rate falls each epoch where a schedule does not say.
_DECAY = 0.95


@dataclass(frozen=True)
class Watching:
    """Which callbacks watch a run.

    Attributes:
        early_stopping: `monitor=val_loss,patience=10,min_delta=0,restore_best=true`, or a part of it.
        lr_schedule: `step:0.1@30,60`, `cosine`, `exponential:0.95`, or `file.py:function` of (epoch, rate) → rate.
        reduce_on_plateau: `monitor=val_loss,factor=0.1,patience=10,min_delta=1e-4,cooldown=0,min_lr=0`, or a part.
        tensorboard: the folder for TensorBoard's logs.
        csv: the file that gets a line of metrics an epoch.

    Raises:
        OptionError: words that mean nothing.
    """

    early_stopping: str | None = None
    lr_schedule: str | None = None
    reduce_on_plateau: str | None = None
    tensorboard: Path | None = None
    csv: Path | None = None

    def __post_init__(self) -> None:
        if self.early_stopping is not None:
            parse("--early-stopping", self.early_stopping, _EARLY_STOPPING)
        if self.reduce_on_plateau is not None:
            given = parse("--reduce-on-plateau", self.reduce_on_plateau, _REDUCE)
            if not 0 < given["factor"] < 1:
                raise OptionError(f"--reduce-on-plateau: factor must be between 0 and 1, received {given['factor']:g}")
        if self.lr_schedule is not None:
            schedule(self.lr_schedule, 1)
        for place in (self.tensorboard, self.csv and self.csv.absolute().parent):
            if place:
                require_place(place)

    def describe(self) -> dict[str, str]:
        """What of it changes the weights that come out."""
        given = {
            "early_stopping": self.early_stopping,
            "lr_schedule": self.lr_schedule,
            "reduce_on_plateau": self.reduce_on_plateau,
        }
        return {name: text for name, text in given.items() if text is not None}

    def require_metrics(self, validated: bool) -> None:
        """Raise an OptionError when a callback would wait for a validation that there is not."""
        for option, text, known in (
            ("--early-stopping", self.early_stopping, _EARLY_STOPPING),
            ("--reduce-on-plateau", self.reduce_on_plateau, _REDUCE),
        ):
            monitor = parse(option, text, known)["monitor"] if text is not None else ""
            if monitor.startswith("val_") and not validated:
                raise OptionError(f"{option}: {monitor} is not measured without a validation part: add monitor=loss")

    def build(self, epochs: int, begin: int = 0) -> list[keras.callbacks.Callback]:
        """The callbacks.

        Args:
            epochs: of the whole run.
            begin: how many of them were run already.

        Raises:
            OptionError: TensorBoard's package is not installed, or the CSV file is something else.
        """
        import keras

        built: list[keras.callbacks.Callback] = []
        if self.lr_schedule is not None:
            built.append(keras.callbacks.LearningRateScheduler(schedule(self.lr_schedule, epochs)))
        if self.reduce_on_plateau is not None:
            given = parse("--reduce-on-plateau", self.reduce_on_plateau, _REDUCE)
            built.append(keras.callbacks.ReduceLROnPlateau(**given))
        if self.early_stopping is not None:
            given = parse("--early-stopping", self.early_stopping, _EARLY_STOPPING)
            given["restore_best_weights"] = given.pop("restore_best")
            built.append(keras.callbacks.EarlyStopping(**given))
        if self.tensorboard is not None:
            built.append(_tensorboard(self.tensorboard))
        if self.csv is not None:
            _cut_csv(self.csv, begin)
            built.append(keras.callbacks.CSVLogger(str(self.csv), append=begin > 0))
        return built


def parse(option: str, text: str, known: Mapping[str, Any]) -> Entries:
    """`monitor=val_loss,patience=3` over the values that hold without it; each becomes what its default is.

    Raises:
        OptionError: an unknown word, or a value that cannot be.
    """
    found = dict(known)
    for entry in text.split(",") if text else []:
        name, equals, value = entry.strip().partition("=")
        if name not in known or not equals:
            raise OptionError(
                f"{option} {text}: {entry.strip()!r} is not one of {', '.join(known)} with a value"
                f"{suggest(name, list(known))}"
            )
        found[name] = _value(option, name, value, known[name])
    return found


def schedule(text: str, epochs: int) -> Callable[..., float]:
    """A function of (epoch from 0, learning rate) → learning rate, as `keras.callbacks.LearningRateScheduler` takes.

    `step` and `exponential` multiply the rate that the epoch before had; `cosine` falls along half a wave from the
    first epoch's rate to nothing after the last.

    Raises:
        OptionError: words that mean nothing.
    """
    if is_file_function(text):
        function: Callable[..., float] = load_function(text)
        return lambda epoch, rate: float(function(epoch, rate))
    kind, _, rest = text.partition(":")
    if kind == "cosine" and not rest:
        return lambda epoch, rate: rate * _ratio(epoch, epochs)
    if kind == "exponential":
        decay = _factor(text, rest or str(_DECAY))
        return lambda epoch, rate: rate * decay if epoch else rate
    if kind == "step":
        by, at, places = rest.partition("@")
        numbers = places.split(",")
        if at and all(number.strip().isdecimal() for number in numbers):
            factor, falls = _factor(text, by), {int(number) for number in numbers}
            return lambda epoch, rate: rate * factor if epoch in falls else rate
    raise OptionError(
        f"--lr-schedule {text}: expected step:0.1@30,60, cosine, exponential, exponential:0.95 or file.py:function"
    )


def _ratio(epoch: int, epochs: int) -> float:
    """By what half a cosine wave falls from the epoch before to this one."""

    def height(place: int) -> float:
        return (1 + math.cos(math.pi * place / epochs)) / 2

    return height(epoch) / height(epoch - 1) if epoch else 1.0


def _factor(text: str, word: str) -> float:
    try:
        factor = float(word)
    except ValueError:
        factor = math.nan
    if not 0 < factor < 1:
        raise OptionError(f"--lr-schedule {text}: the factor must be between 0 and 1, received {word!r}")
    return factor


def _value(option: str, name: str, text: str, default: Any) -> Any:
    if isinstance(default, bool):
        if text not in ("true", "false"):
            raise OptionError(f"{option}: {name} must be true or false, received {text!r}")
        return text == "true"
    if isinstance(default, str):
        return text
    try:
        value = type(default)(text)
    except ValueError:
        value = math.nan
    if not 0 <= value < math.inf:
        raise OptionError(f"{option}: {name} must be 0 or more, received {text!r}")
    return value


def _tensorboard(folder: Path) -> keras.callbacks.Callback:
    import keras

    needed = ["tensorboard", *(backend.package for backend in catalog.BACKENDS if backend.always_imported)]
    missing = [package for package in needed if importlib.util.find_spec(package) is None]
    if missing:
        raise OptionError(
            f"--tensorboard: Keras needs {' and '.join(missing)} to write these logs: "
            f"pip install {' '.join(missing)}, or use --csv FILE"
        )
    return keras.callbacks.TensorBoard(str(folder), write_graph=False)


def _cut_csv(path: Path, epochs: int) -> None:
    """Leave a log's first epochs: a run that goes on from a checkpoint writes the later ones again."""
    if not path.is_file() or not epochs:
        return
    try:
        lines = path.read_text().splitlines(keepends=True)
        column = next(csv.reader(lines[:1])).index("epoch")
        kept = [line for line, row in zip(lines[1:], csv.reader(lines[1:]), strict=True) if int(row[column]) < epochs]
    except (ValueError, IndexError, StopIteration, csv.Error) as error:
        raise OptionError(f"--csv {path}: it is there already and is no log of a run: name another file") from error
    write_text(path, "".join([*lines[:1], *kept]))
