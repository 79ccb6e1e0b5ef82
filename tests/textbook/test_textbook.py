"""Every row of docs/textbook.md is executed as it stands there, under each backend."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from importlib.util import find_spec

import pytest
from textbook_page import CHAPTERS, PAGE, picture_lines, preparation, rows, save_pictures

TEXT = PAGE.read_text()
ROWS = rows(TEXT)


def write_and_run(blocks, folder, run_command):
    """Write the files of the blocks, and run the others: commands one by one, Python in one namespace."""
    namespace = {"__name__": "__main__"}
    for block in blocks:
        if block.file:
            (folder / block.file).parent.mkdir(parents=True, exist_ok=True)
            (folder / block.file).write_text(block.code)
        elif block.kind == "python":
            exec(compile(block.code, str(PAGE), "exec"), namespace)
        elif block.kind == "sh":
            for line in block.code.replace("\\\n", " ").splitlines():
                run_command(line)


@pytest.fixture(scope="session")
def prepared(tmp_path_factory):
    """A folder with the files and runs of `Before you begin`; made by this process' backend."""
    folder = tmp_path_factory.mktemp("textbook")

    def run(line):
        program, *arguments = shlex.split(line)
        command = [sys.executable, *(["-m", "trivium"] if program == "trivium" else []), *arguments]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, env={**os.environ})
        assert done.returncode == 0, done.stderr

    write_and_run(preparation(TEXT), folder, run)
    return folder


@pytest.fixture
def copied(prepared, here):
    """The current directory, with a copy of what is prepared."""

    def copy(code):
        for path in prepared.iterdir():
            if path.is_file():
                shutil.copy(path, here)
        for run in prepared.glob("runs/*"):
            if f"runs/{run.name}" in code:
                shutil.copytree(run, here / "runs" / run.name)
        return here

    return copy


def marked(row):
    # A row that needs a further package runs where that package is: see tox.ini.
    marks = [pytest.mark.slow] * row.is_slow + [pytest.mark.one_environment] * bool(row.needs)
    return pytest.param(row, id=str(row.number), marks=marks)


@pytest.mark.shared_out
@pytest.mark.parametrize("row", [marked(row) for row in ROWS])
def test_a_row_of_the_chapters_works(cli, copied, row, monkeypatch):
    if row.needs and find_spec(row.needs) is None:
        pytest.skip(f"needs {row.needs}")
    folder = copied("".join(block.code for block in row.blocks))
    monkeypatch.syspath_prepend(folder)
    for block in row.blocks:
        monkeypatch.delitem(sys.modules, block.file.removesuffix(".py"), raising=False)
    shown = []

    def run(line):
        program, *arguments = shlex.split(line)
        assert program == "trivium", line
        outcome = cli(*arguments)
        assert outcome.code == 0, outcome.err
        shown.append(outcome)

    write_and_run(row.blocks, folder, run)
    for name in row.makes:
        assert list(folder.glob(name)), f"{name} is missing: {sorted(map(str, folder.rglob('*')))}"
        assert all(path.is_dir() or path.stat().st_size for path in folder.glob(name))
    if pictures := os.environ.get("TRIVIUM_TEXTBOOK_PICTURES"):
        save_pictures(row, folder, PAGE.parents[1] / pictures)
    for text in row.prints:
        assert any(text in one_line(outcome.out) for outcome in shown), [outcome.out for outcome in shown]
    for text in row.says:
        assert any(text in one_line(outcome.err) for outcome in shown), [outcome.err for outcome in shown]


def one_line(text):
    return re.sub(r"\s+", " ", text)


@pytest.mark.plain
def test_the_page_has_every_row_and_each_is_executed():
    assert [row.number for row in ROWS] == [number for numbers in CHAPTERS.values() for number in numbers]
    for row in ROWS:
        assert row.title, row
        assert any(block.kind in ("sh", "python") and not block.file for block in row.blocks), row.number
        assert f"| {row.number} | {row.chapter} | {row.title.rstrip('.:')} | works | works | works |" in TEXT


@pytest.mark.plain
def test_the_page_shows_what_its_rows_draw():
    shown = {path.name for path in (PAGE.parent / "pictures").glob("[0-9]*.png")}
    assert shown == {file for row in ROWS for file in row.pictures.values()}
    for row in ROWS:
        for line in picture_lines(row):
            assert line in TEXT.splitlines(), row.number
