"""Check that a run can be resumed: only with the data, the recipe and the options that it began with."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ...data import datasets
from ...errors import OptionError
from ...functions import is_file_function
from .checkpoint import Checkpoint
from .file_names import is_within
from .signature import is_own

# Settings that may change: how long to train, and by which plan. So may the file of the model to start from, whose
# checksum counts: see `comparable_settings`.
_CHANGEABLE = ("epochs", "plan")
# A resumed run takes the command line options that the user does not repeat from its record. These options may name
# code, and only the user may decide which code runs.
_CODE = ("recipe", "lr_schedule", "data", "replace_head")
# These name a place to write to, which only the user may choose outside of the run's folder.
_PLACES = ("csv", "tensorboard")
# These may name a file to read, which the record of a run from elsewhere must not choose.
_SOURCES = ("data", "validation", "start", "recipe")


def require_same(folder: Path, record: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """Raise an OptionError that names every difference, unless a run can be resumed.

    Args:
        record: the content of `run.json`.
        now: `recipe`, `settings` and `dataset` of the session that resumes the run.
    """
    now = json.loads(json.dumps(now))
    changed = []
    if record.get("recipe") != now["recipe"]:
        changed.append(f"recipe {record.get('recipe')} → {now['recipe']}")
    before, after = comparable_settings(record["settings"]), comparable_settings(now["settings"])
    for name in dict.fromkeys([*before, *after]):
        if before.get(name) != after.get(name):
            changed.append(f"{name} {_format(before.get(name))} → {_format(after.get(name))}")
    data, data_now = record.get("dataset") or {}, now["dataset"]
    if data.get("checksum") != data_now["checksum"]:
        sums = (str(description.get("checksum"))[:8] for description in (data, data_now))
        changed.append(f"data {data.get('name')} → {data_now['name']} (checksum {' → '.join(sums)})")
    if changed:
        raise OptionError(
            f"the run in {folder} cannot be resumed, because it began with other settings: {'; '.join(changed)}. "
            "Give the settings that it began with, or another `out`"
        )


def require_epochs_left(folder: Path, record: Mapping[str, Any], checkpoint: Checkpoint | None, epochs: int) -> None:
    """Raise an OptionError unless a run of this many epochs has something left to do."""
    before = record["settings"].get("epochs")
    done = checkpoint.epoch if checkpoint else 0
    if epochs < done:
        raise OptionError(f"`epochs` {epochs}: the run in {folder} has trained {done} already")
    if record["settings"].get("lr_schedule") == "cosine" and epochs != before:
        raise OptionError(
            f"`epochs` {epochs}: the learning rate of the run in {folder} falls to 0 over {before} epochs "
            f"(cosine): to train its model further, start another run with `start` {folder}"
        )
    if record.get("state") != "finished":
        return
    if checkpoint and checkpoint.stopped:
        raise OptionError(f"the run in {folder} is finished: its early stopping ended it after {done} epochs")
    if done == epochs:
        raise OptionError(f"the run in {folder} is finished: {done} of {epochs} epochs; for more add `epochs` N")
    if checkpoint is None:
        raise OptionError(
            f"the run in {folder} is finished and has no checkpoint: to train its model further, use `start` {folder}"
        )


def previous_arguments(folder: Path, record: Mapping[str, Any], arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return the run's earlier command line options that the user has not given again, by name.

    Args:
        arguments: the options that the user has given now.

    Raises:
        OptionError: one of them names code, which a file must not decide to run, a place outside of the run's folder,
            which it must not decide to overwrite, or a file to read or a tracker to send to, if the run came from
            elsewhere.
    """
    recorded = record.get("asked")
    previous = (
        {name: value for name, value in recorded.items() if name not in arguments} if isinstance(recorded, dict) else {}
    )
    for name in _PLACES:
        place = previous.get(name)
        if place is not None and not is_within(Path(str(place)), folder):
            raise OptionError(f"the run in {folder} writes outside of its folder, into {place}: name `{name}` again")
    for name in _CODE:
        if is_file_function(str(previous.get(name, ""))):
            raise OptionError(
                f"the run in {folder} was made by the code {previous[name]}: name it again to have it run"
            )
    if not is_own(record):
        for name in _SOURCES:
            if name in previous and _names_file(name, str(previous[name])):
                raise OptionError(
                    f"the run in {folder} is not your own and reads {previous[name]}: name `{name}` again"
                )
        if previous.get("log"):
            raise OptionError(
                f"the run in {folder} is not your own and would be sent to {_listed(previous['log'])}: name `log` again"
            )
    return previous


def _listed(value: Any) -> str:
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)


def _names_file(option: str, value: str) -> bool:
    """Return whether the value of an option that may name a file does so."""
    if option == "data":
        return datasets.reads_file(value)
    if option == "validation":
        return os.path.lexists(value)
    return option == "start" or Path(value).suffix != ""


def comparable_settings(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings that must be the same in a resumed run."""
    comparable = {name: value for name, value in settings.items() if name not in _CHANGEABLE}
    if isinstance(start := comparable.get("start"), dict):
        comparable["start"] = {name: value for name, value in start.items() if name != "file"}
    return comparable


def _format(value: Any) -> str:
    return "none" if value is None else json.dumps(value).strip('"')
