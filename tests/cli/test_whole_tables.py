"""Tables on narrow terminals and in pipes: nothing that a reader has to type, or to copy, is cut off."""

import re

import pytest
from rich.console import Console

from trivium.cli import common

pytestmark = pytest.mark.plain

ROWS = [
    ("runs/cnn-striding-batchnorm-of-monday", "functional/digit-or-not", "tensorflow", "finished", "120/120"),
    ("runs/x", "somewhere/with/a/long/path/my_model.py:build", "jax", "interrupted", "1/3"),
]
HEADINGS = ("run", "recipe", "backend", "state", "epochs")


def shown(width, table):
    screen = Console(width=width, highlight=False)
    with screen.capture() as text:
        screen.print(table)
    return text.get()


def filled(**settings):
    table = common.table(*HEADINGS, right=("epochs",), **settings)
    for row in ROWS:
        table.add_row(*row)
    return table


@pytest.mark.parametrize("width", [160, 100, 80, 60])
def test_no_terminal_cuts_a_word(width):
    lines = shown(width, filled()).splitlines()
    words = {word for line in lines for word in line.split()}
    assert {*HEADINGS, *(cell for row in ROWS for cell in row)} <= words
    assert max(map(len, lines)) <= width


def test_a_terminal_narrower_than_a_word_folds_it():
    text = shown(20, filled())
    assert "…" not in text
    assert "".join(ROWS[0][0].split()) in re.sub(r"\s", "", text)


def test_a_narrow_terminal_has_a_block_of_lines_for_each_row():
    first = shown(60, filled()).split("\n\n")[0]
    assert dict(line.split() for line in first.splitlines()) == dict(zip(HEADINGS, ROWS[0], strict=True))


def test_optional_columns_are_left_out_first_and_named():
    text = shown(115, filled(optional=("epochs", "state")))
    assert "120/120" not in text
    assert "interrupted" in text
    assert text.splitlines()[-1] == "A wider terminal also shows: epochs."
    both = shown(104, filled(optional=("epochs", "state"))).splitlines()
    assert both[-1] == "A wider terminal also shows: epochs, state."
    assert sum(ROWS[1][1] in line for line in both) == 1, "a table still"


def test_a_pipe_has_each_row_in_one_line(capsys):
    table = common.table("name", "what it is")
    table.add_row("cnn/striding", "a sentence " * 40)
    common.console().print(table)
    (line,) = (line for line in capsys.readouterr().out.splitlines() if "cnn/striding" in line)
    assert line.count("a sentence") == 40
