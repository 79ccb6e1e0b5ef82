"""The size and depth of a JSON file are checked before its values are used."""

import json
from dataclasses import replace

import pytest

from trivium.errors import FileError
from trivium.storage import budget, safe_json

pytestmark = pytest.mark.plain


def test_a_value_is_read_as_it_was_written():
    value = {"a": [1, 2.5, None, "ü"], "b": {"c": True}}
    assert safe_json.parse(json.dumps(value).encode(), "a file") == value


@pytest.mark.parametrize("text", ["NaN", "[1, Infinity]", '{"a": -Infinity}', "1e999", "[-1e400]"])
def test_nan_and_infinite_numbers_are_refused(text):
    with pytest.raises(FileError, match="a file is not JSON"):
        safe_json.parse(text, "a file")


def test_keras_may_write_infinity():
    assert safe_json.parse("[Infinity]", "a file", finite=False) == [float("inf")]


@pytest.mark.parametrize("text", ["", "{", '{"a": }', '"\\ud800', "[1,]", "\x00", "1" * 5000])
def test_damaged_json_raises_a_one_line_error(text):
    with pytest.raises(FileError, match="a file is not JSON, or was truncated") as caught:
        safe_json.parse(text, "a file")
    assert "\n" not in str(caught.value)


def test_bytes_that_are_not_text_are_refused():
    with pytest.raises(FileError, match="is not JSON"):
        safe_json.parse(b"\xff\xfe\xff", "a file")


@pytest.mark.parametrize("depth", [101, 500, 100_000])
@pytest.mark.parametrize("pair", ["[]", ('{"a":', "}")])
def test_a_value_nested_too_deep_is_refused_without_a_recursion_error(depth, pair):
    with pytest.raises(FileError, match="nested deeper than 100 levels"):
        safe_json.parse(pair[0] * depth + ("1" if len(pair[0]) > 1 else "") + pair[1] * depth, "a file")


def test_a_hundred_levels_are_read():
    assert safe_json.parse("[" * 100 + "]" * 100, "a file")


def test_a_file_larger_than_the_bound_is_refused(tmp_path):
    (tmp_path / "large.json").write_text('"' + "a" * 100 + '"')
    with pytest.raises(FileError, match="51 bytes of JSON, at most 50 are read"):
        safe_json.read(tmp_path / "large.json", budget=replace(budget.DOCUMENT, size=50))


def test_the_error_names_a_missing_file(tmp_path):
    with pytest.raises(FileError, match=r"cannot read .*none.json: No such file"):
        safe_json.read(tmp_path / "none.json")


def test_walk_yields_every_node_in_order():
    assert list(safe_json.walk({"a": [1, {"b": 2}], "c": 3})) == [
        {"a": [1, {"b": 2}], "c": 3},
        [1, {"b": 2}],
        1,
        {"b": 2},
        2,
        3,
    ]
