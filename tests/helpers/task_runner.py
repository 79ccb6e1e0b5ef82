"""Run the blocks of a page as a reader does, but trivium and Python in this process, which has Keras already."""

import io
import os
import re
import runpy
import shlex
import socket
import subprocess
import sys
import time
from contextlib import redirect_stdout
from importlib.metadata import metadata
from pathlib import Path

from packaging.requirements import Requirement
from written_tasks import Block

PORT = 8000  # of the servers on the pages; another one in the tests, where this may be taken
_PATIENCE = 60  # seconds
_PROGRAM = re.compile(r"^((?:\w+=\S+ )*)(python|pytest|trivium)\b")
_OWN = {
    "python": sys.executable,
    "pytest": f"{sys.executable} -m pytest -p no:cacheprovider",
    "trivium": f"{sys.executable} -m trivium",
}


class TaskRunner:
    """Runs blocks in the current folder.

    Args:
        cli: the fixture that runs a command of trivium.

    Attributes:
        outputs: what each command wrote to standard output and standard error, with single blanks.
    """

    def __init__(self, cli) -> None:
        self.outputs: list[str] = []
        self._cli = cli
        self._servers: list[subprocess.Popen[bytes]] = []
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self._port = free.getsockname()[1]

    def run(self, block: Block) -> None:
        """Write the file of a block, or run its code; a command that fails is an AssertionError."""
        if block.file:
            Path(block.file).write_text(block.code)
        elif block.is_run and block.kind == "python":
            exec(compile(block.code, "a block of the page", "exec"), {"__name__": "__main__"})
        elif block.is_run:
            *others, last = block.commands
            for command in others:
                self._run(command, 0)
            self._run(last, block.exit_code)

    def stop(self) -> None:
        """End the servers."""
        for server in self._servers:
            server.terminate()
            server.wait(_PATIENCE)

    def serve(self, command: list[str], **environment: str) -> None:
        """Start a server, and wait until it accepts connections."""
        command = [word.replace(str(PORT), str(self._port)) for word in command]
        self._servers.append(subprocess.Popen(command, env={**os.environ, **environment}))
        deadline = time.monotonic() + _PATIENCE
        while self._servers[-1].poll() is None and time.monotonic() < deadline:
            with socket.socket() as connection:
                if connection.connect_ex(("127.0.0.1", self._port)) == 0:
                    return
            time.sleep(0.1)
        raise AssertionError(f"{command} does not answer")

    def request(self, command: str) -> str:
        """Send a request to a server, and return its answer."""
        done = subprocess.run(self._own(command), shell=True, capture_output=True, text=True, check=True)
        return done.stdout

    def _run(self, command: str, exit_code: int) -> None:
        program, *arguments = shlex.split(command)
        if program == "pip":
            _require_known(arguments)
        elif program == "uvicorn":
            self.serve([sys.executable, "-m", program, *(word for word in arguments if word != "&")])
        elif program == "trivium" and "--backend" not in arguments:
            file = arguments.pop() if ">" in arguments else ""
            outcome = self._cli(*(word for word in arguments if word != ">"))
            if file:
                Path(file).write_text(outcome.out)
            self._keep(command, outcome.code, outcome.out + outcome.err, exit_code)
        elif program == "python" and arguments[0].endswith(".py"):
            with redirect_stdout(io.StringIO()) as output:
                runpy.run_path(arguments[0], run_name="__main__")
            self._keep(command, 0, output.getvalue(), exit_code)
        else:
            self._run_beside(command, exit_code)

    def _run_beside(self, command: str, exit_code: int) -> None:
        """Run a command of the shell: a process of its own."""
        done = subprocess.run(self._own(command), shell=True, capture_output=True, text=True)
        self._keep(command, done.returncode, done.stdout + done.stderr, exit_code)

    def _own(self, command: str) -> str:
        """Return a command with this Python, and with the port of this runner."""
        line = _PROGRAM.sub(lambda match: match[1] + _OWN[match[2]], command)
        return line.replace(f":{PORT}", f":{self._port}")

    def _keep(self, command: str, code: int, output: str, exit_code: int) -> None:
        assert code == exit_code, f"{command} ended with {code}: {output}"
        self.outputs.append(re.sub(r"\s+", " ", output))


def _require_known(arguments: list[str]) -> None:
    """Check `pip install …`, which is not run: trivium has the extras that it names."""
    known = set(metadata("trivium").get_all("Provides-Extra") or ())
    for word in arguments[1:]:
        if not word.startswith("-"):
            requirement = Requirement(word)
            assert requirement.name != "trivium" or requirement.extras <= known, word
