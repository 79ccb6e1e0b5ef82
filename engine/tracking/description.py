"""What a tracker is told of a run when it begins: who it is, and its parameters.

All of it comes from the record of the run, so that a run that is exported later is described as one that trains.
Neither the options as they were typed nor paths of this machine are sent.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ..runs.resume_rules import comparable_settings

Parameters = Mapping[str, str | int | float | bool]

_ENVIRONMENT = ("backend", "device", "device_name", "system", "python", "threads", "matmul_precision", "versions")
_DATA = ("name", "checksum", "kind", "train", "validation", "test")
# Identities are as long as this, in hexadecimal digits.
_LENGTH = 32
# Parts with the times of a run, which tell the runs of earlier versions apart: those have no id.
_TIMED_PARTS = ("environment", "timings")


@dataclass(frozen=True)
class RunDescription:
    """What a tracker is told of a run when it begins.

    Attributes:
        identity: 32 hexadecimal digits, the same whenever this run is sent: a tracker recognises the run by it.
        name: for people.
        parameters: recipe, settings, data, backend and versions, each under a name with dots such as `options.units`.
        parent: the identity of the search that the run is a combination of; empty for none.
    """

    identity: str
    name: str
    parameters: Parameters
    parent: str = ""

    def name_or(self, name: str | None) -> str:
        """Return the name that the user gives to a run, or its own; combinations of a search have their own."""
        return name if name and not self.parent else self.name


def describe(record: Mapping[str, Any], name: str) -> RunDescription:
    """Return the description of a run.

    Args:
        record: the content of `run.json`, of the run's beginning or its end; may be from a stranger.
        name: of the run, for people.
    """
    return RunDescription(identity_of(record), name, dict(_parameters(record)))


def new_id() -> str:
    """Return a new random id for the record of a run."""
    return secrets.token_hex(_LENGTH // 2)


def id_of(record: Mapping[str, Any]) -> str:
    """Return the id in the record of a run, or one that follows from it: runs of earlier versions have none."""
    recorded = record.get("id")
    return recorded if isinstance(recorded, str) else digest({name: record.get(name) for name in _TIMED_PARTS})


def identity_of(record: Mapping[str, Any]) -> str:
    """Return 32 hexadecimal digits that tell a run from all others, and are the same after it was resumed or moved.

    They depend on the id in the record, and on recipe, settings and data. So a record from elsewhere with the id of
    another run is another run, unless it is the same training.
    """
    settings, data = record.get("settings"), record.get("dataset")
    parts = {
        "id": id_of(record),
        "recipe": record.get("recipe"),
        "settings": comparable_settings(settings) if isinstance(settings, Mapping) else None,
        "data": data.get("checksum") if isinstance(data, Mapping) else None,
    }
    return digest(parts)


def digest(parts: Mapping[str, Any]) -> str:
    """Return 32 hexadecimal digits that follow from JSON."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:_LENGTH]


def flat_parameters(values: Mapping[str, Any]) -> dict[str, str | int | float | bool]:
    """Return values of JSON under names with dots; lists are text, and null is left out."""
    return {name: each for key, value in values.items() for name, each in _flat(key, value)}


def _parameters(record: Mapping[str, Any]) -> Iterator[tuple[str, str | int | float | bool]]:
    """Yield the names and values of all parameters; lists are text."""
    yield from _flat("recipe", record.get("recipe"))
    for name, value in _mapping(record.get("settings")).items():
        yield from _flat(name, _mapping(value).get("name") if name == "plan" else value)
    for name, value in _mapping(record.get("compiled")).items():
        yield from _flat(f"compiled.{name}", value)
    for prefix, part, names in (("data.", "dataset", _DATA), ("", "environment", _ENVIRONMENT)):
        values = _mapping(record.get(part))
        for name in names:
            yield from _flat(f"{prefix}{name}", values.get(name))


def _flat(name: str, value: Any) -> Iterator[tuple[str, str | int | float | bool]]:
    if isinstance(value, Mapping):
        for key, each in value.items():
            yield from _flat(f"{name}.{key}", each)
    elif isinstance(value, (str, bool, int, float)):
        yield name, value
    elif isinstance(value, (list, tuple)) and value:
        yield name, json.dumps(value)


def _mapping(value: Any) -> Mapping[str, Any]:
    """Return a part of a record, or an empty mapping: a record may hold anything."""
    return value if isinstance(value, Mapping) else {}
