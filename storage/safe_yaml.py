"""Reads YAML of plain values under a budget, counted as its parser meets them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ..errors import FileError
from .budget import DOCUMENT, YAML_VALUES, limited


def parse(content: bytes, label: str) -> Any:
    """Return the values of a YAML document; nothing of it is run.

    Aliases are refused, because a few lines with aliases can expand to gigabytes.

    Args:
        content: the text.
        label: the name of the file in messages.

    Raises:
        FileError: it is no YAML, or too large or too deep; or PyYAML is missing.
    """
    try:
        import yaml
    except ModuleNotFoundError as error:
        raise FileError(f"{label}: reading YAML needs PyYAML (pip install pyyaml), or give the JSON form") from error
    if len(content) > DOCUMENT.size:
        raise FileError(f"{label} has more than {DOCUMENT.size:,} bytes of YAML")
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the compiled one is ten times as fast
    try:
        _require_plain(yaml.parse(content, Loader=loader), label)
        return yaml.load(content, Loader=loader)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise FileError(f"{label} is not YAML, or was truncated ({' '.join(str(error).split())})") from error


def _require_plain(events: Iterable[Any], label: str) -> None:
    """Raise a FileError at the first alias, at the first value nested too deeply, and where there are too many."""
    depth = 0
    for event in limited(events, YAML_VALUES, label, "values"):
        kind = type(event).__name__
        depth += kind in ("MappingStartEvent", "SequenceStartEvent")
        depth -= kind in ("MappingEndEvent", "SequenceEndEvent")
        if kind == "AliasEvent":
            raise FileError(f"{label} holds aliases, which expand without a limit: not read")
        if depth > DOCUMENT.depth:
            raise FileError(f"{label} is nested deeper than {DOCUMENT.depth} levels: not read")
