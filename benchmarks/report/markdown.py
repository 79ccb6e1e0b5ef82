"""The same in Markdown, for a README: questions, answers, tables, and the pictures where they were drawn."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from . import answers, tables
from .reading import Part

# What Markdown or the HTML within it would take for its own.
_MEANT_BY_MARKDOWN = re.compile(r"([\\`*_{}\[\]<>|#~&!])")

Pictures = Mapping[Path, str]


def write(parts: Sequence[Part], title: str, pictures: Sequence[Pictures], path: Path) -> str:
    """All parts as Markdown.

    Args:
        pictures: of each part the files that its charts were drawn into, with their titles.
        path: where the text goes; pictures are named from there.
    """
    lines = [f"# {escape(title)}", ""]
    for part, drawn in zip(parts, pictures, strict=True):
        lines += [f"## {escape(answers.question(part))}", ""]
        lines += [f"- {escape(sentence)}" for sentence in answers.answer(part)]
        lines += ["", *(f"{escape(remark)}  " for remark in answers.remarks(part)), ""]
        for table in tables.tables(part):
            lines += [f"### {table.title}", "", *_table(table), ""]
        folder = path.absolute().parent
        for file, called in drawn.items():
            lines += [f"![{escape(called)}](<{Path(os.path.relpath(file.absolute(), folder)).as_posix()}>)", ""]
    return "\n".join(lines)


def escape(text: str) -> str:
    """Text that is read as it is written, in one line."""
    return _MEANT_BY_MARKDOWN.sub(r"\\\1", " ".join(text.split()))


def _table(table: tables.Table) -> list[str]:
    numbers = [all(not isinstance(row[at].key, str) for row in table.rows) for at in range(len(table.columns))]
    rule = ["---:" if number else "---" for number in numbers]
    body = [[escape(cell.text) for cell in row] for row in table.rows]
    lines = [[escape(column) for column in table.columns], rule, *body]
    return [f"| {' | '.join(line)} |" for line in lines]
