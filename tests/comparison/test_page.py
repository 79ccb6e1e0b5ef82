"""The page of a comparison: everything in it, nothing loaded, nothing run, text escaped."""

import re

import pytest

from trivium.comparison.page import write_page

pytestmark = pytest.mark.plain


@pytest.fixture
def page(report, tmp_path):
    pytest.importorskip("jinja2")
    write_page(report, tmp_path / "page.html")
    return (tmp_path / "page.html").read_text("utf-8")


def test_text_from_files_is_escaped_and_nothing_is_loaded_or_run(page):
    assert "<script" not in page
    assert "\x1b" not in page
    assert not re.search(r"https?://|src=|@import|url\(", page)
    assert "default-src 'none'" in page


def test_parts_are_coloured_and_the_first_that_differs_is_marked(page):
    boxes = re.findall(r'<g class="box ([^"]*)"><title>(\w+) ', page)
    assert boxes == [("", "x"), ("same", "conv"), ("differ first", "act"), ("differ", "out")]
    assert page.count('<polyline class="edge"') == 4


def test_values_are_told(page):
    assert "step 1: A 1, B 1" in page
    assert "a.py:build and" in page
    assert "extra.bias" in page
    assert "no counterpart" in page
    assert page.count("∞") >= 2
