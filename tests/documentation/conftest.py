"""The command line, and a reader of the pages."""

import sys
from pathlib import Path

import pytest
from command_line import cli as cli
from command_line import here as here
from task_runner import TaskRunner


@pytest.fixture
def runner(cli, here, monkeypatch):
    """Runs the blocks of a page in a fresh folder, which is the current one."""
    monkeypatch.syspath_prepend(here)
    runner = TaskRunner(cli)
    yield runner
    runner.stop()
    for module in [name for name, module in sys.modules.items() if _is_in(module, here)]:
        del sys.modules[module]


def _is_in(module, folder: Path) -> bool:
    """Whether a module is a file of the folder: another page may have one of the same name."""
    file = getattr(module, "__file__", None)
    return bool(file) and Path(file).parent == folder
