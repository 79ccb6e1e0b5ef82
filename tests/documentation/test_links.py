"""Every link of the pages leads somewhere: to a file, and to a heading of it."""

import re

import pytest
from written_tasks import DOCS, sections

PAGES = [DOCS / "tasks.md", *sorted((DOCS / "how-to").glob("*.md"))]
_LINK = re.compile(r"\]\((?!https?:)([^)#\s]*)(?:#([^)]*))?\)")
# Written in another branch.
AWAITED = {"continuous-integration.md"}

pytestmark = pytest.mark.plain


def anchors(text):
    return {re.sub(r"[^\w\- ]", "", section.title.lower()).replace(" ", "-") for section in sections(text)}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_links_of_a_page_lead_somewhere(page):
    for name, anchor in _LINK.findall(page.read_text()):
        target = (page.parent / name).resolve() if name else page
        if target.name not in AWAITED or target.exists():
            assert target.exists(), name
            assert not anchor or anchor in anchors(target.read_text()), f"{name}#{anchor}"


def test_the_readme_leads_to_the_tasks_and_each_task_page_is_named_there():
    assert "docs/tasks.md" in (DOCS.parent / "README.md").read_text()
    linked = {name for name, _ in _LINK.findall((DOCS / "tasks.md").read_text())}
    assert {f"how-to/{page.name}" for page in PAGES[1:]} <= linked
