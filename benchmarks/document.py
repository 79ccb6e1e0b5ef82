"""The command behind the tables in docs/ that are written from a suite's results: no figure is typed by hand."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..errors import DataError, TriviumError
from ..storage.generated_section import GeneratedSection
from . import results

ResultsJson = Mapping[str, Any]


def require_suite(results_json: ResultsJson, suite: str, command: str = "") -> None:
    """Raise a DataError unless results are those of a suite.

    Args:
        suite: its name in the results.
        command: the words after `trivium bench`, where they are others.

    Raises:
        DataError: they are not.
    """
    if results_json.get("suite") != suite:
        raise DataError(f"expected results of `trivium bench {command or suite}`, received {results_json.get('suite')}")


def interval(results_json: ResultsJson, **columns: Any) -> str:
    """Return the first ratio with these column values as `1.06 [0.98, 1.14]`; a dash where there is none."""
    for ratio in results_json["ratios"]:
        if columns.items() <= ratio.items():
            return f"{ratio['ratio']:.2f} [{ratio['low']:.2f}, {ratio['high']:.2f}]"
    return "–"


def failure_lines(results_json: ResultsJson) -> list[str]:
    """Return a line for each cell that was lost, then an empty line; no lines where none was."""
    lines = [f"- {failure['cell']} was lost: {failure['why']}" for failure in results_json.get("failed", [])]
    return [*lines, ""] if lines else []


def busy_remark(results_json: ResultsJson) -> list[str]:
    """Return a sentence if the machine was busy, otherwise nothing."""
    if not results_json.get("load", {}).get("busy"):
        return []
    return ["The machine was busy before: times are longer, and ratios less certain, than on a quiet one."]


def run(
    arguments: Sequence[str] | None,
    description: str | None,
    suite: str,
    make: Callable[[list[ResultsJson]], tuple[GeneratedSection, str]],
    several: bool = False,
) -> int:
    """Print a table, or write it into a file between its marks; return the exit code, 2 on an error.

    Args:
        description: the module's docstring.
        suite: the suite whose results it reads.
        make: returns the section of the document and the table, from the results.
        several: whether the results of several runs can be merged into one table.
    """
    parser = argparse.ArgumentParser(description=description.splitlines()[0] if description else None)
    parser.add_argument(
        "results",
        type=Path,
        nargs="+" if several else 1,
        help=f"The --out folder of `trivium bench {suite}`, or the file in it.",
    )
    parser.add_argument("--write", type=Path, help="A file that has the two marks.")
    options = parser.parse_args(arguments)
    try:
        section, table = make(
            [results.read_file(path / results.FILE if path.is_dir() else path) for path in options.results]
        )
        section.write_or_print(options.write, table)
    except (TriviumError, OSError) as error:
        print(f"{parser.prog}: {error}", file=sys.stderr)
        return 2
    return 0
