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
# A link to a file that the site does not have: from a page in docs/, from one in a folder of it, and from the README.
_OUTSIDE = re.compile(r"\[([^\]]+)\]\(\.\./[^)]*\)")
_FURTHER_OUTSIDE = re.compile(r"\[([^\]]+)\]\(\.\./\.\./[^)]*\)")
_NOT_IN_DOCS = re.compile(r"\[([^\]]+)\]\((?!https?:|#|docs/)[^)]*\)")
README = "readme.md"


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages of the reference, the chapters of the textbook, and the changelog."""
    texts = {
        "changelog.md": _within_docs("CHANGELOG.md"),
        README: _within_docs("README.md"),
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
    """Return the text with links to the README to its page, and those to other files outside of docs/ as plain text."""
    depth = page.file.src_uri.count("/")
    outside = {0: _OUTSIDE, 1: _FURTHER_OUTSIDE}.get(depth)
    markdown = markdown.replace(f"]({'../' * (depth + 1)}README.md", f"]({'../' * depth}{README}")
    return outside.sub(r"\1", markdown) if outside else markdown


def _within_docs(name: str) -> str:
    """Return the text of a file beside docs/ as a page of the site; its links to other such files become plain text."""
    return _NOT_IN_DOCS.sub(r"\1", (ROOT / name).read_text("utf-8")).replace("](docs/", "](")
