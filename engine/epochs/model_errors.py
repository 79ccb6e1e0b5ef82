"""Tells what Keras or a framework raises while it computes a user's model in one line that names the part at fault.

An error of trivium's own code stays as it is: it is a bug. So does one of the caller's own callbacks.
"""

from __future__ import annotations

import contextlib
import sysconfig
import traceback
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import keras

from ...backends import keras_internals
from ...errors import ModelError, OptionError, TriviumError, first_line

_PACKAGE = __name__.partition(".")[0]
# Keras' own callbacks that call others, or a user's functions.
_HOLDERS = (keras.callbacks.CallbackList, keras.callbacks.LambdaCallback)
# Parts of trivium that a framework calls in order to compute a model: an error below them is not theirs.
_COMPUTING = (f"{_PACKAGE}.backends.", f"{_PACKAGE}.models.")


@contextlib.contextmanager
def as_model_errors(name: str) -> Iterator[None]:
    """Tell an error of the model, its loss or a metric as a ModelError, and one of Keras' callbacks as an OptionError.

    Args:
        name: of the recipe, for the message.
    """
    try:
        with _whole_tracebacks():
            yield
    except (TriviumError, MemoryError):
        raise
    except Exception as error:
        frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
        reason = f"{type(error).__name__}: {first_line(error)}".replace("`", "'")  # ours name options
        callback = _callback(frames)
        if keras_internals.is_keras_own(type(callback)) and not isinstance(callback, _HOLDERS):
            raise OptionError(f"`callbacks`: {type(callback).__name__} cannot go on: {reason}") from error
        if not _is_of_the_model(frames):
            raise
        part, is_metric = _part(frames)
        remedy = "; leave it out, or take one for such outputs and targets" if is_metric else ""
        raise ModelError(f"{name}: {part} cannot be computed: {reason}{_place(error)}{remedy}") from error


@contextlib.contextmanager
def _whole_tracebacks() -> Iterator[None]:
    """Keep Keras from removing its own frames, which tell the part of the model."""
    is_filtered = keras.config.is_traceback_filtering_enabled()
    keras.config.disable_traceback_filtering()
    try:
        yield
    finally:
        if is_filtered:
            keras.config.enable_traceback_filtering()


def failed_at_end(error: Exception, callbacks: list[keras.callbacks.Callback]) -> keras.callbacks.Callback | None:
    """Return the callback in whose `on_train_end` an error was raised; None for another error."""
    for frame, _ in traceback.walk_tb(error.__traceback__):
        owner = frame.f_locals.get("self")
        if frame.f_code.co_name == "on_train_end" and any(owner is callback for callback in callbacks):
            return owner
    return None


def _is_of_the_model(frames: list[FrameType]) -> bool:
    """Return whether Keras or the user's code raised an error, and no callback."""
    if _callback(frames) is not None:
        return False
    own = [place for place, frame in enumerate(frames) if _is_trivium(frame)]
    below = frames[own[-1] + 1 :] if own else frames
    return any(_is_of_keras(frame) or _is_of_the_user(frame) for frame in below)


def _callback(frames: list[FrameType]) -> keras.callbacks.Callback | None:
    """Return the callback in which an error was raised."""
    owners = (frame.f_locals.get("self") for frame in reversed(frames))
    return next((owner for owner in owners if isinstance(owner, keras.callbacks.Callback)), None)


def _is_trivium(frame: FrameType) -> bool:
    return _is_of_the_package(frame) and not _module_of(frame).startswith(_COMPUTING)


def _is_of_the_package(frame: FrameType) -> bool:
    # By the name of the module: in a clone, an environment and a user's files may lie in the folder of the package.
    return _module_of(frame).partition(".")[0] == _PACKAGE


def _module_of(frame: FrameType) -> str:
    return str(frame.f_globals.get("__name__", ""))


def _is_of_keras(frame: FrameType) -> bool:
    return keras_internals.is_keras_module(_module_of(frame))


def _is_of_the_user(frame: FrameType) -> bool:
    """Return whether code stands in no installed package, nor in Python or trivium."""
    path = Path(frame.f_code.co_filename)
    installed = [Path(sysconfig.get_path(kind)) for kind in ("stdlib", "purelib", "platlib")]
    is_installed = _is_of_the_package(frame) or any(path.is_relative_to(folder) for folder in installed)
    return path.is_absolute() and not is_installed


def _part(frames: list[FrameType]) -> tuple[str, bool]:
    """Describe the innermost part of the model in whose methods an error was raised, and whether it is a metric."""
    for frame in reversed(frames):
        part: Any = frame.f_locals.get("self")
        if isinstance(part, keras_internals.compiled_parts()):
            return ("its loss", False) if isinstance(part, keras.Loss) else ("its metrics", False)
        for kind, called in ((keras.Loss, "the loss"), (keras.Metric, "the metric"), (keras.Layer, "the layer")):
            if isinstance(part, kind) and not isinstance(part, keras.Model):
                return f"{called} {part.name} ({type(part).__name__})", kind is keras.Metric
    return "the model", False


def _place(error: Exception) -> str:
    """Return the line of the user's code at which an error was raised; empty where it was raised elsewhere."""
    steps = [step for step in traceback.walk_tb(error.__traceback__) if _is_of_the_user(step[0])]
    if not steps:
        return ""
    frame, line = steps[-1]
    return f" ({Path(frame.f_code.co_filename).name}, line {line}, in {frame.f_code.co_name})"
