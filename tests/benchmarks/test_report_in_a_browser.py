"""The report in a headless Chromium: it opens, draws, sorts, is readable, and requests nothing."""

import json
import time

import in_chromium
import pytest
from in_chromium import DESKTOP, PHONE, requested
from in_chromium import chromium as chromium

from trivium.benchmarks.report import charts, page, results_reader

pytestmark = [pytest.mark.plain, in_chromium.NEEDS_CHROMIUM]

SUITES = ("epochs", "pooling-vs-striding", "batch-size", "import")
_SECONDS_TO_DRAW = 30


@pytest.fixture(scope="module")
def parts(results_folder):
    return [part for part in results_reader.read(results_folder) if part.suite in SUITES]


@pytest.fixture(scope="module")
def address(parts, tmp_path_factory):
    """Of a page with some suites, one of them with a name that would run if it could."""
    (first, *others) = parts
    raw = json.loads(
        json.dumps(first.raw).replace("dense/one-hidden", "</script><script>window.ran=1</script><b id=ran>")
    )
    hostile = results_reader.ReportPart(first.suite, first.path, raw)
    path = tmp_path_factory.mktemp("page") / "report.html"
    shown = [hostile, *others]
    path.write_text(page.write(shown, [charts.draw(part) for part in shown], "In a browser"), "utf-8")
    return path.as_uri()


@pytest.fixture
def opened(chromium, address):
    """Open the page with a theme and a width, wait until it has drawn; the driver."""

    def look(theme="light", width=DESKTOP):
        in_chromium.look(chromium, address, theme, width)
        await_drawn(chromium, theme)
        return chromium

    return look


def await_drawn(chromium, theme):
    until = time.monotonic() + _SECONDS_TO_DRAW
    while chromium.execute_script("return document.documentElement.dataset.drawn") != theme:
        assert time.monotonic() < until, chromium.get_log("browser")
        time.sleep(0.05)


def test_it_draws_every_chart_without_console_messages_or_requests(opened, address, parts):
    chromium = opened()
    marks = chromium.execute_script(
        "return [...document.querySelectorAll('figure')].map(f => f.querySelectorAll('svg path, svg line').length)"
    )
    assert len(marks) == sum(len(charts.draw(part)) for part in parts)
    assert min(marks) > 3, "each has axes and marks"
    assert chromium.get_log("browser") == []
    assert {url for url in requested(chromium) if not url.startswith(("data:", "blob:"))} == {address}


def test_a_hostile_name_is_shown_and_not_run(opened):
    chromium = opened()
    assert chromium.execute_script("return [window.ran, document.getElementById('ran')]") == [None, None]
    assert "<script>window.ran=1</script>" in chromium.execute_script(
        "return document.querySelector('.answer').innerText"
    )


def test_the_content_security_policy_forbids_scripts_and_images(opened):
    chromium = opened()
    chromium.execute_script(
        "const s = document.createElement('script'); s.textContent = 'window.ran = 1'; document.body.append(s);"
        "const i = new Image(); i.src = 'http://127.0.0.1:9/x.png'; document.body.append(i);"
    )
    assert chromium.execute_script("return window.ran") is None
    messages = [entry["message"] for entry in chromium.get_log("browser")]
    assert len([line for line in messages if "Content Security Policy" in line]) == 2


def test_a_table_sorts_by_numbers_both_ways_on_a_click(opened):
    chromium = opened()

    def column():
        return chromium.execute_script(
            "return [...table.tBodies[0].rows].map(row => Number(row.cells[at].dataset.key))"
        )

    chromium.execute_script(
        "window.table = document.querySelector('table'); const heads = [...table.tHead.rows[0].cells];"
        "window.at = heads.findIndex(head => head.innerText.startsWith('steady epoch'))"
    )
    before = column()
    assert len(before) > 2
    assert before != sorted(before)
    heading = chromium.execute_script("return table.tHead.rows[0].cells[at].querySelector('button')")
    for order, expected in (("ascending", sorted(before)), ("descending", sorted(before)[::-1])):
        heading.click()
        assert column() == expected
        assert chromium.execute_script("return table.tHead.rows[0].cells[at].getAttribute('aria-sort')") == order
    words = chromium.execute_script("return table.tHead.rows[0].cells[0].querySelector('button')")
    words.click()
    first = chromium.execute_script("return [...table.tBodies[0].rows].map(row => row.cells[0].innerText)")
    assert first == sorted(first)


def test_the_open_page_follows_the_readers_theme(opened):
    chromium = opened("light")

    def colours():
        return chromium.execute_script(
            "const of = (e, what) => getComputedStyle(e)[what];"
            "return [of(document.body, 'backgroundColor'), of(document.body, 'color'),"
            " document.querySelector('figure svg .role-axis-label text').getAttribute('fill')]"
        )

    light = colours()
    in_chromium.set_theme(chromium, "dark")
    await_drawn(chromium, "dark")
    dark = colours()
    assert light[:2] == ["rgb(255, 255, 255)", "rgb(28, 36, 48)"]
    assert dark[:2] == ["rgb(20, 24, 30)", "rgb(230, 233, 238)"]
    assert light[2] != dark[2]


@pytest.mark.parametrize("width", [PHONE, DESKTOP])
def test_nothing_is_wider_than_the_screen(opened, width):
    chromium = opened(width=width)
    content, screen = chromium.execute_script("return [document.documentElement.scrollWidth, innerWidth]")
    assert content <= width == screen
    charts_wide = chromium.execute_script(
        "return [...document.querySelectorAll('figure')].map(f => f.querySelector('svg').getBoundingClientRect().right"
        " - f.getBoundingClientRect().right)"
    )
    assert max(charts_wide) <= 0


def test_the_unchanged_json_can_be_downloaded(opened, parts, tmp_path):
    chromium = opened()
    chromium.execute_cdp_cmd("Browser.setDownloadBehavior", {"behavior": "allow", "downloadPath": str(tmp_path)})
    (number, part) = next((number, part) for number, part in enumerate(parts) if part.suite == "import")
    chromium.execute_script("document.querySelectorAll('.download')[arguments[0]].click()", number)
    until = time.monotonic() + _SECONDS_TO_DRAW
    while not (tmp_path / "import.json").exists():
        assert time.monotonic() < until, list(tmp_path.iterdir())
        time.sleep(0.05)
    assert json.loads((tmp_path / "import.json").read_text()) == part.raw
