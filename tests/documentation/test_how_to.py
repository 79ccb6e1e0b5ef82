"""Every page of docs/how-to/ is followed from its first step to its last."""

import json
import os
import re
import shlex
import shutil
import sys

import pytest
from task_runner import PORT
from written_tasks import DOCS, MARKS, sections

PAGES = {path.stem: path.read_text() for path in sorted((DOCS / "how-to").glob("*.md"))}

pytestmark = pytest.mark.one_environment


def blocks(name):
    return [block for section in sections(PAGES[name]) for block in section.blocks]


def marked(name):
    marks = [getattr(pytest.mark, mark) for mark in MARKS if f"<!-- {mark} -->" in PAGES[name]]
    return pytest.param(name, marks=marks)


@pytest.mark.parametrize("name", [marked(name) for name in PAGES if name != "docker"])
def test_the_steps_of_a_page_do_what_it_says(runner, name):
    if any("curl" in block.code for block in blocks(name) if block.is_run) and not shutil.which("curl"):
        pytest.skip("needs curl")
    for block in blocks(name):
        runner.run(block)
    for section in sections(PAGES[name]):
        for file in section.named_after("Makes"):
            assert os.path.exists(file), sorted(os.listdir())
        for text in section.named_after("Prints"):
            assert any(text in output for output in runner.outputs), runner.outputs


# The command of the image runs where importing one of these fails.
ABSENT = ("keras", "trivium", "tensorflow", "jax", "torch")


@pytest.mark.plain
def test_the_image_pins_the_versions_that_are_tested():
    (command,) = re.findall(r"^RUN pip install --no-cache-dir (.+)$", PAGES["docker"], re.MULTILINE)
    assert set(command.split()) <= set((DOCS.parent / "constraints.txt").read_text().splitlines())


@pytest.mark.several_backends
def test_the_command_of_the_image_serves_with_what_is_copied_into_it(runner, here):
    server = next(block for block in blocks("serve-onnx") if block.file == "server.py")
    for block in [*blocks("docker"), server]:
        runner.run(block)
    lines = dict(line.split(" ", 1) for line in (here / "Dockerfile").read_text().splitlines())
    *sources, _ = shlex.split(lines["COPY"])
    image = here / "image"
    image.mkdir()
    for name in sources:
        shutil.copy(here / name, image)
    absent = here / "absent"
    absent.mkdir()
    for name in ABSENT:
        (absent / f"{name}.py").write_text(f"raise ImportError('{name} is not in the image')\n")
    os.chdir(image)
    _, *command = json.loads(lines["CMD"])
    runner.serve([sys.executable, *command], PYTHONPATH=str(absent))
    (request,) = re.findall(r"^curl .+$", PAGES["docker"], re.MULTILINE)
    answer = runner.request(request)
    assert (here / "model.onnx").is_file()
    assert 200 < json.loads(answer)[0] < 320  # 2 × 100 + 60, and what 20 epochs leave


def test_no_page_has_a_port_that_the_tests_do_not_replace():
    ports = {port for page in PAGES.values() for port in re.findall(r"127\.0\.0\.1:(\d+)", page)}
    assert ports == {str(PORT)}
