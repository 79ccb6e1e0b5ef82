"""Read docs/textbook.md: its preparation, and its rows with what each does and what must come out."""

import re
from dataclasses import dataclass
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "textbook.md"
CHAPTERS = {"B1": range(1, 37), "B2": range(37, 91), "B3": range(91, 150)}

_ROW = re.compile(r"^\*\*(\d+)\.\*\* ", re.MULTILINE)
_BLOCK = re.compile(r"(?:<!-- (?P<mark>[^>]+) -->\n)?```(?P<kind>\w+)\n(?P<code>.*?)```", re.DOTALL)
_NAMED = re.compile(r"`([^`]+)`")


@dataclass(frozen=True)
class Block:
    """A block of code.

    Attributes:
        kind: `sh`, `python`, or another language.
        code: its text.
        file: the file that it is written to, instead of being run; or empty.
    """

    kind: str
    code: str
    file: str


@dataclass(frozen=True)
class Row:
    """What a reader of the chapters does.

    Attributes:
        number: 1 to 149.
        title: one sentence, in Markdown.
        blocks: in their order.
        makes: files that are there in the end.
        prints, says: what the commands write to standard output, and to standard error.
        is_slow: whether it takes more than some seconds.
        needs: a package that is not in every environment, or empty.
    """

    number: int
    title: str
    blocks: tuple[Block, ...]
    makes: tuple[str, ...]
    prints: tuple[str, ...]
    says: tuple[str, ...]
    is_slow: bool
    needs: str

    @property
    def chapter(self) -> str:
        return next(chapter for chapter, numbers in CHAPTERS.items() if self.number in numbers)


def preparation(text: str) -> tuple[Block, ...]:
    """Return the blocks of the section `Before you begin`."""
    return _blocks(text.partition("## Before you begin")[2].partition("\n## ")[0])


def rows(text: str) -> list[Row]:
    """Return the rows of the page, in their order."""
    _, *parts = _ROW.split(text)
    return [_row(int(number), part) for number, part in zip(parts[::2], parts[1::2], strict=True)]


def _row(number: int, text: str) -> Row:
    text = re.split(r"^#+ ", re.sub(r"```.*?```", _hide_headings, text, flags=re.DOTALL), flags=re.MULTILINE)[0]
    text = text.replace("\0", "#")
    plain = _BLOCK.sub("", text)
    needs = re.search(r"<!-- needs (\w+) -->", text)
    return Row(
        number,
        text.split("\n\n")[0].replace("\n", " ").strip(),
        _blocks(text),
        *(_named(word, plain) for word in ("Makes", "Prints", "Says")),
        is_slow="<!-- slow -->" in text,
        needs=needs[1] if needs else "",
    )


def _hide_headings(block: re.Match[str]) -> str:
    """Return a block with its comments out of the way of headings."""
    return block[0].replace("#", "\0")


def _named(word: str, text: str) -> tuple[str, ...]:
    """Return what stands in backquotes after a word, up to the full stop."""
    sentences = re.findall(rf"^.*?\b{word} ((?:`[^`]+`(?:, | and )?)+)\.", text, re.MULTILINE)
    return tuple(name for sentence in sentences for name in _NAMED.findall(sentence))


def _blocks(text: str) -> tuple[Block, ...]:
    found = [match.groupdict("") for match in _BLOCK.finditer(text)]
    return tuple(Block(each["kind"], each["code"], _file(each["mark"])) for each in found)


def _file(mark: str) -> str:
    """Return the file that a mark such as `file my_model.py` names, or an empty text."""
    return mark.removeprefix("file ") if mark.startswith("file ") else ""
