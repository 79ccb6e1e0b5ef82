"""What an error says, in a line."""

import pytest

from trivium.errors import first_line

pytestmark = pytest.mark.plain


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("one", "one"),
        ("\n  one  \ntwo", "one"),
        ("", "ValueError"),
        (" \n ", "ValueError"),
        # As Keras puts it round what a layer raised.
        (
            "Exception encountered when calling Dense.call().\n\n\x1b[1mwrong shape\x1b[0m\n\nArguments received: …",
            "wrong shape",
        ),
    ],
)
def test_the_first_line_that_says_something_is_taken(text, said):
    assert first_line(ValueError(text)) == said


def test_a_long_line_is_cut():
    assert first_line(ValueError("x" * 300), 200) == "x" * 200
    assert len(first_line(ValueError("x" * 300))) == 300
