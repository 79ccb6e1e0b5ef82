"""The page of a comparison in a headless Chromium: it is readable on every screen, and requests and runs nothing."""

import in_chromium
import pytest
from in_chromium import DESKTOP, PHONE
from in_chromium import chromium as chromium

from trivium.comparison.page import write_page

pytestmark = [pytest.mark.plain, in_chromium.NEEDS_CHROMIUM]


@pytest.fixture
def address(report, tmp_path):
    pytest.importorskip("jinja2")
    write_page(report, tmp_path / "page.html")
    return (tmp_path / "page.html").as_uri()


def test_it_requests_nothing_and_logs_nothing(chromium, address):
    in_chromium.look(chromium, address)
    assert chromium.get_log("browser") == []
    assert in_chromium.requested(chromium) == {address}
    assert "different" in chromium.title
    assert chromium.execute_script("return document.scripts.length") == 0


@pytest.mark.parametrize("width", [PHONE, DESKTOP])
def test_nothing_is_wider_than_the_screen(chromium, address, width):
    in_chromium.look(chromium, address, width=width)
    content, screen = chromium.execute_script("return [document.documentElement.scrollWidth, innerWidth]")
    assert content <= width == screen


def test_parts_are_drawn_in_their_order_and_tell_their_values(chromium, address):
    in_chromium.look(chromium, address)
    boxes = chromium.execute_script(
        "return [...document.querySelectorAll('.box')].map(b => [b.querySelector('rect').getBoundingClientRect().top,"
        " b.querySelector('rect').getBoundingClientRect().width, b.querySelector('title').textContent])"
    )
    tops = [top for top, _, _ in boxes]
    assert tops == sorted(tops)
    assert all(width > 100 for _, width, _ in boxes)
    assert any("allowed 1.0e-05" in text for _, _, text in boxes)


def test_it_follows_the_readers_theme(chromium, address):
    in_chromium.look(chromium, address, "light")
    light = in_chromium.colours(chromium)
    in_chromium.set_theme(chromium, "dark")
    assert light == ["rgb(255, 255, 255)", "rgb(28, 36, 48)"]
    assert in_chromium.colours(chromium) == ["rgb(20, 24, 30)", "rgb(230, 233, 238)"]
