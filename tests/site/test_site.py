"""The site that `make docs` has built: every page is in the navigation, every link leads somewhere, nothing is loaded
from the network, and words are spelled as in a dictionary or in words.txt.
"""

import os
import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from in_chromium import NEEDS_CHROMIUM, PHONE, colours, look, requested
from in_chromium import chromium as chromium

import trivium
from trivium.cli.main import COMMANDS

pytestmark = pytest.mark.plain

ROOT = Path(__file__).resolve().parents[2]
SITE = ROOT / "build" / "site"
BUILT_NOW = "TRIVIUM_SITE_IS_BUILT"  # set where the site has just been built, so that no old one is tested
WORDS = Path(__file__).with_name("words.txt")
LOADED = {"script": "src", "img": "src", "link": "href", "iframe": "src", "source": "src"}


class Page(HTMLParser):
    """The links, the identifiers and what is loaded of a page, and its prose without code."""

    def __init__(self, path):
        super().__init__()
        self.links, self.loaded, self.identifiers, self.words, self._inside = [], [], set(), [], []
        self.feed(path.read_text("utf-8"))

    def handle_starttag(self, tag, attributes):
        named = dict(attributes)
        if tag in ("code", "script", "style", "nav", "svg", "header", "footer", "pre"):
            self._inside.append(tag)
        self.identifiers |= {named[name] for name in ("id", "name") if named.get(name)}
        if tag == "a" and named.get("href"):
            self.links.append(named["href"])
        if named.get(LOADED.get(tag, "")) and named.get("rel") not in ("canonical", "prev", "next"):
            self.loaded.append(named[LOADED[tag]])

    def handle_endtag(self, tag):
        if self._inside and self._inside[-1] == tag:
            self._inside.pop()

    def handle_data(self, data):
        if not self._inside:
            self.words.append(data)


@pytest.fixture(scope="module")
def site():
    """The pages by their path."""
    if BUILT_NOW not in os.environ:
        pytest.skip("the site is built by make docs")
    return {path.relative_to(SITE).as_posix(): Page(path) for path in sorted(SITE.rglob("*.html"))}


def test_every_page_is_in_the_navigation(site):
    index = {urlsplit(link).path for link in site["index.html"].links}
    sections = {"architectures.html", *index}
    seen = {unquote(link) for link in sections if link.endswith(".html")}
    for page in list(seen):  # the navigation of a section names its pages
        folder = Path(page).parent
        seen |= {
            (SITE / folder / unquote(urlsplit(link).path)).resolve().relative_to(SITE).as_posix()
            for link in site[page].links
            if urlsplit(link).path.endswith(".html") and not urlsplit(link).scheme
        }
    assert set(site) - seen - {"404.html"} == set()


def test_every_link_and_picture_leads_to_something_on_the_site(site):
    lost = []
    for name, page in site.items():
        for link in (*page.links, *page.loaded):
            parts = urlsplit(link)
            if parts.scheme or name == "404.html":
                continue
            target = (SITE / name).parent / unquote(parts.path) if parts.path else SITE / name
            place = target.resolve().relative_to(SITE).as_posix()
            anchor = unquote(parts.fragment)
            known = place not in site or not anchor or anchor in site[place].identifiers or anchor.startswith("__")
            if not target.is_file() or not known:
                lost.append(f"{name}: {link}")
    assert lost == []


def test_no_page_loads_anything_from_the_network(site):
    assert [(name, url) for name, page in site.items() for url in page.loaded if urlsplit(url).netloc] == []


def test_each_command_and_each_public_name_has_a_page(site):
    assert {f"reference/commands/{name}.html" for name in COMMANDS} <= set(site)
    names = [name for name in trivium.__all__ if not name.startswith("__")]
    pages = {f"reference/python/{name}{'-class' * name[0].isupper()}.html" for name in names}
    assert pages <= set(site)
    for page in pages - {"reference/python/plots.html"}:
        assert "<code>" in (SITE / page).read_text(), page
        assert "Examples:" in (SITE / page).read_text(), page


def test_words_are_spelled_as_in_a_dictionary(site):
    spelling = pytest.importorskip("spellchecker").SpellChecker()
    spelling.word_frequency.load_words(WORDS.read_text().split())
    unknown = {}
    for name, page in site.items():
        if not name.startswith(("reference/", "textbook/", "changelog")):
            words = set(re.findall(r"(?<![\w./-])[a-z]{4,}(?![\w./-])", " ".join(page.words)))
            unknown |= dict.fromkeys(spelling.unknown(words), name)
    assert unknown == {}


@NEEDS_CHROMIUM
@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("page", ["index.html", "architectures.html", "reference/commands/train.html"])
def test_a_page_fits_a_phone_and_follows_the_theme(site, chromium, page, theme):
    look(chromium, (SITE / page).as_uri(), theme, PHONE)
    assert chromium.execute_script("return document.documentElement.scrollWidth") <= PHONE
    assert (colours(chromium)[0] == "rgb(255, 255, 255)") == (theme == "light")
    assert {urlsplit(address).scheme for address in requested(chromium)} <= {"file", "data", "blob"}
    assert [entry for entry in chromium.get_log("browser") if entry["level"] == "SEVERE"] == []
