"""The recipe of the conda package names what pyproject.toml names."""

import re
import tomllib
from pathlib import Path

import pytest

pytestmark = pytest.mark.plain

ROOT = Path(__file__).resolve().parent.parent
NAMES = {"matplotlib": "matplotlib-base"}  # without a library of windows


def test_the_recipe_has_the_version_and_the_requirements_of_the_project():
    yaml = pytest.importorskip("yaml", reason="needs PyYAML: pip install pyyaml")
    recipe = yaml.safe_load((ROOT / "conda" / "recipe" / "recipe.yaml").read_text("utf-8"))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert recipe["context"]["version"] == project["version"]
    requirements = [re.fullmatch(r"([\w.-]+)(>=[\w.]+)", line).groups() for line in project["dependencies"]]
    wanted = [f"{NAMES.get(name, name)} {version}" for name, version in requirements]
    assert recipe["requirements"]["run"] == [f"python {project['requires-python']}", *wanted]
