"""Paths that the operating system refuses: one line and exit code 2, whatever the command."""

import pytest

pytestmark = pytest.mark.plain

LONG = "a" * 300


@pytest.mark.parametrize(
    "arguments",
    [
        ("inspect", LONG),
        ("inspect", f"{LONG}.keras"),
        ("runs", "show", LONG),
        ("report", LONG),
        ("data", f"{LONG}.npz"),
        ("data", f"{LONG}.csv"),
        ("data", LONG),
        ("data", "/dev/zero.csv"),
        ("train", f"{LONG}.py:build"),
    ],
)
def test_a_name_that_is_too_long_is_refused(cli, arguments):
    shown = cli(*arguments)
    assert shown.code == 2
    assert len(shown.err.splitlines()) == 1


def test_control_characters_in_a_name_are_not_printed(cli):
    shown = cli("inspect", "\x1b[31mred.keras")
    assert shown.code == 2
    assert "\x1b" not in shown.err
