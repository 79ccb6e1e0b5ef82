"""The first line of an error's message."""

import pytest

from trivium.errors import first_line

pytestmark = pytest.mark.plain


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("one", "one"),
        ("\n  one  \ntwo", "one"),
        ("", "ValueError"),
        (" \n ", "ValueError"),
        # Keras' message around the error that a layer raised.
        (
            "Exception encountered when calling Dense.call().\n\n\x1b[1mwrong shape\x1b[0m\n\nArguments received: …",
            "wrong shape",
        ),
    ],
)
def test_the_first_line_with_content_is_returned(text, line):
    assert first_line(ValueError(text)) == line


def test_a_long_line_is_truncated():
    assert first_line(ValueError("x" * 300), 200) == "x" * 200
    assert len(first_line(ValueError("x" * 300))) == 300
