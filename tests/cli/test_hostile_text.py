"""Text from a file steers no terminal and forges no line: labels, columns, recipes, file names, in every command."""

import json

import numpy as np
import pytest

pytestmark = pytest.mark.one_environment

MODEL = """
import keras

def build():
    return keras.Sequential([keras.Input((2,)), keras.layers.Dense(2, "softmax")])
"""
WORDS = ("\x1b[31mred", "blue\x1b]0;title\x07", "x\u202ey", "a\rb\x7f")


def steers(outcome):
    return [letter for letter in outcome.out + outcome.err if not letter.isprintable() and letter != "\n"]


@pytest.fixture(scope="module")
def folder(backend, tmp_path_factory):
    """A table with hostile names, and a run that was trained on it."""
    import trivium

    folder = tmp_path_factory.mktemp("text")
    (folder / "m.py").write_text(MODEL)
    header = f"{WORDS[0]},{WORDS[2]},label\n"
    rows = (f"{row},{row % 5},{WORDS[row % 2]}\n" for row in range(40))
    (folder / "t.csv").write_text(header + "".join(rows), encoding="utf-8", newline="")
    trivium.train(f"{folder / 'm.py'}:build", folder / "t.csv", out=folder / "run", epochs=1)
    return folder


@pytest.fixture
def run(folder, cli):
    def run(*arguments):
        return cli(*(str(folder / text) if text in ("run", "t.csv") else text for text in arguments))

    return run


COMMANDS = (
    ("data", "t.csv"),
    ("evaluate", "run"),
    ("predict", "run", "t.csv"),
    ("predict", "run", "t.csv", "--all-classes"),
    ("inspect", "run"),
    ("runs", "show", "run"),
    ("runs", "compare", "run", "run"),
)


@pytest.mark.parametrize("arguments", COMMANDS, ids=" ".join)
def test_names_in_data_are_shown_with_their_controls_written_out(run, arguments):
    shown = run(*arguments)
    assert shown.code == 0, shown.err
    assert steers(shown) == []
    if arguments[0] in ("data", "predict"):
        assert "\\x1b[31mred" in shown.out
        assert "blue\\x1b]0;title\\x07" in shown.out


@pytest.mark.parametrize("word", [*WORDS, "end\nstate       finished\u2028"], ids=ascii)
def test_a_name_on_the_command_line_steers_nothing(cli, here, word):
    for command in ("inspect", "runs", "recipes", "data", "report", "train", "evaluate", "bench", ""):
        shown = cli(*filter(None, (command, word)))
        assert shown.code == 2
        assert steers(shown) == []
        assert len(shown.err.splitlines()) == 1


def test_a_line_end_in_a_record_forges_no_line(run, folder):
    record = json.loads((folder / "run/run.json").read_text())
    forged = {**record, "recipe": "mine\nstate       finished", "error": "none\r\nbest   accuracy 1", "state": "failed"}
    try:
        (folder / "run/run.json").write_text(json.dumps(forged))
        lines = run("runs", "show", "run").out.splitlines()
        assert "recipe      mine\\nstate       finished" in lines
        assert [line for line in lines if line.startswith("state")] == ["state       failed"]
        assert sum(line.startswith("best   ") for line in lines) == 1
        assert sum("finished" in line for line in run("inspect", "run").out.splitlines()) == 1
    finally:
        (folder / "run/run.json").write_text(json.dumps(record))


def test_a_generated_text_steers_nothing(cli, here):
    import trivium

    letters = "ab \n\x1b\x07"
    text = "".join(np.random.default_rng(0).choice([*letters], 600))
    (here / "t.txt").write_text(text)
    trivium.train("text/letters", "text:t.txt", out="run", epochs=1, batch_size=64)
    shown = cli("generate", "run", "--length", "60", "--temperature", "2", "--seed", "1")
    assert shown.code == 0, shown.err
    assert steers(shown) == []
    assert "\\x1b" in shown.out or "\\x07" in shown.out
    assert len(json.loads(cli("generate", "run", "--length", "5", "--json").out)["text"]) >= 5


def test_a_warning_of_a_library_steers_nothing(cli, here, monkeypatch):
    import warnings

    monkeypatch.setattr(warnings, "formatwarning", warnings.formatwarning)
    cli("recipes", "nosuch")
    text = warnings.formatwarning("glyph \x1b", UserWarning, "file.py", 3, "a line")
    assert "glyph \\x1b" in text
    assert text.endswith("\n")


def test_an_announcement_of_trusted_code_steers_nothing(capfd):
    from trivium.engine.bundles import trust
    from trivium.engine.bundles.code_in_config import Finding

    trust.announce([Finding("class", "a\x1b[2Jb", "b\x07")], "m\x1b[2J.keras")
    error = capfd.readouterr().err
    assert "trivium: trusted: m\\x1b[2J.keras runs" in error
    assert not {"\x1b", "\x07"} & {*error}


def test_the_readme_of_source_code_is_steered_by_no_name():
    from trivium.porting.source_files import readme

    tensor = {"name": "x\x1b[31m", "shape": [None, 2], "dtype": "float32"}
    facts = {
        "recipe": "mine\n# forged",
        "requires": ["torch"],
        "left_out": ["drop\x07"],
        "inputs": [tensor],
        "outputs": (tensor,),
        "output_kinds": ["logits"],
        "raw_inputs": True,
        "preparation": {},
        "labels": ["a\u202eb", "c\nd"],
    }
    text = readme("PyTorch", facts, "import torch\n")
    assert not [letter for letter in text if not letter.isprintable() and letter != "\n"]
    assert text.startswith("# mine\\n# forged for PyTorch\n")
    assert "Classes, in the order of the last axis: a\\u202eb, c\\nd." in text
