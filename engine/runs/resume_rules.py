"""Whether a run can go on: with the data, the recipe and the options that it began with, or not at all."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ...errors import OptionError
from ...functions import is_file_function
from .checkpoint import Checkpoint

# They may be others than before: how long to train, how an epoch's steps are run, and where the start was read from.
_FREE = ("epochs", "plan")
# What `trivium train` was asked for and is taken from the run when it is not asked for again. Words that name code are
# only ever taken from the user.
_CODE = ("recipe", "lr_schedule")


def require_same(folder: Path, record: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """Raise an OptionError, which names what changed, unless a run can go on.

    Args:
        record: what the run's `run.json` holds.
        now: the same of the run that is to go on: `recipe`, `settings`, `dataset`.
    """
    now = json.loads(json.dumps(now))
    changed = []
    if record.get("recipe") != now["recipe"]:
        changed.append(f"recipe {record.get('recipe')} → {now['recipe']}")
    before, after = _comparable(record["settings"]), _comparable(now["settings"])
    for name in dict.fromkeys([*before, *after]):
        if before.get(name) != after.get(name):
            changed.append(f"{name} {_shown(before.get(name))} → {_shown(after.get(name))}")
    data, data_now = record.get("dataset") or {}, now["dataset"]
    if data.get("checksum") != data_now["checksum"]:
        sums = (str(each.get("checksum"))[:8] for each in (data, data_now))
        changed.append(f"data {data.get('name')} → {data_now['name']} (checksum {' → '.join(sums)})")
    if changed:
        raise OptionError(
            f"the run in {folder} cannot go on, because it was begun otherwise: {'; '.join(changed)}. "
            "Give what it began with, or another --out"
        )


def require_more(folder: Path, record: Mapping[str, Any], begin: Checkpoint | None, epochs: int) -> None:
    """Raise an OptionError unless there is something left to do in a run of so many epochs."""
    before = record["settings"].get("epochs")
    done = begin.epoch if begin else 0
    if epochs < done:
        raise OptionError(f"--epochs {epochs}: the run in {folder} has trained {done} already")
    if record["settings"].get("lr_schedule") == "cosine" and epochs != before:
        raise OptionError(
            f"--epochs {epochs}: the learning rate of the run in {folder} falls to nothing over {before} epochs "
            "(cosine); further ones are a run of their own: --from"
        )
    if record.get("state") != "finished":
        return
    if begin and begin.stopped:
        raise OptionError(f"the run in {folder} is finished: its early stopping ended it after {done} epochs")
    if done == epochs:
        raise OptionError(f"the run in {folder} is finished: {done} of {epochs} epochs; for more add --epochs N")
    if begin is None:
        raise OptionError(f"the run in {folder} is finished and has kept no checkpoint: --from {folder} goes on")


def asked_before(folder: Path, record: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """What the run was asked for and is not asked for again now, by the option's name.

    Raises:
        OptionError: it was asked for something that names code, which a file must not decide to run.
    """
    asked = record.get("asked")
    found = {name: value for name, value in asked.items() if name not in given} if isinstance(asked, dict) else {}
    for name in _CODE:
        if is_file_function(str(found.get(name, ""))):
            raise OptionError(f"the run in {folder} was made by the code {found[name]}: name it again to have it run")
    return found


def _comparable(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings without what may differ, nothing and empty words alike."""
    found = {name: value for name, value in settings.items() if name not in _FREE}
    if isinstance(start := found.get("start"), dict):
        found["start"] = {name: value for name, value in start.items() if name != "file"}
    return found


def _shown(value: Any) -> str:
    return "none" if value is None else json.dumps(value).strip('"')
