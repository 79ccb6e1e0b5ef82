"""Do what the start page and the tutorials say, with the wheel in a new environment, where there is no checkout.

    python scripts/follow_pages.py FOLDER [PAGE …]

FOLDER is emptied. Every page gets an empty folder in it, and what its line `pip install "trivium[…]"` names; what it
prints must be what it shows. The environment `pages` of tox runs it, with the tools that it needs.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import IO

from check_package import ROOT, build, run

sys.path.insert(0, str(ROOT / "tests" / "helpers"))
from executed_page import Step, mismatches, pictures

DOCS = ROOT / "docs"
EXTRAS = re.compile(r'pip install "trivium\[([\w,]+)\]"')
# In a fence that is not run, such as the installation.
EXPORTS = re.compile(r"^export (\w+)=(\w+)$", re.MULTILINE)
EXITS = re.compile(r"# exits with (\d)")
# Runs blocks of Python, each a line of JSON, in one namespace; after each it writes a line with the mark.
MARK = "\x1e"
BLOCKS = f"""
import json, sys, traceback
namespace = {{"__name__": "__main__"}}
for line in sys.stdin:
    try:
        exec(compile(json.loads(line), "page", "exec"), namespace)
    except BaseException:
        traceback.print_exc()
        sys.exit(1)
    print({MARK!r}, flush=True)
"""


class Reader:
    """Does the steps of a page in a folder, by the commands of an environment."""

    def __init__(self, environment: Path, folder: Path, exports: dict[str, str]) -> None:
        self._folder = folder
        self._variables = {
            # Neither the checkout nor another environment, but for the tools of the system.
            "PATH": f"{environment / 'bin'}:/usr/local/bin:/usr/bin:/bin",
            "HOME": str(folder.parent / "home"),
            **exports,
        }
        self._python: subprocess.Popen[str] | None = None

    def do(self, step: Step) -> str:
        """Do a step, and return what it prints."""
        if step.file:
            (self._folder / step.file).write_text(step.code, "utf-8")
            return ""
        return self._run_block(step) if step.kind == "python" else "\n".join(map(self._run_line, step.commands))

    def close(self) -> None:
        if self._python is not None:
            self._python.communicate()

    def _run_line(self, line: str) -> str:
        done = subprocess.run(
            line,
            shell=True,
            cwd=self._folder,
            env=self._variables,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        expected = int(match[1]) if (match := EXITS.search(line)) else 0
        if done.returncode != expected:
            sys.exit(f"{line}\nended with exit code {done.returncode}:\n{done.stdout}")
        return done.stdout

    def _run_block(self, step: Step) -> str:
        if self._python is None:
            self._python = subprocess.Popen(
                ["python", "-c", BLOCKS],
                cwd=self._folder,
                env=self._variables,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
        assert self._python.stdin
        assert self._python.stdout
        print(json.dumps(step.code), file=self._python.stdin, flush=True)
        printed = _until_mark(self._python.stdout)
        if self._python.poll() is not None:
            sys.exit(f"the Python of line {step.line} fails:\n{printed}")
        return printed


def _until_mark(lines: IO[str]) -> str:
    printed = ""
    for line in lines:
        if MARK in line:
            break
        printed += line
    return printed


def follow(page: str, environment: Path, folder: Path) -> list[str]:
    """Do what a page says in a new folder; return what differs from what it shows."""
    text = (DOCS / page).read_text("utf-8")
    folder.mkdir(parents=True)
    reader = Reader(environment, folder, dict(EXPORTS.findall(text)))
    wrong = mismatches(text, reader.do)
    reader.close()
    return wrong + [f"it draws no {drawn}" for drawn in pictures(text) if not (folder / drawn).is_file()]


def install(wheel: Path, extras: str, environment: Path) -> None:
    """Install the wheel with some extras, in the versions of constraints.txt, into an environment, made if missing."""
    if not environment.exists():
        run([sys.executable, "-m", "venv", environment])
    pip = [environment / "bin" / "python", "-m", "pip", "install", "--quiet", "--constraint", ROOT / "constraints.txt"]
    run([*pip, f"{wheel}[{extras}]"], environment)


def main(folder: Path, pages: list[str]) -> None:
    pages = pages or ["start.md", *sorted(f"tutorials/{path.name}" for path in (DOCS / "tutorials").glob("*.md"))]
    _, wheel = build(folder)
    (folder / "home").mkdir()
    failures = 0
    for page in pages:
        extras = match[1] if (match := EXTRAS.search((DOCS / page).read_text("utf-8"))) else ""
        environment = folder / f"with-{extras.replace(',', '-')}"
        install(wheel, extras, environment)
        begin = time.monotonic()
        wrong = follow(page, environment, folder / Path(page).stem)
        print(f"{page} with [{extras}]: {'as it says' if not wrong else 'DIFFERENT'}, {time.monotonic() - begin:.0f} s")
        print(*wrong, sep="\n\n", end="\n" if wrong else "", flush=True)
        failures += bool(wrong)
    sys.exit(min(failures, 1))


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve(), sys.argv[2:])
