"""The command line run in this process, because a fresh one spends its time on importing a framework.

`cli(...)` runs a command and gives exit code, standard output and standard error; `refused(...)` runs one that must be
turned down, and returns what it said.
"""

import importlib.util
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from trivium.backends import catalog
from trivium.cli.main import main


@dataclass(frozen=True)
class Outcome:
    code: int
    out: str
    err: str

    @property
    def complaint(self) -> str:
        """The one line that trivium says when it turns something down."""
        (line,) = (line for line in self.err.splitlines() if line.startswith("trivium: "))
        return line


@pytest.fixture
def here(tmp_path, monkeypatch):
    """An empty folder that is the current one."""
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def cli(backend, here, capfd):
    """Run a command under this process' backend; what it does to the environment is undone."""
    before = dict(os.environ)

    def run(*arguments):
        with pytest.raises(SystemExit) as stopped:
            main([str(argument) for argument in arguments])
        return Outcome(stopped.value.code, *capfd.readouterr())

    yield run
    os.environ.clear()
    os.environ.update(before)


def contents(folder: Path) -> dict[str, bytes | None]:
    """Every file below a folder with its bytes, every folder with None."""
    return {str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None for path in folder.rglob("*")}


@pytest.fixture
def refused(cli, tmp_path):
    """Run a command that must end with exit code 2 and one line, and leave every file as it was."""

    def run(*arguments, with_progress=False):
        before = contents(tmp_path)
        outcome = cli(*arguments)
        assert outcome.code == 2, outcome
        assert outcome.out == ""
        assert "Traceback" not in outcome.err
        if not with_progress:
            assert outcome.err == outcome.complaint + "\n"
        assert contents(tmp_path) == before
        return outcome.complaint

    return run


@pytest.fixture
def small_digits(digits, tmp_path):
    """The path of an `.npz` file with 60 training and 20 test digits."""
    path = tmp_path / "digits.npz"
    np.savez(
        path,
        x_train=digits.train.x[:60],
        y_train=digits.train.y[:60],
        x_test=digits.test.x[:20],
        y_test=digits.test.y[:20],
    )
    return path


@pytest.fixture
def not_installed(monkeypatch):
    """Make some backends look as if they were not installed."""
    original = importlib.util.find_spec

    def hide(*names):
        hidden = {catalog.find(name).package for name in names}
        monkeypatch.setattr(
            importlib.util, "find_spec", lambda name, *rest: None if name in hidden else original(name, *rest)
        )

    return hide


@pytest.fixture
def others(backend):
    """The names of the backends that this process does not run on."""
    return [other.name for other in catalog.BACKENDS if other != backend]


@pytest.fixture
def process(here):
    """Run the command in a process of its own: for what cannot be seen from inside."""

    def run(*arguments, **environment):
        done = subprocess.run(
            [sys.executable, "-m", "trivium", *map(str, arguments)],
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
            timeout=120,
        )
        return Outcome(done.returncode, done.stdout, done.stderr)

    return run
