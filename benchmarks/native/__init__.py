"""The same training written by hand in each framework, as an expert would without Keras.

It is the baseline for the overhead of Keras and trivium. There is one folder per framework, named like the backend,
with the same modules. Each has two loops: `Loop` is what most experts write, one step that is called from Python;
`CompiledLoop` is what the best of them write where every millisecond counts, with more of the work inside a compiled
call. Both start from the Keras model's weights and learn what Keras learns; tests/benchmarks/native/ proves it.
"""

from __future__ import annotations

import importlib
from types import ModuleType
from typing import TYPE_CHECKING

from .fit_settings import FitSettings as FitSettings
from .loop import NativeLoop as NativeLoop
from .task import BOOK as BOOK
from .task import RECIPES as RECIPES
from .task import NativeTask as NativeTask
from .turn_task import TurnLoop, TurnTask

if TYPE_CHECKING:
    import keras


def fit_settings(backend: str, model: keras.Model) -> list[FitSettings]:
    """Return the settings of `keras.Model.fit` that an expert would try on a backend for a model."""
    return _room(backend).fit_settings(model)  # type: ignore[no-any-return]


def own_step_model(backend: str) -> type[keras.Model]:
    """Return a subclass of `keras.Sequential` with a training step as Keras' guide writes it for a backend."""
    return _room(backend).own_step_model()  # type: ignore[no-any-return]


def load(backend: str, task: NativeTask, *, compiled: bool = False) -> NativeLoop:
    """Build the loop of a backend for a task, or its compiled one; this imports the framework."""
    room = _room(backend)
    return (room.CompiledLoop if compiled else room.Loop)(task)  # type: ignore[no-any-return]


def load_turns(backend: str, task: TurnTask) -> TurnLoop:
    """Build the loop of a backend that trains several networks in turn; this imports the framework."""
    return _room(backend).TurnLoop(task)  # type: ignore[no-any-return]


def _room(backend: str) -> ModuleType:
    return importlib.import_module(f".{backend}", __package__)
