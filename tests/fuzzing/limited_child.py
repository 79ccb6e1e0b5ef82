"""Reads files for a test in a process of its own that has 2 GB and 5 s for each, and looks at what else it touches.

The process serves one request after the other: it writes the files, forks, and lets the fork read them by the commands
of `readers.py`, so that whatever a file does to a process ends with it.
"""

import contextlib
import os
import pickle
import resource
import signal
import sys
import time
import traceback
from pathlib import Path

import readers

SECONDS, MEMORY = 5, 2 * 2**30
# Others use the machine too, so a file may wait for its processor time. Not every system enforces that limit itself.
WAIT = 12 * SECONDS
_CODES = (0, 1, 2)


def serve(scratch):
    """Answer (kind, files by name) with None, or with what went wrong; until the caller closes the pipe."""
    replies = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    for folder in ("target", "here", "home"):
        (scratch / folder).mkdir(parents=True)
    os.chdir(scratch / "here")
    os.environ |= {"HOME": str(scratch / "home"), "TMPDIR": str(scratch / "here"), "POLARS_MAX_THREADS": "1"}
    readers.prepare()
    with contextlib.suppress(EOFError):
        while True:
            kind, files = pickle.load(sys.stdin.buffer)
            replies.write(pickle.dumps(_read(scratch, kind, files)))
            replies.flush()


def _read(scratch, kind, files):
    target = scratch / "target"
    for name, content in files.items():
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        (target / name).write_bytes(content)
    before = _tree(scratch)
    output = scratch / "output"
    try:
        problem = _in_fork(kind, target, output) or _difference(before, _tree(scratch))
        return f"{problem}\n{output.read_text(errors='replace')[-3000:]}" if problem else None
    finally:
        output.unlink(missing_ok=True)
        for path in sorted(target.rglob("*"), reverse=True):
            path.rmdir() if path.is_dir() and not path.is_symlink() else path.unlink()


def _in_fork(kind, target, output):
    """Read the files in a fork; return what went wrong, or None."""
    began, process = time.monotonic(), os.fork()
    if process == 0:
        _limited(kind, target, output)
    while (ended := os.wait4(process, os.WNOHANG))[0] == 0:
        if time.monotonic() - began > WAIT:
            os.kill(process, signal.SIGKILL)
            os.waitpid(process, 0)
            return f"it was not read within {WAIT} s"
        time.sleep(0.001)
    code, used = os.waitstatus_to_exitcode(ended[1]), ended[2].ru_utime + ended[2].ru_stime
    if code == 0:
        return f"it took {used:.1f} s of processor time" if used > SECONDS else None
    return f"the process ended with code {code}"


def _limited(kind, target, output):
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    place = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    for stream in (1, 2):
        os.dup2(place, stream)
    code = 1
    try:
        for command in readers.COMMANDS[kind]:
            ended = command(target)
            assert ended in _CODES, f"exit code {ended}"
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _tree(folder):
    """Return size and time of each file below a folder, except of the output."""
    paths = (path for path in folder.rglob("*") if path.name != "output")
    return {path: (path.lstat().st_size, path.lstat().st_mtime_ns) for path in paths if not path.is_dir()}


def _difference(before, after):
    touched = [str(path) for path in {*before, *after} if before.get(path) != after.get(path)]
    return f"other files were written or deleted: {touched}" if touched else None


if __name__ == "__main__":
    serve(Path(sys.argv[1]))
