"""The Markdown of the documentation, without the site: Python blocks compile, links to files lead somewhere, and the
generated pages say what click and the schemas say.
"""

import ast
import re
from pathlib import Path

import command_pages
import pytest
import schema_pages
import schemas
import textbook_pages

pytestmark = pytest.mark.plain

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = [*sorted((ROOT / "docs").rglob("*.md")), ROOT / "README.md", ROOT / "CONTRIBUTING.md"]
BLOCK = re.compile(r"^(?P<indent> *)```python.*\n(?P<code>(?:.*\n)*?) *```$", re.MULTILINE)
LINK = re.compile(r"\]\((?!https?:|#|mailto:)([^)\s#]+)")
TEXTBOOK = (ROOT / "docs/textbook.md").read_text()


def blocks(path):
    """The Python blocks of a file with the number of their first line, without what makes a block a session."""
    text = path.read_text()
    for block in BLOCK.finditer(text):
        lines = [line.removeprefix(block["indent"]) for line in block["code"].splitlines()]
        if any(line.startswith(">>> ") for line in lines):
            lines = [line[4:] for line in lines if line[:4] in (">>> ", "... ")]
        yield text.count("\n", 0, block.start("code")) + 1, "\n".join(lines)


def test_every_python_block_compiles():
    count = 0
    for path in DOCUMENTS:
        for line, code in blocks(path):
            count += 1
            try:
                ast.parse(code.replace("…", "..."))
            except SyntaxError as error:
                raise AssertionError(
                    f"{path.relative_to(ROOT)}:{line + (error.lineno or 1) - 1}: {error.msg}"
                ) from None
    assert count > 80


def test_every_link_to_a_file_leads_to_one():
    lost = [
        f"{path.relative_to(ROOT)}: {target}"
        for path in DOCUMENTS
        for target in LINK.findall(re.sub(r"```.*?```|`[^`\n]*`", "", path.read_text(), flags=re.DOTALL))
        if not (path.parent / target).exists() and not generated(path.parent / target)
    ]
    assert lost == []


def generated(path: Path) -> bool:
    """Whether a page of the site is generated: those of the reference, and of the textbook by chapter."""
    place = path.resolve().relative_to(ROOT / "docs").as_posix()
    pages = {**command_pages.pages(), **schema_pages.pages(), **textbook_pages.pages(TEXTBOOK)}
    return place in {*pages, "reference/python/index.md", "changelog.md"}


def test_external_links_are_well_formed():
    for path in DOCUMENTS:
        for address in re.findall(r"\]\((https?:[^)]*)\)", path.read_text()):
            assert re.fullmatch(r"https?://[\w.-]+(?::\d+)?(?:/[^\s<>\"]*)?", address), f"{path}: {address}"


def test_the_chapters_of_the_textbook_have_all_its_rows_once():
    pages = textbook_pages.pages(TEXTBOOK)
    rows = re.findall(r"^\*\*(\d+)\.\*\* ", "\n".join(pages.values()), re.MULTILINE)
    assert [int(row) for row in rows] == list(range(1, len(rows) + 1))
    assert len(rows) > 140
    first = pages["textbook/1-b1-scikit-learn.md"]
    assert first.startswith("# B1: scikit-learn\n")
    assert "\n## Estimators\n" in first
    assert 'src="../pictures/' in first
    assert '```python title="seven.py"' in pages["textbook.md"]


def test_each_option_of_a_command_is_on_its_page():
    from trivium.cli.main import COMMANDS, cli

    pages = command_pages.pages()
    index = pages["reference/commands/index.md"]
    for name in COMMANDS:
        page = pages[f"reference/commands/{name}.md"]
        assert f"]({name}.md)" in index
        for parameter in cli.get_command(None, name).params:
            if parameter.param_type_name == "option" and not parameter.hidden:
                assert max(parameter.opts, key=len) in page, (name, parameter.opts)
    assert "trivium train --resume --out runs/digits" in pages["reference/commands/train.md"]


def test_each_schema_has_a_page_with_its_fields():
    pages = schema_pages.pages()
    for folder in ("commands", "files"):
        for name in schemas.names(folder):
            assert f"reference/json/{folder}-{name}.md" in pages
    record = pages["reference/json/files-run.md"]
    assert "`dataset`\n:   *[dataset](#dataset)*" in record
    assert "*always 1*" in record
    assert "[environment](files-run.md#environment)" in pages["reference/json/commands-train.md"]
