"""Read the pages that say how a thing is done: docs/tasks.md and docs/how-to/.

A page has sections under headings. A comment before a fenced block says what becomes of it: `<!-- file NAME -->` writes
it to a file, `<!-- exit code 1 -->` expects that code of its last command, and `<!-- not run: WHY -->` leaves it out. A
comment `<!-- slow -->` or `<!-- several_backends -->` in a section marks its test. What stands in backquotes after
`Makes` and `Prints` must come out.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs"
MARKS = ("slow", "several_backends")

_FENCE = re.compile(r"(?:<!-- (?P<mark>[^>]+) -->\n)?^```(?P<kind>\w+)\n(?P<code>.*?)^```$", re.DOTALL | re.MULTILINE)
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


@dataclass(frozen=True)
class Block:
    """A fenced block.

    Attributes:
        kind: `sh`, `python`, or another language.
        code: its text.
        mark: the comment before it, or empty.
    """

    kind: str
    code: str
    mark: str

    @property
    def file(self) -> str:
        """The file that the block is written to, or empty."""
        return self.mark.removeprefix("file ") if self.mark.startswith("file ") else ""

    @property
    def is_run(self) -> bool:
        return self.kind in ("sh", "python") and not self.file and not self.mark.startswith("not run: ")

    @property
    def exit_code(self) -> int:
        """The exit code of its last command."""
        return int(self.mark.removeprefix("exit code ")) if self.mark.startswith("exit code ") else 0

    @property
    def commands(self) -> list[str]:
        """The lines of a block for the shell, without their comments."""
        lines = (line.partition("  # ")[0].strip() for line in self.code.replace("\\\n", " ").splitlines())
        return [line for line in lines if line and not line.startswith("# ")]


@dataclass(frozen=True)
class Section:
    """What stands under one heading.

    Attributes:
        title: the heading.
        text: its sentences.
        blocks: its blocks, in their order.
    """

    title: str
    text: str
    blocks: tuple[Block, ...]

    @property
    def marks(self) -> list[str]:
        return [name for name in MARKS if f"<!-- {name} -->" in self.text]

    def named_after(self, word: str) -> list[str]:
        """Return what stands in backquotes after a word, up to the full stop."""
        lists = re.findall(rf"\b{word} ((?:`[^`]+`(?:, | and )?)+)\.", self.text)
        return [name for named in lists for name in re.findall(r"`([^`]+)`", named)]


def sections(page: str) -> Iterator[Section]:
    """Yield the sections of a page, those without blocks too."""
    fences = list(_FENCE.finditer(page))
    prose = _FENCE.sub(lambda fence: "\0" * len(fence[0]), page)  # a comment in a block is no heading
    headings = list(_HEADING.finditer(prose))
    ends = [heading.start() for heading in headings[1:]] + [len(page)]
    for heading, end in zip(headings, ends, strict=True):
        blocks = [fence.groupdict("") for fence in fences if heading.end() <= fence.start() < end]
        text = re.sub(r"[\0\s]+", " ", prose[heading.end() : end]).strip()
        yield Section(heading[1], text, tuple(Block(each["kind"], each["code"], each["mark"]) for each in blocks))
