"""Predictions as a table: a row for each sample, a column for each part of its answer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import OptionError
from ...storage.atomic import atomic_write, require_writable_file

if TYPE_CHECKING:
    import polars

_PARQUET = ".parquet"
_SUFFIXES = (".csv", _PARQUET)
_ANSWER = "prediction"


def to_frame(entries: Sequence[Any], places: Sequence[Mapping[str, Any]] | None = None) -> polars.DataFrame:
    """Return predictions as a data frame.

    Args:
        entries: those of `Predictions.to_json`, or forecasts.
        places: for each entry the columns that stand before it, such as the file and the number of the sample.

    Returns:
        Columns `prediction`, of a class also `probability` and, for each class, `p(class)`. An answer of several values
        has `prediction.1`, `prediction.2` and so on; of a class for each position `share(class)`; one of several
        outputs has the name of the output before each, as in `price.prediction`.
    """
    import polars

    places = places if places is not None else [{}] * len(entries)
    rows = [{**place, **dict(_cells(entry, ""))} for place, entry in zip(places, entries, strict=True)]
    return polars.DataFrame(rows, infer_schema_length=None)


def require_table_file(path: Path) -> None:
    """Check before the work that a table can be written to a file.

    Raises:
        OptionError: it has another ending than those that can be written.
        OutputError: it cannot be written.
    """
    if path.suffix.lower() not in _SUFFIXES:
        raise OptionError(f"`out`: {path} has to end in {' or '.join(_SUFFIXES)}")
    require_writable_file(path)


def write(frame: polars.DataFrame, path: Path) -> None:
    """Write a data frame as CSV or Parquet, by the ending of the path; it appears whole or not at all."""
    with atomic_write(path) as temporary:
        if path.suffix.lower() == _PARQUET:
            frame.write_parquet(temporary)
        else:
            frame.write_csv(temporary)


def _cells(entry: Any, name: str) -> Iterator[tuple[str, Any]]:
    """Yield the names and contents of the columns of an entry; `name` is that of its output with a dot, or empty."""
    if isinstance(entry, Mapping) and "probabilities" in entry:
        yield name + _ANSWER, entry["label"]
        yield f"{name}probability", entry["probability"]
        for label, probability in entry["probabilities"].items():
            yield f"{name}p({label})", probability
    elif isinstance(entry, Mapping) and "shares" in entry:
        for label, share in entry["shares"].items():
            yield f"{name}share({label})", share
    elif isinstance(entry, Mapping):
        for output, part in entry.items():
            yield from _cells(part, f"{name}{output}.")
    else:
        yield from _numbered(entry, name + _ANSWER)


def _numbered(value: Any, name: str) -> Iterator[tuple[str, Any]]:
    if not isinstance(value, list):
        yield name, value
        return
    for number, part in enumerate(value, start=1):
        yield from _numbered(part, f"{name}.{number}")
