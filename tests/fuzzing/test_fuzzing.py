"""No file brings a reader down: it is read, or refused in one line, within 2 GB and 5 s, and touches no other file."""

import os
import pickle
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from mutations import CHANGES, PLACE, changed, changed_within
from readers import COMMANDS, honest_files

pytestmark = pytest.mark.plain

DAILY, MANY, GUIDED = 300, 20_000, 5_000
CHILD = Path(__file__).parent / "limited_child.py"


class Child:
    """The process that reads files under limits, and how many it read of each kind."""

    def __init__(self, scratch):
        self.process = subprocess.Popen(
            [sys.executable, str(CHILD), str(scratch)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=os.environ
        )
        self.counts = Counter()

    def problem_of(self, kind, files):
        """Return what went wrong when these files were read, or None."""
        self.counts[kind] += 1
        pickle.dump((kind, files), self.process.stdin)
        self.process.stdin.flush()
        return pickle.load(self.process.stdout)


@pytest.fixture(scope="module")
def child(tmp_path_factory):
    started = Child(tmp_path_factory.mktemp("fuzzed"))
    yield started
    started.process.stdin.close()
    started.process.wait(60)


@pytest.fixture(scope="module")
def honest(tmp_path_factory):
    return honest_files(tmp_path_factory.mktemp("honest"))


def fuzzed(count):
    """Return the settings for `count` files, the same in every run. The first one with a problem is reported."""
    return settings(
        max_examples=count,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=[*HealthCheck],
        phases=[Phase.generate],  # shrinking would read slow files over and over
    )


DRAWN = {
    "kind": st.sampled_from(sorted(COMMANDS)),
    "which": PLACE,
    "part": st.one_of(st.none(), PLACE),
    "changes": CHANGES,
}


def require_harmless(child, honest, kind, which, part, changes):
    files = honest.get(kind, {})
    if not files:
        return
    name = sorted(files)[int(which * len(files))]
    content = changed(files[name], changes) if part is None else changed_within(files[name], part, changes)
    problem = child.problem_of(kind, {**files, name: content})
    assert problem is None, f"{kind}: {problem}"


def test_every_honest_file_is_read(child, honest):
    for kind, files in honest.items():
        assert child.problem_of(kind, files) is None


def test_every_kind_has_an_honest_file(honest):
    optional = {"onnx", "yaml"}
    assert set(COMMANDS) - optional <= set(honest) <= set(COMMANDS)


@pytest.mark.parametrize(
    ("code", "problem"),
    [
        ("open('new', 'w').close()", "other files were written or deleted: .*/here/new"),
        ("import os; os.remove(__file__)", r"other files were written or deleted: .*/target/m\.py"),
        pytest.param("while True: pass", "the process ended with code -|not read within", marks=pytest.mark.slow),
        ("import os; os.abort()", "the process ended with code -"),
        ("raise BaseException('boom')", "ended with code 1\n(?s:.*)BaseException: boom"),
    ],
)
def test_the_child_notices_what_a_reader_must_not_do(child, code, problem):
    assert re.search(problem, child.problem_of("recipe", {"m.py": f"{code}\ndef build(): pass\n".encode()}) or "")


def test_more_memory_than_the_limit_is_refused(child):
    taken = b"taken = bytearray(3 * 2**30)\ndef build(): pass\n"
    assert child.problem_of("recipe", {"m.py": taken}) is None


@settings(fuzzed(DAILY))
@given(**DRAWN)
def test_a_changed_file_is_read_or_refused_in_one_line(child, honest, kind, which, part, changes):
    require_harmless(child, honest, kind, which, part, changes)


@pytest.mark.slow
@settings(fuzzed(MANY))
@given(**DRAWN)
def test_many_changed_files_are_read_or_refused_in_one_line(child, honest, kind, which, part, changes):
    require_harmless(child, honest, kind, which, part, changes)


# Kinds that Python code reads; libraries in C do the others.
IN_PYTHON = (
    "architecture",
    "checkpoint",
    "keras",
    "npy",
    "program",
    "results",
    "run",
    "safetensors",
    "weights",
    "yaml",
)


@pytest.mark.slow
@pytest.mark.parametrize("kind", IN_PYTHON)
def test_files_that_reach_new_lines_are_read_or_refused_in_one_line(kind, tmp_path):
    pytest.importorskip("atheris")
    script = [sys.executable, str(CHILD.with_name("coverage_guided.py")), kind, str(GUIDED), str(tmp_path / "fuzzed")]
    done = subprocess.run(script, capture_output=True, text=True, errors="replace")
    assert done.returncode == 0, done.stderr[-3000:]
    assert f"Done {GUIDED} runs" in done.stderr
