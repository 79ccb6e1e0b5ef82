"""The README leads to the tasks, and they to each how-to page. Whether links lead somewhere is tested in tests/site."""

import re

import pytest
from written_tasks import DOCS

pytestmark = pytest.mark.plain


def test_the_readme_leads_to_the_tasks_and_each_how_to_page_is_named_there():
    assert "docs/tasks.md" in (DOCS.parent / "README.md").read_text()
    linked = set(re.findall(r"\]\(([^)#\s]+)", (DOCS / "tasks.md").read_text()))
    pages = {f"how-to/{page.name}" for page in (DOCS / "how-to").glob("*.md")}
    assert len(pages) >= 8
    assert pages <= linked
