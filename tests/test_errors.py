"""The first line of an error's message, and what a notebook shows of an error."""

import linecache

import pytest

from trivium.errors import BackendError, first_line

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


def test_a_notebook_shows_the_callers_line_and_the_message_alone():
    source = "import trivium\ntrivium.use('nosuch')\n"
    linecache.cache["<cell>"] = len(source), None, source.splitlines(keepends=True), "<cell>"
    with pytest.raises(BackendError) as refused:
        exec(compile(source, "<cell>", "exec"), {})
    # This test lies in trivium's own folder, but a notebook does not.
    refused.value.__traceback__ = refused.value.__traceback__.tb_next
    called, message = refused.value._render_traceback_()
    assert called == "line 2: trivium.use('nosuch')"
    assert message.startswith("BackendError: unknown backend 'nosuch'")
