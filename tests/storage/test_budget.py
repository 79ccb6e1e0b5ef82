"""A file is compared with its budget before it is read: small files that would take minutes are refused."""

import io
import time
import zipfile
from dataclasses import replace

import pytest

from trivium.errors import DataError, FileError
from trivium.storage import budget, safe_json, safe_zip

pytestmark = pytest.mark.plain

SMALL = replace(budget.DOCUMENT, values=8, objects=4)


@pytest.mark.parametrize(
    "text",
    [
        "[" + "{}," * 3_000_000 + "{}]",
        '{"a":' + "[[]," * 50 + "[" + "[]," * 1_000_000 + "1]" + "]" * 50 + "}",
        "[" + "0," * 7_000_000 + "0]",
        '["' + '","' * 5_000_000 + '"]',
        "[" * 5_000_000,
        "{" + ",".join(f'"{number}":{{}}' for number in range(200_000)) + "}",
        '{"a":"' + "\\" * 4_999_999 + '","b":' + "[1]," * 500_000,
        '"' + '\\"' * 8_000_000,
        b"\xff\xfe" + "[[1],[2]]".encode("utf-16-le") * 500_000,
    ],
    ids=lambda text: str(text[:12]),
)
def test_json_beyond_its_budget_is_refused_in_no_time(text):
    began = time.process_time()
    with pytest.raises(FileError) as caught:
        safe_json.parse(text, "a file")
    assert len(str(caught.value)) < 200
    assert time.process_time() - began < 5


@pytest.mark.parametrize(
    "text", ['["a,b,c,d,[{", "e,f,g,h,[["]', r'["\",\",\",\",\",\",\",\"", 1]', '"[[[[[[[[,,,,,,,,,,"']
)
def test_brackets_and_commas_within_texts_are_not_counted(text):
    assert safe_json.parse(text, "a file", budget=SMALL)


@pytest.mark.parametrize(("count", "what"), [(9, "values"), (5, "lists and objects")])
def test_as_much_is_read_as_the_budget_has_and_no_more(count, what):
    item = "1" if what == "values" else "[]"
    within = "[" + ",".join([item] * (count - 2)) + "]"
    assert len(safe_json.parse(within, "a file", budget=SMALL)) == count - 2
    with pytest.raises(FileError, match=rf"a file has {count} {what}, at most {count - 1} are read"):
        safe_json.parse("[" + ",".join([item] * (count - 1)) + "]", "a file", budget=SMALL)


def test_all_objects_are_in_a_value_in_order():
    value = {"a": [{"b": 1}, 2, [{"c": {"d": 3}}]], "e": "text"}
    assert list(safe_json.objects_in(value)) == [value, {"b": 1}, {"c": {"d": 3}}, {"d": 3}]


@pytest.mark.parametrize("name", ["a/" * 32_000 + "a", "b" * 60_000])
def test_a_long_name_in_an_archive_is_refused_in_no_time(name):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for number in range(50):
            archive.writestr(f"{number}{name}", b"")
    began = time.monotonic()
    with (
        pytest.raises(FileError, match=r"the name of a member has .* characters, at most 1,000 are read"),
        safe_zip.open_checked(stream.getvalue(), "a.zip"),
    ):
        pass
    assert time.monotonic() - began < 1


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_the_last_of_many_names_that_is_in_an_archive_twice_is_named_in_no_time():
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for number in (*range(9_000), 8_999):
            archive.writestr(f"member {number}", b"")
    began = time.monotonic()
    with pytest.raises(FileError, match="'member 8999' is in it twice"), safe_zip.open_checked(stream.getvalue(), "a"):
        pass
    assert time.monotonic() - began < 2


def test_more_than_the_memory_is_refused_before_it_is_taken():
    budget.require_memory(1_000, "a row")
    with pytest.raises(DataError, match=r"a row would take 1,000,000\.0 GB, and there are .* GB of memory"):
        budget.require_memory(10**15, "a row")
