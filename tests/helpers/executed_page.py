"""Read a page of the documentation whose commands and Python are executed as they stand there.

The fences of a page say what becomes of them:

- `sh`: commands, run one after the other;
- `python` whose first line is a comment with the name of a file, such as `# my_model.py`: saved as that file;
- any other `python`: run, all of a page in one namespace;
- `text`: what the commands or the Python before it print, or a part of it;
- `console`: not run, such as the installation.

In a `text` fence `…` stands for anything, blanks for any blanks, and a number with a fraction or in percent for about
that number. A picture stands below a comment with the file that is drawn: `<!-- drawn: runs/bikes/curves.png -->`.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

from markdown_it import MarkdownIt

_FILE = re.compile(r"# ([\w/]+\.py)\n")
_PICTURE = re.compile(r"<!-- drawn: (\S+) -->\s*(?:!\[[^\]]*\]\(|<img src=\")([^\s)\"]+)")
_NUMBER = re.compile(r"(?<![\w.])[-+]?\d[\d,]*(?:\.\d+)?(?:e[-+]?\d+)?%?(?![\w]|\.\d)")
# What stands for any blanks, any text, and a rule of any length.
_LOOSE = {"": r"\s+", "…": ".*?", "─": "─+"}
# Rounding differs from machine to machine, and training amplifies it.
_TOLERANCE, _NOISE = 0.15, 1e-5
_PERCENTAGE_POINTS = 15  # of a probability that a model is not sure of


@dataclass(frozen=True)
class Step:
    """A fence of a page.

    Attributes:
        kind: `sh` or `python`.
        code: its text.
        file: the file that it is saved as instead of being run, or empty.
        shown: what the page says that it prints, or empty.
        line: where it stands in the page, from 1.
    """

    kind: str
    code: str
    file: str
    shown: str
    line: int

    @property
    def commands(self) -> list[str]:
        return self.code.replace("\\\n", " ").splitlines()


def steps(page: str) -> list[Step]:
    """Return what a page does, in its order.

    Raises:
        ValueError: a fence of another kind, or a `text` that nothing prints.
    """
    fences = [token for token in MarkdownIt().parse(page) if token.type == "fence" and token.info != "console"]
    read: list[Step] = []
    for fence in fences:
        line = fence.map[0] + 1
        if fence.info == "text" and read and not read[-1].shown:
            read[-1] = Step(read[-1].kind, read[-1].code, read[-1].file, fence.content, read[-1].line)
        elif fence.info in ("sh", "python"):
            name = _FILE.match(fence.content) if fence.info == "python" else None
            read.append(Step(fence.info, fence.content, name[1] if name else "", "", line))
        else:
            raise ValueError(f"line {line}: what becomes of a fence of {fence.info!r}?")
    return read


def mismatches(page: str, do: Callable[[Step], str]) -> list[str]:
    """Do the steps of a page by `do`, which returns what a step prints; return where the page shows something else."""
    wrong = []
    for step in steps(page):
        printed = do(step)
        if step.shown and (mismatch := difference(step.shown, printed)):
            wrong.append(f"line {step.line}: {mismatch}")
    return wrong


def pictures(page: str) -> dict[str, str]:
    """Return the pictures of a page, relative to it, by the files that its commands draw."""
    return dict(_PICTURE.findall(page))


def difference(shown: str, printed: str) -> str:
    """Return how the text of a page differs from what was printed; empty if it stands there."""
    if not (match := re.search(_pattern(shown), printed, re.DOTALL)):
        return f"the page shows\n{shown}\nbut this was printed:\n{printed}"
    wrong = [
        f"{expected} is {received}"
        for expected, received in zip(_numbers(shown), match.groups(), strict=True)
        if not _is_close(expected, received)
    ]
    return f"{', '.join(wrong)} in what was printed:\n{printed}" if wrong else ""


def _numbers(text: str) -> list[str]:
    return _NUMBER.findall(text)


def _pattern(shown: str) -> str:
    """Return a regular expression that has a group for each number."""
    parts = _NUMBER.split(shown.strip())
    return f"({_NUMBER.pattern})".join(_text_pattern(part) for part in parts)


def _text_pattern(text: str) -> str:
    return "".join(_LOOSE.get(part[:1].strip(), re.escape(part)) for part in re.split(r"(\s+|…|─+)", text) if part)


def _is_close(expected: str, received: str) -> bool:
    """Return whether two numbers are about the same: whole numbers are equal, tiny ones both tiny."""
    first, second = (float(text.replace(",", "").rstrip("%")) for text in (expected, received))
    if re.fullmatch(r"[-+]?[\d,]+", expected):
        return first == second
    noise = _PERCENTAGE_POINTS if expected.endswith("%") and first > 1 else _NOISE
    return abs(first - second) <= max(_TOLERANCE * abs(first), noise)
