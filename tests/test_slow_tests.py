"""The script that shows where the time of a test run goes adds up cases, folders and environments."""

import json

import pytest
import slow_tests

TAKEN = {
    "jax": {
        "tests/cli/test_a.py::test_b[1]": 1.0,
        "tests/cli/test_a.py::test_b[2]": 2.5,
        "tests/data/test_c.py::test": 4.0,
    },
    "torch": {"tests/cli/test_a.py::test_b[1]": 3.0},
}


@pytest.mark.plain
def test_cases_and_folders_are_added_up_and_the_longest_come_first():
    assert slow_tests.sums(TAKEN, 0) == {
        "tests/cli/test_a.py::test_b": {"jax": 3.5, "torch": 3.0},
        "tests/data/test_c.py::test": {"jax": 4.0},
    }
    assert list(slow_tests.sums(TAKEN, 2)) == ["tests/cli", "tests/data"]


@pytest.mark.plain
def test_each_environment_is_a_column(tmp_path, capsys):
    (tmp_path / "seconds").mkdir()
    for name, seconds in TAKEN.items():
        (tmp_path / "seconds" / f"{name}.json").write_text(json.dumps(seconds))
    assert slow_tests.main(tmp_path) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["jax", "torch", "seconds", "of", "folders"]
    assert lines[1].split() == ["4", "3", "tests/cli"]
