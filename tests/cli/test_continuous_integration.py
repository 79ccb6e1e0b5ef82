"""The commands of docs/continuous-integration.md, and those of the workflow that other projects call."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "continuous-integration.md").read_text("utf-8")
COMMANDS = re.findall(r"^    trivium (.+)$", PAGE.partition("<!-- commands")[2].partition("<!-- end")[0], re.MULTILINE)
WORKFLOW = ROOT / ".github" / "workflows" / "verify.yml"

MODEL = """
import keras


def build(inputs, classes):
    return keras.Sequential([keras.Input((inputs,)), keras.layers.Dense(classes, activation="softmax")])
"""


@pytest.mark.slow
@pytest.mark.several_backends
def test_each_command_of_the_page_passes(cli, here):
    (here / "my_model.py").write_text(MODEL)
    x = np.random.default_rng(0).normal(size=(64, 4)).astype("float32")
    np.savez("my_data.npz", x_train=x, y_train=(x[:, 0] > 0).astype("int64"))
    small = {"20": "2", "120s": "1s", "1.25": "100"}  # too little is measured to tell a slowdown from chance
    for command in COMMANDS:
        arguments = [small.get(argument, argument) for argument in shlex.split(command)]
        shown = cli(*arguments, "--backends", "jax,torch")
        assert shown.code == 0, shown.out + shown.err
    assert (here / "measured" / "results.json").is_file()


SETTINGS = {
    "MODEL": "my_model.py:build",
    "DATA": "my_data.npz",
    "BACKENDS": "",
    "STEPS": "20",
    "BUDGET": "120s",
    "FAIL_ON": "1.25",
}


def commands_of(step, folder, **settings):
    """The commands that a step of the workflow gives to `trivium`, which is replaced by a program that prints them."""
    yaml = pytest.importorskip("yaml", reason="needs PyYAML: pip install pyyaml")
    steps = yaml.safe_load(WORKFLOW.read_text("utf-8"))["jobs"]["verify"]["steps"]
    (script,) = (entry["run"] for entry in steps if entry.get("name") == step)
    program = folder / "trivium"
    program.write_text(f"#!{sys.executable}\nimport shlex, sys\nprint(shlex.join(sys.argv[1:]))\n")
    program.chmod(0o755)
    path = os.pathsep.join((str(folder), os.environ["PATH"]))
    environment = {**os.environ, **SETTINGS, **settings, "PATH": path}
    done = subprocess.run(
        ["bash", "-e", "-c", script], cwd=folder, env=environment, capture_output=True, text=True, check=True
    )
    return done.stdout.splitlines()


@pytest.mark.plain
def test_the_workflow_runs_the_commands_of_the_page(tmp_path):
    verify, first, later = COMMANDS
    assert commands_of("Verify", tmp_path) == [verify]
    assert commands_of("Measure", tmp_path) == [first.replace("--out baseline", "--out measured")]
    (tmp_path / "baseline").mkdir()
    (tmp_path / "baseline" / "results.json").touch()
    assert commands_of("Measure", tmp_path) == [later]


@pytest.mark.plain
def test_a_value_of_the_workflow_is_one_argument_and_an_empty_one_none(tmp_path):
    commands = commands_of("Verify", tmp_path, MODEL="a b.py:build; exit 3", DATA="", BACKENDS="jax,torch")
    assert commands == ["verify 'a b.py:build; exit 3' --steps 20 --backends jax,torch"]
    (measure,) = commands_of("Measure", tmp_path, DATA="", BACKENDS="jax")
    assert "--data" not in measure
    assert measure.endswith("--backends jax")
