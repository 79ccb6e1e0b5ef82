"""The guide for contributors names files and commands that exist."""

import re
from pathlib import Path

import pytest

pytestmark = pytest.mark.plain

ROOT = Path(__file__).resolve().parents[1]
GUIDE = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
# In backticks, with a folder, and without a placeholder such as NAME or a star.
PATHS = sorted(set(re.findall(r"`((?:[a-z_0-9]+/)+(?:[a-z_0-9.-]+)?)`", GUIDE)))


@pytest.mark.parametrize("path", PATHS)
def test_a_file_that_the_guide_names_exists(path):
    assert (ROOT / path).exists()


def test_the_guide_tells_how_to_add_each_kind_of_part():
    assert len(PATHS) > 40
    headings = re.findall(r"^### (.+)$", GUIDE, re.MULTILINE)
    assert headings == [
        "a recipe",
        "a data source",
        "a layer to the port into source code",
        "a benchmark suite",
        "a backend",
        "a target of the port",
    ]
