"""Generated code is broken into lines without becoming other code, and its names are no words of Python."""

import ast

import pytest

from trivium.graph.source import class_name
from trivium.graph.writing.layout import statement

pytestmark = pytest.mark.plain

LONG = "a_name_that_takes_half_of_a_line_and_more_than_that_" * 2
STATEMENTS = [
    f"y = torch.where({LONG} > 0, {LONG}, 0.5 * ({LONG} - 1.0))",
    f"y = f(0.5 * ({LONG} * (g({LONG}) + 1.0)))",
    f"y = f(({LONG},), [{LONG}], ({LONG}, {LONG}))",
    f"y = ({LONG} + 1.0)",
    f"y = ({LONG},)",
]


@pytest.mark.parametrize("text", STATEMENTS)
def test_a_broken_statement_is_the_same_statement(text):
    lines = statement(text, 0)
    assert len(lines) > 1
    assert ast.dump(ast.parse("\n".join(lines))) == ast.dump(ast.parse(text))


@pytest.mark.parametrize(
    ("name", "expected"),
    [("true", "TrueModel"), ("none", "NoneModel"), ("tensor", "TensorModel"), ("cnn_simple", "CnnSimple")],
)
def test_the_name_of_a_class_is_free(name, expected):
    assert class_name(name, {"Tensor"}) == expected
