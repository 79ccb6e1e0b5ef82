"""The history of results: a file with a line of JSON for each run of a suite, with its commit, date and machine.

Lines are only ever appended. A machine is its hardware and the settings that times depend on, not its name: the runners
of a continuous integration are comparable if they are alike.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ...errors import DataError
from ...storage import safe_json
from ...storage.atomic import require_writable_file, write_text

SCHEMA = 1
FILE = "history.jsonl"
# The properties of an environment that make a machine.
_MACHINE = ("processor", "cores", "memory_bytes", "affinity", "governor")
_KEYS = {"schema": int, "date": str, "machine": dict, "suite": str, "asked": dict, "rows": list}
_GIT_SECONDS = 10.0
_LARGEST = 2**28  # bytes of a file


def file_of(place: Path) -> Path:
    """Return the file of a history: `place` itself if its name ends in .jsonl, otherwise the one in that folder."""
    return place if place.suffix == ".jsonl" and not place.is_dir() else place / FILE


def require_writable(place: Path) -> None:
    """Raise an error unless a history can be continued there.

    Raises:
        DataError: the file holds something else.
        OutputError: the system refuses the file.
    """
    path = file_of(place)
    if path.exists():
        read(place)
    require_writable_file(path, "history")


def append(place: Path, results: Mapping[str, Any], folder: Path, now: datetime | None = None) -> Path:
    """Append the results of a suite to a history, and return its file.

    Args:
        results: as `Results.to_json` returns them.
        folder: in the repository whose commit is measured.
        now: the date; by default the present.

    Raises:
        OutputError: the file cannot be written.
    """
    path = file_of(place)
    entry = {
        "schema": SCHEMA,
        "date": (now or datetime.now(UTC)).isoformat(timespec="seconds"),
        **commit_of(folder),
        "machine": machine_of(results),
        "suite": results["suite"],
        "asked": results["asked"],
        "busy": bool(results.get("load", {}).get("busy")),
        "versions": _versions_of(results),
        "rows": results["rows"],
    }
    text = _text_of(path) if path.exists() else ""
    separator = "" if not text or text.endswith("\n") else "\n"
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, f"{text}{separator}{json.dumps(entry, separators=(',', ':'), allow_nan=False)}\n")
    return path


def read(place: Path) -> list[dict[str, Any]]:
    """Return the entries of a history, the oldest first.

    Raises:
        DataError: there is none, or a line is damaged or of another schema.
    """
    path = file_of(place)
    if not path.is_file():
        raise DataError(f"there is no {path}: give the --history of a `trivium bench`")
    entries = []
    for number, line in enumerate(_text_of(path).split("\n"), 1):
        if line.strip():
            entry = safe_json.parse(line, f"{path}, line {number}")
            if not isinstance(entry, dict) or any(not isinstance(entry.get(name), _KEYS[name]) for name in _KEYS):
                raise DataError(f"{path}, line {number} is no entry of `trivium bench --history`: remove it")
            if entry["schema"] != SCHEMA:
                raise DataError(f"{path}, line {number} has schema {entry['schema']!r}, this trivium reads {SCHEMA}")
            entries.append(entry)
    return sorted(entries, key=lambda entry: str(entry["date"]))


def _text_of(path: Path) -> str:
    content = safe_json.read_bytes(path, max_size=_LARGEST)
    if len(content) > _LARGEST:
        raise DataError(f"{path} has more than {_LARGEST:,} bytes: begin another history")
    return content.decode(errors="replace")


def machine_of(results: Mapping[str, Any]) -> dict[str, Any]:
    """Return what identifies the machine: its processor, cores, memory, governor and accelerators."""
    environments = [each for each in results.get("environment", {}).values() if isinstance(each, dict)]
    first = environments[0] if environments else {}
    machine = {name: first[name] for name in _MACHINE if first.get(name) is not None}
    accelerators = {str(each["device_name"]) for each in environments if each.get("device", "cpu") != "cpu"}
    return {**machine, **({"accelerators": sorted(accelerators)} if accelerators else {})}


def commit_of(folder: Path) -> dict[str, Any]:
    """Return the `commit` of the repository of a folder, and whether files differ from it (`dirty`); None for none."""
    commit = _git(folder, "rev-parse", "HEAD")
    if commit is None:
        return {"commit": None, "dirty": None}
    return {"commit": commit, "dirty": bool(_git(folder, "status", "--porcelain", "--untracked-files=no"))}


def _git(folder: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ("git", "-C", str(folder), *arguments), capture_output=True, text=True, timeout=_GIT_SECONDS, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


def _versions_of(results: Mapping[str, Any]) -> dict[str, str]:
    versions: dict[str, str] = {}
    for environment in results.get("environment", {}).values():
        versions.update(environment.get("versions") or {})
    return versions
