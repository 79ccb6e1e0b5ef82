"""The report as Markdown, for a README: questions, answers, tables, and links to the pictures."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from . import answers, tables
from .results_reader import ReportPart

# The characters that mean something in Markdown, or in HTML within it.
_MARKDOWN_SYNTAX = re.compile(r"([\\`*_{}\[\]<>|#~&!])")

Pictures = Mapping[Path, str]


def write(parts: Sequence[ReportPart], title: str, pictures: Sequence[Pictures], path: Path) -> str:
    """Return all parts as Markdown.

    Args:
        pictures: the picture files of each part, with the charts' titles.
        path: the file of the Markdown; links to pictures are relative to it.
    """
    lines = [f"# {escape(title)}", ""]
    for part, files in zip(parts, pictures, strict=True):
        lines += [f"## {escape(answers.question(part))}", ""]
        lines += [f"- {escape(sentence)}" for sentence in answers.answer(part)]
        lines += ["", *(f"{escape(remark)}  " for remark in answers.remarks(part)), ""]
        for table in tables.tables(part):
            lines += [f"### {table.title}", "", *_table(table), ""]
        folder = path.absolute().parent
        for file, caption in files.items():
            lines += [
                f"![{escape(caption)}](<{Path(os.path.relpath(file.absolute(), folder)).as_posix()}>)",
                "",
            ]
    return "\n".join(lines)


def escape(text: str) -> str:
    """Escape text so that Markdown shows it literally, in one line."""
    return _MARKDOWN_SYNTAX.sub(r"\\\1", " ".join(text.split()))


def _table(table: tables.Table) -> list[str]:
    numbers = [
        all(not isinstance(row[column_index].key, str) for row in table.rows)
        for column_index in range(len(table.columns))
    ]
    rule = ["---:" if number else "---" for number in numbers]
    body = [[escape(cell.text) for cell in row] for row in table.rows]
    lines = [[escape(column) for column in table.columns], rule, *body]
    return [f"| {' | '.join(line)} |" for line in lines]
