"""A user's file that ends the program does not end it in silence: one line and exit code 2, whatever the command."""

import pytest

pytestmark = pytest.mark.one_environment

ENDINGS = ("import sys\nsys.exit(0)\n", "raise SystemExit\n", "exit()\n", "import sys\nsys.exit('done')\n", "quit(3)\n")
MODEL = """
import sys

import numpy as np

def build():
    import keras
    return keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])

def leaves():
    sys.exit(0)

def batches():
    yield np.ones((4, 3), "float32"), np.ones((4, 1), "float32")
    sys.exit(0)
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "m.py").write_text(MODEL)
    return tmp_path


@pytest.mark.parametrize("text", ENDINGS)
def test_a_file_that_exits_when_it_is_imported_is_told(folder, cli, text):
    (folder / "e.py").write_text(text)
    shown = cli("train", f"{folder}/e.py:build", "--data", "moons")
    assert (shown.code, shown.out) == (2, "")
    assert len(shown.err.splitlines()) == 1
    assert "e.py: SystemExit" in shown.err


@pytest.mark.parametrize(
    "arguments",
    [
        ("recipes", "e.py:build"),
        ("data", "e.py:build"),
        ("search", "e.py:build", "--data", "moons", "--grid", "units=1,2"),
        pytest.param(("verify", "e.py:build"), marks=pytest.mark.several_backends),
        ("train", "m.py:leaves", "--data", "moons"),
        ("train", "m.py:build", "--data", "m.py:leaves"),
        ("train", "m.py:build", "--data", "m.py:batches", "--steps-per-epoch", "2", "--out", "o"),
    ],
    ids=str,
)
def test_every_command_tells_it_whenever_it_happens(folder, cli, arguments):
    (folder / "e.py").write_text(ENDINGS[0])
    named = (f"{folder}/{text}" if ".py:" in text or text == "o" else text for text in arguments)
    shown = cli(*named)
    assert shown.code == 2, shown.out + shown.err
    assert "exit" in shown.err.lower()
    assert "Traceback" not in shown.err
