"""trivium on a system that lacks what only POSIX has, such as Windows: simulated in a process of its own.

A module that needs such a part when it is imported would end every command there with an ImportError.
"""

import ast
import os
import subprocess
import sys
from pathlib import Path

import house
import pytest

pytestmark = pytest.mark.plain

POSIX_MODULES = frozenset(("fcntl", "grp", "posix", "pty", "pwd", "resource", "syslog", "termios", "tty"))
POSIX_NAMES = {
    "os": (
        *("O_CLOEXEC", "O_NONBLOCK", "fork", "forkpty", "getloadavg", "getpgid", "getuid", "killpg", "nice"),
        *("sched_getaffinity", "sched_setaffinity", "setsid", "statvfs", "sysconf", "uname"),
    ),
    "signal": ("SIGALRM", "SIGHUP", "SIGKILL", "SIGUSR1", "alarm", "setitimer"),
}
NOT_INSTALLED = ("keras", "tensorflow", "jax", "jaxlib", "torch", "onnx", "onnxruntime", "openvino", "ray", "optuna")

# Other packages are imported first: they have their own ways on Windows.
START = f"""
import importlib, os, signal, sys
import matplotlib.pyplot, multiprocessing.util, numpy, polars, psutil, pytest, rich.console, sklearn.base, tempfile

sys.modules.update(dict.fromkeys({[*NOT_INSTALLED, *sorted(POSIX_MODULES)]!r}))
for module, names in {POSIX_NAMES!r}.items():
    for name in names:
        sys.modules[module].__dict__.pop(name)
"""
IMPORT_EACH = f"""
failures = {{}}
imported = 0
for name in sys.argv[1:]:
    try:
        importlib.import_module(name)
        imported += 1
    except ImportError as error:
        if (error.name or "").partition(".")[0] not in {NOT_INSTALLED!r}:
            failures[name] = repr(error)
    except Exception as error:
        failures[name] = repr(error)
assert not failures, failures
print(imported, "imported")
"""
USE = """
from pathlib import Path
from trivium.backends import processor
from trivium.storage import atomic, memory, regular_file

path = Path("numbers.json")
atomic.write_json(path, [1, 2])
assert regular_file.read_regular(path) == path.read_bytes()
for content in ("old", "new"):
    with atomic.new_folder(Path(content)) as staged:
        (staged / "file").write_text(content)
atomic.replace_folder(Path("new"), Path("old"))
assert Path("old/file").read_text() == "new"
assert memory.memory_size() == memory.machine_memory() > 2**28
assert processor.cores() >= 1
sys.argv[1:] = ["recipes"]
from trivium.cli.main import main
main()
"""


def without_posix(code: str, *arguments: str, folder: Path) -> str:
    """The output of code in a process that lacks what only POSIX has, and every framework."""
    done = subprocess.run(
        [sys.executable, "-P", "-c", START + code, *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def imported_at_top(tree: ast.Module) -> set[str]:
    """The names of the modules that a module needs when it is imported: not those within functions."""
    statements = [node for node in tree.body if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    return {name.partition(".")[0] for node in statements for name in house.imported_names(node, ["trivium"])}


def test_modules_are_imported_and_files_written_without_posix(tmp_path):
    paths = (Path(module).with_suffix("").parts for module in house.modules() if "__main__" not in module)
    modules = [".".join(("trivium", *parts)).removesuffix(".__init__") for parts in paths]
    imported, table = without_posix(IMPORT_EACH + USE, *modules, folder=tmp_path).split(" imported\n")
    assert int(imported) > 0.7 * len(modules), "the others import a framework, which this process has not"
    assert "cnn/striding" in table


def test_no_module_imports_at_its_top_what_only_posix_has():
    """Those that import a framework, too."""
    trees = {module: house.tree_of(module) for module in house.modules()}
    assert {module: names for module, tree in trees.items() if (names := imported_at_top(tree) & POSIX_MODULES)} == {}


def test_an_import_of_posix_at_the_top_would_be_found():
    tree = ast.parse("import pwd\nfrom fcntl import lockf\ndef f():\n    import resource")
    assert imported_at_top(tree) == {"pwd", "fcntl"}
