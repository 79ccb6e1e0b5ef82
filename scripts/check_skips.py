"""Fail when a test was skipped in every environment of a test run: such a test tests nothing.

    python scripts/check_skips.py FOLDER

FOLDER holds one JSON file for each environment (tests/conftest.py writes them where TRIVIUM_TEST_OUTCOMES names a
folder): the outcome of each test, and the reason of each skip. What this machine lacks, and says so in `EXPLAINED`, is
listed but does not fail.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path

# Reasons that no environment of `make test` can make up for: data that are not shipped, hardware, a browser.
EXPLAINED = (
    "TRIVIUM_FULL_DATA names no folder",
    "two devices need two cores",
    "needs Chromium and its driver",
    "TensorFlow computes channels first on a GPU only",
    "TensorFlow builds no such convolution on a CPU",
)


def never_run(environments: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
    """Return the tests that ran in no environment, each with the reason of one of its skips.

    Args:
        environments: by name, the outcomes: `passed`, `failed`, or the reason of a skip, by test.
    """
    ran = {test for outcomes in environments.values() for test, outcome in outcomes.items() if outcome in _RAN}
    skipped = {
        test: outcome for outcomes in environments.values() for test, outcome in outcomes.items() if outcome not in _RAN
    }
    return {test: reason for test, reason in sorted(skipped.items()) if test not in ran}


def is_explained(reason: str) -> bool:
    return any(explanation in reason for explanation in EXPLAINED)


_RAN = ("passed", "failed")


def main(folder: Path) -> int:
    environments = {path.stem: json.loads(path.read_text("utf-8")) for path in sorted(folder.glob("*.json"))}
    if not environments:
        print(f"{folder} holds no outcomes: run the environments that test first")
        return 1
    unexplained = 0
    for test, reason in never_run(environments).items():
        unexplained += not is_explained(reason)
        print(f"{'explained' if is_explained(reason) else 'NEVER RUN'}  {test}: {reason}")
    counts = ", ".join(f"{name} {len(outcomes):,}" for name, outcomes in environments.items())
    print(f"tests by environment: {counts}; {unexplained} skipped everywhere without an explanation")
    return 1 if unexplained else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
