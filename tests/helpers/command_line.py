"""Fixtures that run the command line in this process, because a fresh process has to import a framework.

`cli(...)` runs a command and returns exit code, standard output and standard error. What any test prints with `--json`
is validated by the schema of its command.
"""

import os
from dataclasses import dataclass

import pytest
import schemas

from trivium.cli.main import main


@dataclass(frozen=True)
class Outcome:
    code: int
    out: str
    err: str

    @property
    def complaint(self) -> str:
        """The one line of trivium's error message."""
        (line,) = (line for line in self.err.splitlines() if line.startswith("trivium: "))
        return line


@pytest.fixture
def here(tmp_path, monkeypatch):
    """An empty folder, made the current directory."""
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def cli(backend, here, capfd):
    """Run a command on this process' backend, and restore the environment afterwards."""
    before = dict(os.environ)

    def run(*arguments):
        with pytest.raises(SystemExit) as stopped:
            main([str(argument) for argument in arguments])
        outcome = Outcome(stopped.value.code, *capfd.readouterr())
        if "--json" in arguments and outcome.out:
            schemas.validate_output([str(argument) for argument in arguments], outcome.out)
        return outcome

    yield run
    os.environ.clear()
    os.environ.update(before)
