"""Read docs/textbook.md: its preparation, and its rows with what each does and what must come out.

The table of all rows at its end is generated:

    TRIVIUM_TEST_OUTCOMES=outcomes TOX_ENV_NAME=jax KERAS_BACKEND=jax pytest tests/textbook   # under each backend
    python tests/helpers/textbook_page.py outcomes

Its pictures are what its rows draw, made small:

    TRIVIUM_TEXTBOOK_PICTURES=docs/pictures pytest tests/textbook
"""

import json
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from trivium.storage.generated_section import GeneratedSection

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

    @property
    def pictures(self) -> dict[str, str]:
        """The names in docs/pictures of the pictures that the row draws, by the file that it draws them into."""
        drawn = [name for name in self.makes if name.endswith(".png") and "*" not in name]
        return {name: f"{self.number:03d}-{Path(name).name}" for name in drawn}


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


# --- pictures -------------------------------------------------------------------------------------------------------

_WIDTH, _COLOURS = 900, 64


def save_pictures(row: Row, folder: Path, target: Path) -> None:
    """Save what a row drew, small enough for a page.

    Args:
        row: the row.
        folder: where it was run.
        target: the folder for its pictures.
    """
    for name, file in row.pictures.items():
        save_picture(folder / name, target / file)


def save_picture(
    drawn: Path, file: Path, *, colours: int = _COLOURS, method: Image.Quantize = Image.Quantize.MEDIANCUT
) -> None:
    """Save a picture small enough for a page."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with Image.open(drawn) as picture:
        picture.thumbnail((_WIDTH, _WIDTH), Image.Resampling.LANCZOS)
        picture.convert("RGB").quantize(colours, method, dither=Image.Dither.NONE).save(file, optimize=True)


def picture_lines(row: Row) -> list[str]:
    """Return the lines of the page that show what a row draws."""
    return [
        f'<img src="pictures/{file}" width="600" alt="Row {row.number}: {Path(name).stem}">'
        for name, file in row.pictures.items()
    ]


# --- the table of all rows ------------------------------------------------------------------------------------------

BACKENDS = {"tensorflow": "TensorFlow", "jax": "JAX", "torch": "PyTorch"}
SECTION = GeneratedSection(
    "<!-- rows: generated by `python tests/helpers/textbook_page.py OUTCOMES` -->", "<!-- end of rows -->"
)
_TEST = re.compile(r"test_a_row_of_the_chapters_works\[(\d+)\]$")


def table(page: str, outcomes: Mapping[str, Mapping[str, str]]) -> str:
    """Return a row for each row of the page, with what became of its test under each backend.

    Args:
        page: the text of docs/textbook.md.
        outcomes: the outcome of each test, or the reason of its skip, by the name of the backend.
    """
    by_row = {
        name: {int(found[1]): outcome for test, outcome in tests.items() if (found := _TEST.search(test))}
        for name, tests in outcomes.items()
    }
    lines = [
        f"| row | chapter | what a reader does | {' | '.join(BACKENDS.values())} |",
        f"|--:|---|---|{'---|' * len(BACKENDS)}",
    ]
    for row in rows(page):
        cells = [_WORDS.get(by_row.get(name, {}).get(row.number, ""), "not run") for name in BACKENDS]
        lines.append(f"| {row.number} | {row.chapter} | {row.title.rstrip('.:')} | {' | '.join(cells)} |")
    return SECTION.render(*lines)


_WORDS = {"passed": "works", "failed": "fails"}


def main(folder: str) -> None:
    """Write the table into the page, from the files that the tests left where TRIVIUM_TEST_OUTCOMES names a folder."""
    files = {name: Path(folder, f"{name}.json") for name in BACKENDS}
    outcomes = {name: json.loads(path.read_text("utf-8")) for name, path in files.items() if path.exists()}
    SECTION.write(PAGE, table(PAGE.read_text("utf-8"), outcomes))


if __name__ == "__main__":
    main(sys.argv[1])
