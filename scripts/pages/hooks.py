"""Adds the generated pages to the site: the hooks that mkdocs.yml names."""

from __future__ import annotations

import re
from pathlib import Path

import command_pages
import name_pages
import schema_pages
import textbook_pages
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.plugins import event_priority
from mkdocs.structure.files import File, Files
from mkdocs.structure.nav import Navigation, Section
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parents[2]
# A link of a page in docs/ to a file that the site does not have.
_OUTSIDE = re.compile(r"\[([^\]]+)\]\(\.\./[^)]*\)")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages of the reference, the chapters of the textbook, and the changelog."""
    texts = {
        "changelog.md": (ROOT / "CHANGELOG.md").read_text("utf-8").replace("](docs/", "]("),
        **textbook_pages.pages((ROOT / "docs" / textbook_pages.PAGE).read_text("utf-8")),
        **command_pages.pages(),
        **name_pages.pages(),
        **schema_pages.pages(),
    }
    for path, text in texts.items():
        if known := files.get_file_from_path(path):
            files.remove(known)
        files.append(File.generated(config, path, content=text))
    return files


@event_priority(-100)  # after the plugin that reads docs/.nav.yml
def on_nav(nav: Navigation, config: MkDocsConfig, files: Files) -> Navigation:
    """Leave out sections that have no page yet: their tabs would lead nowhere."""
    nav.items = [item for item in nav.items if not isinstance(item, Section) or item.children]
    return nav


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Return the text with links to files outside of docs/ as plain text: the site does not have these files."""
    return markdown if "/" in page.file.src_uri else _OUTSIDE.sub(r"\1", markdown)
