"""Columns of formatted numbers, with separators, signs or units, are told; they were words without a hint."""

import pytest

from trivium.data.tables.formatted_numbers import formatted_number

pytestmark = pytest.mark.plain


@pytest.mark.parametrize(
    ("words", "example"),
    [
        (("1,234", "12,000", "999"), "1,234"),
        (("999", "1.234.567", "12.000,50"), "1.234.567"),
        (("5%", "12 %", "7.5%"), "5%"),
        (("$5", "$12.50", "$1,200"), "$5"),
        (("3 €", "1 200,50 €"), "3 €"),
        (("−3", "−4.5", "2"), "−3"),
        (("0xff", "0x1A"), "0xff"),
        (("1'000", "2’500"), "1'000"),
        (("red", "green"), ""),
        (("12 Main Street", "5 Hill Road"), ""),
        (("1,234", "red", "green"), ""),
        (("a1", "b2"), ""),
        ((), ""),
    ],
)
def test_most_words_are_formatted_numbers(words, example):
    assert formatted_number(words) == example
