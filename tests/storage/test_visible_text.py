"""Text from a file steers nothing: its control characters are written out, and all other characters stay."""

import unicodedata

import pytest

from trivium.storage.visible_text import visible, visible_values

pytestmark = pytest.mark.plain


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b]0;title\x07", "\\x1b]0;title\\x07"),
        ("\x9b31m", "\\x9b31m"),
        ("a\rb\nc\td", "a\\rb\\nc\\td"),
        ("\x7f\b", "\\x7f\\x08"),
        ("abc\N{RIGHT-TO-LEFT OVERRIDE}fdp.exe", "abc\\u202efdp.exe"),
        ("\N{LINE SEPARATOR}\N{PARAGRAPH SEPARATOR}", "\\u2028\\u2029"),
        ("\ud800", "\\ud800"),
        ("\N{ZERO WIDTH SPACE}", "\\u200b"),
    ],
)
def test_control_characters_are_written_out(text, shown):
    assert visible(text) == shown


@pytest.mark.parametrize(
    "text", ["größer", "日本語", "\N{IDEOGRAPHIC SPACE}", "1\N{NO-BREAK SPACE}000", "می\u200cخواهم", "👩\u200d🔬"]
)
def test_all_other_characters_stay(text):
    assert visible(text) == text


def test_line_ends_stay_where_they_are_asked_for():
    assert visible("a\n\x1bb", keep="\n") == "a\n\\x1bb"


def test_no_character_that_is_shown_is_a_control():
    shown = visible("".join(map(chr, range(0x3000))))
    controls = [letter for letter in shown if unicodedata.category(letter)[0] == "C"]
    assert controls == ["\u200c", "\u200d"]


def test_values_are_shown_with_their_names():
    assert visible_values({"\x07": ["\x08", 1, None, {"a": "\n"}]}) == {"\\x07": ["\\x08", 1, None, {"a": "\\n"}]}
