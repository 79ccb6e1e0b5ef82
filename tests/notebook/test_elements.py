"""A view is HTML that needs nothing else: text is never markup, and steers nothing."""

import pytest

from trivium.notebook.elements import element, to_html
from trivium.notebook.parts import MOST_ROWS, bar, table, text_of, verdict

pytestmark = pytest.mark.plain


def test_text_and_attributes_are_escaped():
    html = to_html(element("p", "<b>&", element("i", "a"), "\x1b[31m<", title='"><script>'))
    assert '<p title="&quot;&gt;<script&gt;">&lt;b&gt;&amp;<i>a</i>\\x1b[31m&lt;</p>' in html


def test_a_view_has_a_frame_with_its_style_and_asks_for_nothing():
    html = to_html(verdict(False, "different"))
    assert html.startswith('<div class="trivium"><style>.trivium {')
    assert html.endswith('<p class="verdict different">different</p></div>')
    assert not [word for word in ("http", "url(", "@import", "<script", "<link") if word in html]


def test_nothing_stands_for_nothing():
    assert to_html(None, None).endswith("</style></div>")


def test_a_long_table_says_how_many_rows_are_left_out():
    html = to_html(table(("a", "b"), [[place, 0.123456] for place in range(MOST_ROWS + 5)], numbers=("b",)))
    assert html.count("<tr>") == MOST_ROWS + 1
    assert '<td class="number">0.1235</td>' in html
    assert "and 5 more" in html


def test_a_row_that_failed_is_marked():
    html = to_html(table(("a",), [["x"], ["y"]], failed=[False, True]))
    assert '<tr><td>x</td></tr><tr class="different"><td>y</td></tr>' in html


@pytest.mark.parametrize(("share", "percent"), [(0.25, "25.0"), (-1, "0.0"), (7, "100.0")])
def test_a_bar_stays_within_its_frame(share, percent):
    assert f'<div style="width: {percent}%">' in to_html(bar(share))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        *[(0.123456, "0.1235"), (9_999.4, "9999"), (9_999.6, "10,000"), (-452_033.2, "-452,033"), (1.5e12, "1.5e+12")],
        *[(float("inf"), "∞"), (float("nan"), "nan"), (None, ""), (7, "7"), ("a", "a")],
    ],
)
def test_numbers_in_cells_have_four_digits_or_are_written_out(value, text):
    assert text_of(value) == text
