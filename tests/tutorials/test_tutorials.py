"""docs/start.md and docs/tutorials are executed as they stand there, and print and draw what they show.

Their pictures are drawn anew, made small, by

    TRIVIUM_TEXTBOOK_PICTURES=docs/pictures pytest tests/tutorials
"""

import contextlib
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from command_line import Outcome
from executed_page import difference, mismatches, pictures
from PIL import Image
from textbook_page import save_picture

DOCS = Path(__file__).parents[2] / "docs"
PAGES = ["start.md", *(f"tutorials/{path.name}" for path in sorted((DOCS / "tutorials").glob("*.md")))]
# They go from one backend to another, so that they run where all are.
SEVERAL_BACKENDS = ("tutorials/from-a-pytorch-model.md", "tutorials/from-keras-code.md")
LARGEST_PICTURE = 60_000  # bytes
# A palette that has the rare colours of photographs, too.
PHOTOGRAPHIC = {"colours": 128, "method": Image.Quantize.FASTOCTREE}
EXITS = "# exits with "


def marked(page):
    return pytest.param(page, marks=pytest.mark.several_backends if page in SEVERAL_BACKENDS else ())


class Reader:
    """Does what a page says, in the current folder.

    A command runs in this process, unless it is no command of trivium or names another backend than this process has.
    """

    def __init__(self, cli, capfd, backend):
        self.cli, self.capfd, self.backend = cli, capfd, backend
        self.namespace = {"__name__": "__main__"}

    def do(self, step):
        """Do a step, and return what it prints."""
        if step.file:
            Path(step.file).write_text(step.code)
            return ""
        if step.kind == "sh":
            return "\n".join(map(self.run, step.commands))
        exec(compile(step.code, f"line {step.line}", "exec"), self.namespace)
        return self.capfd.readouterr().out

    def run(self, line):
        command, _, code = line.partition(EXITS)
        program, *arguments = shlex.split(command, comments=True)
        named = arguments[arguments.index("--backend") + 1] if "--backend" in arguments else self.backend.name
        if program == "trivium" and named == self.backend.name:
            with _without_registered_classes() if code else contextlib.nullcontext():
                outcome = self.cli(*arguments)
        else:
            outcome = _in_a_process(program, arguments)
        assert outcome.code == int(code[:1] or 0), f"{line}\n{outcome.err}"
        return f"{outcome.err}\n{outcome.out}"


@contextlib.contextmanager
def _without_registered_classes():
    """A command of the reader does not know the classes that the page's Python has registered with Keras."""
    import keras

    registered = keras.saving.get_custom_objects()
    before = dict(registered)
    registered.clear()
    try:
        yield
    finally:
        registered.clear()
        registered.update(before)


def _in_a_process(program, arguments):
    command = [sys.executable, *({"trivium": ["-m", "trivium"], "python": []}[program]), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ})
    return Outcome(done.returncode, done.stdout, done.stderr)


@pytest.mark.one_environment
@pytest.mark.parametrize("page", [marked(page) for page in PAGES])
def test_a_page_does_and_shows_what_it_says(cli, here, capfd, backend, page, monkeypatch):
    text = (DOCS / page).read_text()
    for package in ("onnxruntime", "onnxscript") if "--to onnx" in text else ():
        pytest.importorskip(package)
    monkeypatch.syspath_prepend(here)
    reader = Reader(cli, capfd, backend)

    def do(step):
        monkeypatch.delitem(sys.modules, step.file.removesuffix(".py"), raising=False)
        return reader.do(step)

    wrong = mismatches(text, do)
    for drawn, picture in pictures(text).items():
        assert (here / drawn).is_file(), drawn
        if folder := os.environ.get("TRIVIUM_TEXTBOOK_PICTURES"):
            file = DOCS.parent / folder / "tutorials" / Path(picture).name
            save_picture(here / drawn, file, **PHOTOGRAPHIC)
    assert not wrong, "\n\n".join(wrong)


@pytest.mark.plain
@pytest.mark.parametrize("page", PAGES)
def test_the_pictures_of_a_page_are_small_and_each_is_drawn_by_it(page):
    text = (DOCS / page).read_text()
    assert text.count(".png)") == len(pictures(text)), "a picture lacks the comment that says what draws it"
    for picture in pictures(text).values():
        assert ((DOCS / page).parent / picture).stat().st_size < LARGEST_PICTURE, picture


@pytest.mark.plain
def test_each_picture_of_the_tutorials_is_shown():
    shown = {Path(picture).name for page in PAGES for picture in pictures((DOCS / page).read_text()).values()}
    assert {path.name for path in (DOCS / "pictures" / "tutorials").glob("*.png")} == shown


@pytest.mark.plain
@pytest.mark.parametrize(
    ("shown", "printed"),
    [
        ("loss 0.5  time …", "loss 0.9  time 3 s"),
        ("right 90%", "right 50%"),
        ("7 mistakes", "8 mistakes"),
        ("cat\n…\ndog", "dog\nowl\ncat"),
        ("difference 2e-07", "difference 2e-03"),
    ],
)
def test_a_page_that_shows_something_else_is_noticed(shown, printed):
    assert difference(shown, shown.replace("…", "4 s")) == ""
    assert difference(shown, printed)
