"""Fixtures that run the command line.

`cli(...)` runs a command in this process and returns exit code, standard output and standard error. `refused(...)` runs
a command that must be refused, and returns its message.
"""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from command_line import Outcome
from command_line import cli as cli
from command_line import here as here

from trivium.backends import catalog


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
    """Run the command in its own process, for effects that cannot be observed from inside."""

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
