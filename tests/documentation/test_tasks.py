"""Every task of docs/tasks.md is done as it stands there."""

import os
import shutil

import pytest
from task_runner import TaskRunner
from written_tasks import DOCS, sections

PAGE = (DOCS / "tasks.md").read_text()
PREPARATION, *TASKS = (section for section in sections(PAGE) if section.blocks)

pytestmark = pytest.mark.one_environment


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """The folder of `Before you begin`, filled by the first task."""
    return tmp_path_factory.mktemp("tasks")


@pytest.fixture
def prepared(shared, here, cli, monkeypatch):
    """The current folder, with the files and runs of `Before you begin`."""
    if not any(shared.iterdir()):
        monkeypatch.chdir(shared)
        monkeypatch.syspath_prepend(shared)
        preparation = TaskRunner(cli)
        for block in PREPARATION.blocks:
            preparation.run(block)
        monkeypatch.chdir(here)
    shutil.copytree(shared, here, dirs_exist_ok=True)
    return here


def marked(task):
    return pytest.param(task, id=task.title, marks=[getattr(pytest.mark, mark) for mark in task.marks])


@pytest.mark.parametrize("task", [marked(task) for task in TASKS])
def test_a_task_is_done_as_the_page_says(prepared, runner, task):
    for block in task.blocks:
        runner.run(block)
    for name in task.named_after("Makes"):
        assert os.path.exists(name), sorted(map(str, prepared.rglob("*")))
    for text in task.named_after("Prints"):
        assert any(text in output for output in runner.outputs), runner.outputs


@pytest.mark.plain
def test_each_task_is_run_and_links_to_its_explanation():
    assert len(TASKS) >= 40
    for task in TASKS:
        assert any(block.is_run for block in task.blocks), task.title
        assert task.named_after("Makes") + task.named_after("Prints"), task.title
        assert "More: " in task.text or task.title.startswith("Remove"), task.title
