"""The textbook by chapter: docs/textbook.md is one file, which its tests read; the site shows a page for each chapter.

`pages` divides the text at its headings of the second level. The part before the first chapter stays `textbook.md`.
"""

from __future__ import annotations

import re

PAGE = "textbook.md"
_FENCE = re.compile(r"^(?:```|~~~)")
_FILE = re.compile(r"^<!-- file (\S+) -->\n(```\w+)$", re.MULTILINE)


def pages(text: str) -> dict[str, str]:
    """Return the Markdown of each page by its path in the site, in the order of the text.

    Args:
        text: the Markdown of docs/textbook.md.
    """
    front, *chapters = _parts(text)
    texts = {}
    while chapters and not _has_rows(chapters[0]):  # what stands before the first chapter
        front += chapters.pop(0)
    for number, chapter in enumerate(chapters, 1):
        title, _, body = chapter.removeprefix("## ").partition("\n")
        texts[f"textbook/{number}-{_slug(title)}.md"] = _in_folder(f"# {title}\n{_raised(body)}")
    links = "".join(f"- [{text.partition(chr(10))[0][2:]}]({path})\n" for path, text in texts.items())
    return {PAGE: _titled(f"{front}\n## Chapters\n\n{links}")} | {path: _titled(page) for path, page in texts.items()}


def _parts(text: str) -> list[str]:
    """Return the text divided before each heading of the second level that is not inside a block of code."""
    parts, in_code = [""], False
    for line in text.splitlines(keepends=True):
        in_code ^= bool(_FENCE.match(line))
        if line.startswith("## ") and not in_code:
            parts.append("")
        parts[-1] += line
    return parts


def _raised(body: str) -> str:
    """Return the text with each heading one level up, but for lines of code."""
    lines, in_code = [], False
    for line in body.splitlines(keepends=True):
        in_code ^= bool(_FENCE.match(line))
        lines.append(line[1:] if line.startswith("###") and not in_code else line)
    return "".join(lines)


def _has_rows(part: str) -> bool:
    return re.search(r"^\*\*\d+\.\*\* ", part, re.MULTILINE) is not None


def _in_folder(text: str) -> str:
    """Return the text with the links of a page that lies one folder deeper."""
    return re.sub(r"(\]\(|src=\")(?!https?:|#|/)", r"\1../", text)


def _titled(text: str) -> str:
    """Return the text with the name of a file above its block of code, where it is in a comment that nobody sees."""
    return _FILE.sub(r'\2 title="\1"', text)


def _slug(title: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")
