"""What the tables in docs/ have in common that are written from a suite's results: no figure is typed by hand."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..errors import TriviumError
from ..storage.generated_section import MarkedPart
from . import results

Found = Mapping[str, Any]


def interval(found: Found, **wanted: Any) -> str:
    """The first ratio that has these values, `1.06 [0.98, 1.14]`; a dash where there is none."""
    for each in found["ratios"]:
        if wanted.items() <= each.items():
            return f"{each['ratio']:.2f} [{each['low']:.2f}, {each['high']:.2f}]"
    return "–"


def lost(found: Found) -> list[str]:
    """The lines that say what could not be measured, an empty one last; none where all was."""
    lines = [f"- {each['cell']} was lost: {each['why']}" for each in found.get("failed", [])]
    return [*lines, ""] if lines else []


def load(found: Found) -> list[str]:
    """A sentence where the machine had other things to do."""
    if not found.get("load", {}).get("busy"):
        return []
    return ["The machine was busy before: times are longer, and ratios less certain, than on a quiet one."]


def run(
    arguments: Sequence[str] | None,
    description: str | None,
    suite: str,
    make: Callable[[list[Found]], tuple[MarkedPart, str]],
    several: bool = False,
) -> int:
    """The command of a table: print it, or write it into a file between its marks; 2 where that cannot be.

    Args:
        description: the module's docstring.
        suite: whose results it takes.
        make: of results, where the table belongs and the table.
        several: whether results of several runs can be one table.
    """
    parser = argparse.ArgumentParser(description=description.splitlines()[0] if description else None)
    parser.add_argument(
        "results",
        type=Path,
        nargs="+" if several else 1,
        help=f"of `trivium bench {suite}`: its --out, or the file in it",
    )
    parser.add_argument("--write", type=Path, help="a file that has the two marks")
    asked = parser.parse_args(arguments)
    try:
        place, table = make(
            [results.read_file(path / results.FILE if path.is_dir() else path) for path in asked.results]
        )
        if asked.write:
            place.write(asked.write, table)
        else:
            print(table)
    except (TriviumError, OSError) as error:
        print(f"{parser.prog}: {error}", file=sys.stderr)
        return 2
    return 0
