"""Build the sdist and the wheel, check them, and use the wheel where there is neither a checkout nor a framework.

    python scripts/check_package.py FOLDER

The environment `package` of tox runs it, with the tools that it needs. The sdist and the wheel are left in FOLDER.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

ROOT = Path(__file__).resolve().parent.parent

# What this repository has, and neither a build nor a test needs.
LEFT_OUT = (".ci", ".dockerignore", ".gitignore", "docker", "docs/pictures")
# What setuptools adds.
ADDED = ("PKG-INFO", "setup.cfg", "trivium.egg-info")

MODEL = {
    "class_name": "Sequential",
    "config": {
        "name": "small",
        "layers": [
            {"class_name": "InputLayer", "config": {"batch_shape": [None, 4], "dtype": "float32", "name": "input"}},
            {"class_name": "Dense", "config": {"name": "answer", "units": 2, "activation": "softmax"}},
        ],
    },
}


def run(command: Sequence[str | Path], folder: Path = ROOT) -> str:
    """Run a command and return its output; end this process with its output and exit code 1 if it fails."""
    # Nothing may lead to the checkout, or to another environment.
    variables = {name: value for name, value in os.environ.items() if name not in {"PYTHONPATH", "VIRTUAL_ENV"}}
    done = subprocess.run(
        [*map(str, command)], cwd=folder, env=variables, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    if done.returncode:
        sys.exit(f"{done.stdout}\nfailed with exit code {done.returncode}: {' '.join(map(str, command))}")
    return done.stdout


def tracked_files() -> list[str]:
    """Return the files of this repository; new ones count as soon as they are written."""
    listed = run(["git", "ls-files", "--cached", "--others", "--exclude-standard"]).splitlines()
    return [name for name in listed if (ROOT / name).is_file()]


def build(folder: Path) -> tuple[Path, Path]:
    """Build into a folder, which is emptied; the wheel is built from the sdist. Return the paths of both."""
    shutil.rmtree(folder, ignore_errors=True)
    # A copy, because setuptools packs what an earlier build has listed in the folder too.
    source, distributions = folder / "source", folder / "dist"
    for name in tracked_files():
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, source / name)
    run([sys.executable, "-m", "build", "--installer", "uv", "--outdir", distributions, source])
    (sdist,), (wheel,) = distributions.glob("*.tar.gz"), distributions.glob("*.whl")
    return sdist, wheel


def check_contents(sdist: Path, wheel: Path) -> None:
    """Check the metadata of both, the contents of the wheel, and the sdist against this repository."""
    run([sys.executable, "-m", "twine", "check", "--strict", sdist, wheel])
    run([Path(sys.executable).parent / "check-wheel-contents", wheel])
    with tarfile.open(sdist) as archive:
        members = (PurePosixPath(*PurePosixPath(member.name).parts[1:]) for member in archive if member.isfile())
        packed = {str(path) for path in members if not is_among(path, ADDED)}
    tracked = {name for name in tracked_files() if not is_among(PurePosixPath(name), LEFT_OUT)}
    if packed != tracked:
        sys.exit(
            f"{sdist.name} lacks {sorted(tracked - packed)[:5]}, and has {sorted(packed - tracked)[:5]} beyond the "
            "repository: change MANIFEST.in, or LEFT_OUT of scripts/check_package.py"
        )


def is_among(path: PurePosixPath, places: Sequence[str]) -> bool:
    """Return whether a path is one of some files, or in one of some folders."""
    return any(path.is_relative_to(place) for place in places)


def check_installed(wheel: Path, folder: Path) -> str:
    """Install the wheel into a new environment without a framework, use it there, and return its version."""
    folder.mkdir()
    uv = Path(sys.executable).parent / "uv"
    run([uv, "venv", "--python", sys.executable, "environment"], folder)
    python = Path(run([uv, "python", "find", "--no-project", "environment"], folder).strip())
    run([uv, "pip", "install", "--python", python, "--constraint", ROOT / "constraints.txt", wheel], folder)
    trivium = python.parent / "trivium"
    version = run([trivium, "--version"], folder).split()[-1]
    if version != wheel.name.split("-")[1]:
        sys.exit(f"{wheel.name} says that it is version {version}")
    if "cnn/striding" not in run([trivium, "recipes"], folder):
        sys.exit("`trivium recipes` lists no cnn/striding")
    (folder / "model.json").write_text(json.dumps(MODEL), "utf-8")
    description = json.loads(run([trivium, "inspect", "model.json", "--json"], folder))
    if description["format"] != "architecture" or description["runs_code"]:
        sys.exit(f"`trivium inspect` takes a model of one layer for {description}")
    if "pip install" not in run([trivium, "backends"], folder):
        sys.exit("`trivium backends` does not say how to install a backend")
    return version


def main(folder: Path) -> None:
    sdist, wheel = build(folder)
    check_contents(sdist, wheel)
    version = check_installed(wheel, folder / "installed")
    for path in (sdist, wheel):
        print(f"{path.name}  {path.stat().st_size / 1e6:.1f} MB")
    print(f"trivium {version} is complete, and works without the checkout and without a framework")


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())
