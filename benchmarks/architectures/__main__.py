"""Port real architectures to every target, and networks of PyTorch back to Keras.

    python -m trivium.benchmarks.architectures --out runs/architectures
    python -m trivium.benchmarks.architectures.page runs/architectures --write docs/architectures.md

A stopped run goes on: what is in the folder is not measured again.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from ...errors import TriviumError
from . import measure
from .catalog import FAMILIES, architectures


def main(arguments: list[str] | None = None) -> int:
    """Measure the chosen rows; return the exit code, 2 on an error."""
    parser = argparse.ArgumentParser(
        prog="python -m trivium.benchmarks.architectures", description=(__doc__ or "").splitlines()[0]
    )
    families = ", ".join(family.name for family in FAMILIES)
    parser.add_argument("--out", type=Path, required=True, help="The folder of the results; a stopped run goes on.")
    parser.add_argument(
        "--rows", nargs="*", default=[], help=f"Families ({families}) or names such as applications/ResNet*."
    )
    parser.add_argument("--to", nargs="*", default=[], help="The columns to measure (default: all).")
    parser.add_argument("--limit", type=float, default=measure.LIMIT, help="The most seconds for a cell.")
    options = parser.parse_args(arguments)
    try:
        rows = architectures(options.rows)
        measure.measure(rows, options.out, options.to, options.limit, lambda line: print(line, flush=True))
    except (TriviumError, OSError) as error:
        print(f"{parser.prog}: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
