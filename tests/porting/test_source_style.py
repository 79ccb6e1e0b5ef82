"""Generated code is as a person's would be after ruff and mypy."""

import subprocess
import sys

import pytest

from trivium.models import recipe as recipes
from trivium.porting.port import port

NAMES = ("cnn/pooling", "cnn/striding-batchnorm", "rnn/lstm", "functional/shared")


def run(folder, *command):
    done = subprocess.run([sys.executable, "-m", *command], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", NAMES)
def test_ruff_and_mypy_have_nothing_to_say(backend, shared_worker, tmp_path, name):
    pytest.importorskip("safetensors")
    recipes.find(name)().save(tmp_path / "model.keras")
    report = port(tmp_path / "model.keras", f"source:{backend.name}", tmp_path / "source")
    assert report.passed, report.to_json()
    run(tmp_path / "source", "ruff", "check", "--isolated", ".")
    run(tmp_path / "source", "ruff", "format", "--isolated", "--check", ".")
    pytest.importorskip("mypy")
    options = ("--ignore-missing-imports", "--cache-dir", str(tmp_path / "cache"))
    run(tmp_path / "source", "mypy", *options, "model.py", "check.py")
