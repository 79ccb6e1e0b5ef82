"""Numbers for people."""

import pytest

from trivium.cli.output.numbers import number, share

pytestmark = pytest.mark.plain


@pytest.mark.parametrize(
    ("probability", "shown"),
    [(0.973, "97.3%"), (0.99999, ">99.9%"), (1.0, "100.0%"), (0.0001, "<0.1%"), (0.0, "0.0%"), (None, "–")],
)
def test_a_probability_is_certain_only_if_it_is(probability, shown):
    assert share(probability) == shown


def test_a_probability_may_have_more_decimals():
    assert [share(each, 2) for each in (0.12345, 0.99996, 0.00004)] == ["12.35%", ">99.99%", "<0.01%"]


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0.362814567, "0.36281"),
        (21.5, "21.5"),
        (-2039.4178, "-2,039.4"),
        (253_411.6, "253,412"),
        (1200.0, "1,200"),
        (3.2e-7, "3.2e-07"),
        (0, "0"),
        (float("nan"), "–"),
        (None, "–"),
    ],
)
def test_a_value_has_five_digits(value, shown):
    assert number(value) == shown
