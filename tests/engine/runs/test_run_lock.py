"""One process at a time writes into the folder of a run, and the loser deletes nothing."""

import subprocess
import sys

import pytest

from trivium.engine.runs import run_folder, run_lock
from trivium.errors import OutputError

pytestmark = pytest.mark.plain

HOLD = """
import pathlib, sys
from trivium.engine.runs import run_lock
with run_lock.hold(pathlib.Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def other_process(tmp_path):
    """Another process that holds the lock of the folder."""
    other = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert other.stdout.readline() == "held\n"
    yield other
    other.kill()
    other.communicate()


def test_only_one_process_holds_a_folder(tmp_path, other_process, monkeypatch):
    monkeypatch.setattr(run_lock, "_PATIENCE", 0.05)
    assert run_lock.is_held(tmp_path)
    with pytest.raises(OutputError, match="is being written by another process: wait for it"), run_lock.hold(tmp_path):
        pass
    other_process.kill()
    other_process.wait()
    assert not run_lock.is_held(tmp_path), "the system has released it"
    with run_lock.hold(tmp_path):
        assert run_lock.is_held(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_the_files_of_a_process_that_was_quicker_are_not_deleted(tmp_path, monkeypatch):
    claim, folder = run_folder.claim, tmp_path / "run"

    def claim_while_another_writes(path):
        earlier = claim(path)
        (path / "run.json").write_text("theirs")
        return earlier

    monkeypatch.setattr(run_folder, "claim", claim_while_another_writes)
    with pytest.raises(OutputError, match="another process has just trained into"), run_folder.open_run(folder):
        pass
    assert (folder / "run.json").read_text() == "theirs"


def test_a_run_that_finishes_no_epoch_leaves_no_files(tmp_path):
    def fail():
        with run_folder.open_run(tmp_path / "deep/run") as run:
            run.write_start({"settings": {}})
            run.record_plan("steps")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert list(tmp_path.iterdir()) == []
