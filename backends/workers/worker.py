"""A process per backend: run a function there, get its result and its progress back.

Keras computes with one backend for the life of a process, so whatever needs several runs each in a worker: started
once, reused for every later call, because importing a framework takes seconds. A worker is an ordinary child process
that speaks over its standard input and output; what a framework prints there goes to its log instead, whose last
lines an error shows. How things are said is in `messages.py`.

A call is given a function at the top of a module, or the name of a user's, `file.py:function`. The function may call `report(...)` to stream progress to
whoever called.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
import traceback
from collections.abc import Callable, Mapping, Sequence
from typing import IO, Any

from ... import errors
from ...functions import FunctionOrName, function_name, load_function
from .. import catalog
from .messages import Buffer, pack, read, write

Event = dict[str, Any]
Listener = Callable[[Event], None]

_LOG_LINES = 6


# --- the side that calls --------------------------------------------------------------------------------------------


class Worker:
    """A process that runs functions under one backend.

    Args:
        backend: the backend's name; it must be installed.
        threads: at most this many CPU threads for one operation; without it the framework's own choice.
        device: `cpu` keeps it on the CPU where there is an accelerator too.
        devices: how many devices the CPU counts for.

    Raises:
        BackendError: the backend is unknown or not installed.
    """

    def __init__(
        self,
        backend: str,
        *,
        threads: int | None = None,
        device: str | None = None,
        devices: int | None = None,
    ):
        self.backend = catalog.require(backend)
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the worker
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-c", f"from {__name__} import main; main()"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            env={**os.environ, **self.backend.settings(threads, device, devices)},
        )
        self._messages: queue.Queue[dict[str, Any] | None] = queue.Queue()
        self._lock = threading.Lock()
        self._busy = False
        threading.Thread(target=self._receive, daemon=True).start()

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    @property
    def pid(self) -> int:
        return self._process.pid

    def call(
        self,
        function: FunctionOrName,
        /,
        *arguments: Any,
        timeout: float | None = None,
        listener: Listener | None = None,
        **keywords: Any,
    ) -> Any:
        """Run a function in the worker and wait for its result.

        Arguments and results are what JSON holds, and NumPy arrays at any depth; tuples arrive as lists. A relative
        path means the same there as here: the worker follows to the caller's current folder.

        Args:
            timeout: seconds without any sign from the worker after which it is stopped; None waits for ever.
            listener: called with each event that the function reports.

        Raises:
            TriviumError: the function raised one; it is raised here with the same class and text.
            WorkerError: the worker crashed, was killed, hung, or the function raised something else.
        """
        with self._lock:
            message = call_request(function, arguments, keywords)
            self._busy = True
            try:
                self._send(message)
                return self._await_result(timeout, listener)
            except BaseException:
                # Half a request, or an answer that comes back later, would spoil the next call.
                if self.alive and self._busy:
                    self.kill()
                raise

    def prepare(self, function: FunctionOrName, /, *arguments: Any) -> Any:
        """`call`; where a worker is started again when it has died, it does this again too. This one is not."""
        return self.call(function, *arguments)

    def close(self) -> None:
        """Let the worker finish and end; kill it when it does not within two seconds."""
        with contextlib.suppress(BrokenPipeError, ValueError):
            self._stdin.close()
        try:
            self._process.wait(timeout=2)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        """End the worker at once."""
        self._process.kill()
        self._process.wait()

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def _stdin(self) -> IO[bytes]:
        assert self._process.stdin is not None
        return self._process.stdin

    def _send(self, request: list[Buffer]) -> None:
        try:
            write(self._stdin, request)
        except BrokenPipeError:
            raise self._died() from None

    def _receive(self) -> None:
        """Move messages to the queue until the worker ends; None marks the end."""
        assert self._process.stdout is not None
        try:
            while True:
                self._messages.put(read(self._process.stdout))
        except (EOFError, ValueError, OSError):
            self._messages.put(None)

    def _await_result(self, timeout: float | None, listener: Listener | None) -> Any:
        while True:
            try:
                message = self._messages.get(timeout=timeout)
            except queue.Empty:
                self.kill()
                raise errors.WorkerError(
                    f"{self.backend.title} worker gave no sign for {timeout:g} s and was stopped{self._last_lines()}"
                ) from None
            if message is None:
                raise self._died()
            if "event" in message:
                if listener:
                    listener(message["event"])
                continue
            self._busy = False
            if "error" in message:
                raise to_exception(message["error"], f"{self.backend.title} worker")
            return message["result"]

    def _died(self) -> errors.WorkerError:
        code = self._process.wait()
        if code == -signal.SIGKILL:
            cause = "was killed (signal 9; on Linux often for want of memory)"
        elif code < 0:
            cause = f"crashed (signal {-code})"
        else:
            cause = f"ended with exit status {code}"
        return errors.WorkerError(f"{self.backend.title} worker {cause}{self._last_lines()}")

    def _last_lines(self) -> str:
        """The end of what the worker printed, on one line, or nothing."""
        self._log.seek(0, os.SEEK_END)
        self._log.seek(max(0, self._log.tell() - 4000))
        lines = [line.strip() for line in self._log.read().decode(errors="replace").splitlines() if line.strip()]
        return "; its last lines: " + " | ".join(lines[-_LOG_LINES:]) if lines else ""


def call_request(function: FunctionOrName, arguments: Sequence[Any], keywords: Mapping[str, Any]) -> list[Buffer]:
    """The message that asks for a call: what `answer` answers."""
    call = {"function": function_name(function), "arguments": arguments, "keywords": keywords, "folder": os.getcwd()}
    return pack(call)


def to_exception(error: dict[str, str], source: str) -> errors.TriviumError:
    """What a call raised on the other side, with the same class and text where it is one of ours."""
    error_class = getattr(errors, error["kind"], None)
    if isinstance(error_class, type) and issubclass(error_class, errors.TriviumError):
        return error_class(error["text"])
    exception = errors.WorkerError(f"{source}: {error['kind']}: {error['text'].splitlines()[0]}")
    exception.add_note(error["traceback"])
    return exception


_running: dict[tuple[str, int | None, str | None], Worker] = {}


def get(backend: str, *, threads: int | None = None, device: str | None = None) -> Worker:
    """The shared worker of a backend, started on first use and again after it died."""
    worker = _running.get((backend, threads, device))
    if worker is None or not worker.alive:
        worker = _running[backend, threads, device] = Worker(backend, threads=threads, device=device)
    return worker


@atexit.register
def close_all() -> None:
    """End every shared worker."""
    while _running:
        _running.popitem()[1].close()


# --- the side that is called ----------------------------------------------------------------------------------------

_reporter: Listener | None = None


def report(**event: Any) -> None:
    """Stream an event to the caller, when this process is a worker; otherwise do nothing."""
    if _reporter:
        _reporter(event)


def report_to(listener: Listener) -> None:
    """Let what is reported in this process be heard."""
    global _reporter
    _reporter = listener


def main() -> None:
    """Serve calls until the caller closes its end or dies."""
    requests, replies = _claim_standard_streams()
    report_to(lambda event: write(replies, pack({"event": event})))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the caller decides what it means
    waiting: queue.Queue[dict[str, Any]] = queue.Queue()
    threading.Thread(target=_listen, args=(requests, waiting), daemon=True).start()
    while True:
        write(replies, answer(waiting.get()))


def _claim_standard_streams() -> tuple[IO[bytes], IO[bytes]]:
    """Keep the two pipes for messages, and send everything that is printed to the log."""
    requests, replies = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    return requests, replies


def _listen(requests: IO[bytes], waiting: queue.Queue[dict[str, Any]]) -> None:
    """Queue the requests; end the process when the caller has gone, even in the middle of a long computation."""
    try:
        while True:
            waiting.put(read(requests))
    except EOFError:
        os._exit(0)


def answer(request: dict[str, Any]) -> list[Buffer]:
    """Do what a request asks for; the message that says what came of it."""
    try:
        os.chdir(request["folder"])
        function = load_function(request["function"])
        return pack({"result": function(*request["arguments"], **request["keywords"])})
    except Exception as error:
        text = str(error) or type(error).__name__
        return pack({"error": {"kind": type(error).__name__, "text": text, "traceback": traceback.format_exc()}})
