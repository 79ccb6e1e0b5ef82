"""The model that a worker loaded last. One port reads, predicts with and trains the same file, in calls of their own.

Loading a deep network takes longer than most of these calls: Keras builds its layers one by one. One model is kept, as
long as its file is unchanged. A caller that changes the model takes it away, so that no other call meets the changes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..backends import runtime

if TYPE_CHECKING:
    import keras

Load = Callable[[str], "keras.Model"]

# The name of a file and what the system says of its content. A checksum would take as long as loading the model.
_Version = tuple[str, int, int, int, int]


@dataclass(frozen=True)
class _Loaded:
    """A model, the file that it is from, and how to restore the states of its random generators."""

    version: _Version
    model: keras.Model
    restore: Callable[[], None]


_last: _Loaded | None = None


def share(path: str, load: Load) -> keras.Model:
    """Return the model in a file, as it was loaded. The caller must not change it.

    Args:
        path: a bundle or a model file.
        load: builds the model.
    """
    global _last
    version = _version(path)
    if _last is None or _last.version != version:
        _last = None  # free the memory first
        model = load(path)
        _last = _Loaded(version, model, runtime.snapshot(rng_variables(model)))
    _last.restore()
    return _last.model


def take(path: str, load: Load) -> keras.Model:
    """Return the model in a file, as it was loaded, for a caller that may change it. It is kept no longer."""
    global _last
    model = share(path, load)
    _last = None
    return model


def rng_variables(model: keras.Model) -> list[keras.Variable]:
    """Return the states of a model's random generators: its variables that are not weights."""
    weights = {id(weight) for weight in model.weights}
    return [variable for variable in model.variables if id(variable) not in weights]


def _version(path: str) -> _Version:
    facts = Path(path).stat()
    return str(Path(path).resolve()), facts.st_ino, facts.st_size, facts.st_mtime_ns, facts.st_ctime_ns
