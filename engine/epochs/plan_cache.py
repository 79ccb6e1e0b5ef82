"""Cache the timings of a model's plans from run to run, in `$XDG_CACHE_HOME/trivium/plans`.

There is one small JSON file per model, batch size, backend and machine. The cache may be deleted at any time, and a run
never fails because of it: a file that cannot be read counts as missing, and one that cannot be written is skipped.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import keras

from ...backends.epochs import Plan
from ...errors import FileError, OutputError
from ...storage import atomic, safe_json
from ...storage.user_cache import user_cache
from . import environment
from .plan_timing import Timing

_SCHEMA = 1
# Configuration entries that do not affect speed.
_IMMATERIAL = ("seed", "build_config")
_MACHINE = ("backend", "processor", "cores", "threads", "device", "device_name", "matmul_precision", "versions")

Key = Mapping[str, Any]


def folder() -> Path:
    """Return the folder of the cache, which need not exist."""
    return user_cache() / "plans"


def cache_key(model: keras.Model, batch_size: int, plans: Sequence[Plan]) -> Key:
    """Return all that the timings depend on: model, loss and optimizer, batch size, plans, machine and versions."""
    here = environment.describe()
    return {
        "model": fingerprint(model),
        "batch_size": batch_size,
        "plans": sorted(plan.name for plan in plans),
        **{name: here[name] for name in _MACHINE},
    }


def load(key: Key) -> dict[str, Timing] | None:
    """Return the timings for a key, by plan name, or None."""
    try:
        content = safe_json.read(_file(key))
        timings = {name: Timing(float(t["compile"]), float(t["step"])) for name, t in content["timings"].items()}
        valid = content["schema"] == _SCHEMA and content["key"] == key and set(timings) <= set(key["plans"])
    except (FileError, OutputError, ValueError, TypeError, LookupError, AttributeError, RuntimeError):
        return None
    valid = valid and all(math.isfinite(t.compile) and 0 < t.step < math.inf for t in timings.values())
    return timings if timings and valid else None


def store(key: Key, timings: Mapping[str, Timing]) -> None:
    """Write the timings for a key, if the cache can be written."""
    values = {name: {"compile": timing.compile, "step": timing.step} for name, timing in timings.items()}
    try:
        atomic.write_json(_file(key), {"schema": _SCHEMA, "key": key, "timings": values})
    except (OutputError, OSError, ValueError, RuntimeError):  # the home folder is read-only, full, or missing
        return


def fingerprint(model: keras.Model) -> str:
    """Return a hash of a model's layers, shapes, loss and optimizer class; names and weights do not count."""
    variables = [(list(variable.shape), str(variable.dtype)) for variable in model.weights]
    optimizer = type(model.optimizer).__name__
    text = json.dumps([_config(model), variables, optimizer, _describe(model.loss)], sort_keys=True, default=_describe)
    return hashlib.sha256(text.encode()).hexdigest()


def _config(model: keras.Model) -> Any:
    try:
        return _strip_immaterial(model.get_config())
    except Exception:  # a layer of the user's own without a working `get_config`
        return [type(layer).__name__ for layer in model.layers]


def _strip_immaterial(config: Any) -> Any:
    if isinstance(config, Mapping):
        return {key: _strip_immaterial(value) for key, value in config.items() if key not in _IMMATERIAL}
    if isinstance(config, list | tuple):
        return [_strip_immaterial(value) for value in config]
    # The number in a name such as `dense_7` counts the layers of the whole process.
    return re.sub(r"_\d+$", "", config) if isinstance(config, str) else config


def _describe(value: Any) -> str:
    """Return a name for an object that JSON cannot hold; never its address in memory."""
    return value if isinstance(value, str) else getattr(value, "__name__", type(value).__name__)


def _file(key: Key) -> Path:
    digest = hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()
    return folder() / f"{digest[:32]}.json"
