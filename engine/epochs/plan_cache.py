"""What was measured of a model's plans, kept from run to run in the user's cache: `$XDG_CACHE_HOME/trivium/plans`.

One small JSON file for each model, batch size, backend and machine. It may be deleted at any time, and nothing fails
for want of it: a file that cannot be read is as good as none, one that cannot be written is left out.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import keras

from ...backends.epochs import Plan
from ...errors import OutputError
from ...storage import atomic
from . import environment
from .plan_timing import Timing

_SCHEMA = 1
# What says nothing about how fast a model is.
_IMMATERIAL = ("seed", "build_config")
_MACHINE = ("backend", "processor", "cores", "threads", "device", "device_name", "versions")

Key = Mapping[str, Any]


def folder() -> Path:
    """Where it is kept; need not exist."""
    given = Path(os.environ.get("XDG_CACHE_HOME", ""))
    return (given if given.is_absolute() else Path("~/.cache").expanduser()) / "trivium" / "plans"


def key_of(model: keras.Model, batch_size: int, plans: Sequence[Plan]) -> Key:
    """All that the times depend on: the model and how it was compiled, the batch, the machine, and the versions."""
    here = environment.describe()
    return {
        "model": fingerprint(model),
        "batch_size": batch_size,
        "plans": sorted(plan.name for plan in plans),
        **{name: here[name] for name in _MACHINE},
    }


def recall(key: Key) -> dict[str, Timing] | None:
    """What was measured under that key, by the name of the plan, or None."""
    try:
        found = json.loads(_file(key).read_text())
        timings = {name: Timing(float(t["compile"]), float(t["step"])) for name, t in found["timings"].items()}
        sound = found["schema"] == _SCHEMA and found["key"] == key and set(timings) <= set(key["plans"])
    except (OSError, ValueError, TypeError, LookupError, AttributeError, RuntimeError):
        return None
    sound = sound and all(math.isfinite(t.compile) and 0 < t.step < math.inf for t in timings.values())
    return timings if timings and sound else None


def keep(key: Key, timings: Mapping[str, Timing]) -> None:
    """Write down what was measured, as far as that can be."""
    values = {name: {"compile": timing.compile, "step": timing.step} for name, timing in timings.items()}
    try:
        atomic.write_json(_file(key), {"schema": _SCHEMA, "key": key, "timings": values})
    except (OutputError, OSError, ValueError, RuntimeError):  # a home that is read-only, full, or not there at all
        return


def fingerprint(model: keras.Model) -> str:
    """The same for models of the same layers, shapes, loss and kind of optimizer, whatever their names and weights."""
    variables = [(list(variable.shape), str(variable.dtype)) for variable in model.weights]
    optimizer = type(model.optimizer).__name__
    text = json.dumps([_config(model), variables, optimizer, _words(model.loss)], sort_keys=True, default=_words)
    return hashlib.sha256(text.encode()).hexdigest()


def _config(model: keras.Model) -> Any:
    try:
        return _material(model.get_config())
    except Exception:  # a layer of the user's own that cannot tell how it was made
        return [type(layer).__name__ for layer in model.layers]


def _material(config: Any) -> Any:
    if isinstance(config, Mapping):
        return {key: _material(value) for key, value in config.items() if key not in _IMMATERIAL}
    if isinstance(config, list | tuple):
        return [_material(value) for value in config]
    # The numbers in names, `dense_7`, count all the layers that a process has made.
    return re.sub(r"_\d+$", "", config) if isinstance(config, str) else config


def _words(value: Any) -> str:
    """A name for what JSON has no word for; nothing of where it lies in memory."""
    return value if isinstance(value, str) else getattr(value, "__name__", type(value).__name__)


def _file(key: Key) -> Path:
    digest = hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()
    return folder() / f"{digest[:32]}.json"
