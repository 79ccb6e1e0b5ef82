"""Show where the time of a test run goes: the folders, and the tests whose cases take longest together.

    python scripts/slow_tests.py FOLDER

FOLDER is that of `check_skips.py`; its folder `seconds` has the time of each test, setup and teardown included, in one
JSON file for each environment.
"""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

_LONGEST = 25


def sums(environments: Mapping[str, Mapping[str, float]], depth: int) -> dict[str, dict[str, float]]:
    """Return the seconds of each environment, by the part of the tests' names that is so many folders deep.

    Args:
        environments: by name, the seconds of each test.
        depth: the number of parts of a path; 0 stands for a test with all of its cases.
    """
    totals: dict[str, dict[str, float]] = defaultdict(dict)
    for environment, seconds in environments.items():
        for test, taken in seconds.items():
            function = test.partition("[")[0]
            key = "/".join(function.split("/")[:depth]) if depth else function
            totals[key][environment] = totals[key].get(environment, 0.0) + taken
    return dict(sorted(totals.items(), key=lambda item: -sum(item[1].values())))


def main(folder: Path) -> int:
    paths = sorted((folder / "seconds").glob("*.json"))
    environments = {path.stem: json.loads(path.read_text("utf-8")) for path in paths}
    for depth in (2, 0):
        print("".join(f"{name:>12}" for name in environments), "  seconds of", "folders" if depth else "tests")
        for key, seconds in list(sums(environments, depth).items())[:_LONGEST]:
            print("".join(f"{seconds.get(name, 0):12.0f}" for name in environments), f"  {key}")
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
