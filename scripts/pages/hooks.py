"""Adds the generated pages to the site: the hooks that mkdocs.yml names."""

from __future__ import annotations

import re
from pathlib import Path

import command_pages
import name_pages
import schema_pages
import textbook_pages
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parents[2]
# A link of a file beside docs/ to another one, which the site does not have.
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


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Return the text with links to the README to its page, and those to other files outside of docs/ as plain text."""
    to_docs = "../" * page.file.src_uri.count("/")
    markdown = markdown.replace(f"]({to_docs}../README.md", f"]({to_docs}{README}")
    return re.sub(rf"\[([^\]]+)\]\({re.escape(to_docs)}\.\./[^)]*\)", r"\1", markdown)


def _within_docs(name: str) -> str:
    """Return the text of a file beside docs/ as a page of the site; its links to other such files become plain text."""
    return _NOT_IN_DOCS.sub(r"\1", (ROOT / name).read_text("utf-8")).replace("](docs/", "](")
