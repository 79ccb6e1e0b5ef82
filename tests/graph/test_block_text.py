"""Numbers that differ between the texts of blocks become parameters with sensible names."""

import pytest

from trivium.graph.writing.block_text import ParameterFinder, pattern_of

pytestmark = pytest.mark.plain

NAMES = {"Conv2d": ("channels", "filters", "size"), "zeros": ("shape",)}


def test_numbers_that_differ_become_parameters_and_multiples_of_them():
    finder = ParameterFinder(NAMES, set())
    text = finder.text([f"self.a = nn.Conv2d({n}, {4 * n}, 3)\nself.b = nn.Conv2d({4 * n}, 7, 1)" for n in (8, 16, 24)])
    assert text.text == "self.a = nn.Conv2d(channels, 4 * channels, 3)\nself.b = nn.Conv2d(4 * channels, 7, 1)"
    assert [(each.name, each.values, each.annotation) for each in text.parameters] == [("channels", (8, 16, 24), "int")]


def test_sizes_come_first_and_other_parameters_are_passed_by_name():
    finder = ParameterFinder(NAMES, {"rate"})
    finder.text([f"f(x, rate={rate})\nnn.Conv2d({width}, 3)" for rate, width in ((0.1, 2), (0.3, 5))])
    assert [each.name for each in finder.parameters] == ["channels", "rate_2"]
    assert [each.passed("1") for each in finder.parameters] == ["1", "rate_2=1"]


def test_an_option_is_written_where_a_block_needs_it():
    texts = [f"nn.Conv2d(3, 4, 1, stride=option({stride}, 1), dilation=option(1, 1), bias=False)" for stride in (1, 2)]
    assert len(set(map(pattern_of, texts))) == 1
    assert ParameterFinder(NAMES, set()).text(texts).text == "nn.Conv2d(3, 4, 1, stride=stride, bias=False)"


def test_a_product_gets_parentheses_where_it_is_part_of_an_expression():
    finder = ParameterFinder(NAMES, set())
    text = finder.text([f"jnp.zeros(({n},))\ny = x / {2 * n} - {n}" for n in (3, 5)], "self.")
    assert text.text == "jnp.zeros((self.channels,))\ny = x / (2 * self.channels) - self.channels"


def test_texts_of_another_form_have_another_pattern():
    assert pattern_of("f(x, 3)") == pattern_of("f(x, 4)")
    assert pattern_of("f(x, 3)") != pattern_of("f(x, 3.0)")
    assert pattern_of("f(x, 3)") != pattern_of("g(x, 3)")
