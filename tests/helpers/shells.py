"""Lines typed into a real shell, with the TAB key, on a terminal of its own."""

import os
import pty
import subprocess
import sys
import time

_SHELLS = {
    "bash": (["bash", "--norc", "--noprofile", "-i"], "source {script}"),
    "zsh": (["zsh", "-f", "-i"], "autoload -U compinit; compinit -u -D; source {script}"),
}
_LIMIT = 60.0
_TYPED = "typed"


def completed(shell, script, line, folder):
    """Return the line that a shell makes of the beginning of one when TAB is pressed.

    The command `trivium` of the shell is that of this Python while it completes; else it writes down its arguments.

    Args:
        shell: bash, zsh or fish.
        script: what `trivium completion` prints.
        line: the beginning of a command line.
        folder: the working folder.
    """
    program, written, typed = folder / "trivium", folder / "script", folder / _TYPED
    program.write_text(
        "#!/bin/sh\n"
        f'[ -n "$_TRIVIUM_COMPLETE" ] && exec "{sys.executable}" -m trivium "$@"\n'
        f'echo trivium "$@" > "{typed}.part" && mv "{typed}.part" "{typed}"\n'
    )
    program.chmod(0o755)
    written.write_text(script)
    environment = {**os.environ, "PATH": f"{folder}:{os.environ['PATH']}", "TERM": "dumb", "HOME": str(folder)}
    if shell == "fish":  # which completes without a terminal, too
        command = ["fish", "-N", "-c", f"source {written}; complete -C '{line}'"]
        answers = subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True, timeout=_LIMIT)
        (answer,) = (each.split("\t")[0] for each in answers.stdout.splitlines())
        return f"{line.rpartition(' ')[0]} {answer}"
    return _typed(shell, written, line, environment, folder)


def _typed(shell, script, line, environment, folder):
    command, preparation = _SHELLS[shell]
    ours, theirs = pty.openpty()
    settings = {"env": environment, "cwd": folder, "start_new_session": True}
    process = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, **settings)
    os.close(theirs)
    try:
        os.write(ours, f"{preparation.format(script=script)}\n{line}\t\n".encode())
        end = time.monotonic() + _LIMIT
        while not (folder / _TYPED).exists() and time.monotonic() < end:
            os.read(ours, 65536)  # a shell waits until its output is read
        return (folder / _TYPED).read_text().strip()
    finally:
        process.kill()
        process.wait()
        os.close(ours)
