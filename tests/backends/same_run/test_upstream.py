"""Each report for another project has a script, which must still find the error that trivium corrects."""

import subprocess
import sys
from pathlib import Path

import pytest

from trivium.backends import catalog

REPORTS = Path(__file__).parents[3] / "docs" / "upstream"
SCRIPTS = sorted(REPORTS.glob("*.py"))


def test_every_report_has_a_script_and_an_entry_in_the_list():
    entries = (REPORTS / "README.md").read_text("utf-8")
    for report in REPORTS.glob("*-*.md"):
        assert report.with_name(f"{report.stem.replace('-', '_')}.py") in SCRIPTS
        assert f"[{report.stem}]({report.name})" in entries


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)
def test_the_error_of_a_report_is_still_there(script):
    """If this fails, the correction that the report names can go."""
    backend = catalog.selected().name
    backends = {each.name for each in catalog.BACKENDS} & set(script.stem.split("_"))
    if backends and backend not in backends:
        pytest.skip(f"for the backend of the report, not {backend}")
    finished = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=120)
    assert finished.returncode == 0, finished.stdout + finished.stderr
