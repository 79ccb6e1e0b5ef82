"""A run's folder belongs to one process at a time, and whoever loses takes nothing away."""

import subprocess
import sys

import pytest

from trivium.engine.runs import run_folder, run_lock
from trivium.errors import OutputError

pytestmark = pytest.mark.plain

HOLD = """
import pathlib, sys
from trivium.engine.runs import run_lock
with run_lock.held(pathlib.Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def elsewhere(tmp_path):
    """Another process that holds the folder."""
    other = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert other.stdout.readline() == "held\n"
    yield other
    other.kill()
    other.communicate()


def test_only_one_process_holds_a_folder(tmp_path, elsewhere, monkeypatch):
    monkeypatch.setattr(run_lock, "_PATIENCE", 0.05)
    assert run_lock.is_held(tmp_path)
    with pytest.raises(OutputError, match="is being written by another process: wait for it"), run_lock.held(tmp_path):
        pass
    elsewhere.kill()
    elsewhere.wait()
    assert not run_lock.is_held(tmp_path), "the system has given it back"
    with run_lock.held(tmp_path):
        assert run_lock.is_held(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_nothing_of_a_run_that_was_quicker_is_taken_away(tmp_path, monkeypatch):
    claim, folder = run_folder.claim, tmp_path / "run"

    def and_another_writes(path):
        earlier = claim(path)
        (path / "run.json").write_text("theirs")
        return earlier

    monkeypatch.setattr(run_folder, "claim", and_another_writes)
    with pytest.raises(OutputError, match="another process has just trained into"), run_folder.opened(folder):
        pass
    assert (folder / "run.json").read_text() == "theirs"


def test_a_run_that_came_to_nothing_leaves_nothing(tmp_path):
    def fail():
        with run_folder.opened(tmp_path / "deep/run") as kept:
            kept.begin_run({"settings": {}})
            kept.note_plan("steps")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert list(tmp_path.iterdir()) == []
