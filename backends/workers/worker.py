"""Workers: one process per backend, which runs functions and returns their results and progress.

Keras has one backend for the life of a process, so work on several backends runs in one worker each. A worker is
started once and reused for later calls, because importing a framework takes seconds. It is a child process that
communicates over its standard input and output. Anything printed there goes to a log instead, and errors show its last
lines. `messages.py` defines the format of messages.

A call takes a function at the top level of a module, or the name of a user's function, `file.py:function`. The function
may call `report(...)` to stream progress to the caller.
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
from . import child_process
from .messages import Buffer, pack, read, write

Event = dict[str, Any]
Listener = Callable[[Event], None]

_LOG_LINES = 6
# How long the last messages of a process that has ended may take to arrive.
_DRAIN_SECONDS = 1.0
# How often a caller that is sending looks whether the process has ended.
_POLL_SECONDS = 0.2


# --- the caller's side ----------------------------------------------------------------------------------------------


class Worker:
    """A process that runs functions under one backend.

    Args:
        backend: the backend's name; it must be installed.
        threads: the maximum of CPU threads for one operation; by default the framework's own choice.
        device: `cpu` keeps the worker on the CPU even if there is an accelerator.
        devices: the number of devices into which the CPU is split.

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
        self._process = child_process.start(
            [sys.executable, "-P", "-c", f"from {__name__} import main; main({os.getpid()})"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            env={**os.environ, **self.backend.settings(threads, device, devices)},
        )
        self._messages: queue.Queue[dict[str, Any] | None] = queue.Queue()
        self._lock = threading.Lock()
        self._busy = False
        receiver = threading.Thread(target=self._receive, daemon=True)
        receiver.start()
        threading.Thread(target=self._wait_for_end, args=(receiver,), daemon=True).start()

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

        Arguments and results may consist of JSON values and, at any depth, NumPy arrays; tuples arrive as lists. The
        worker changes to the caller's current folder, so relative paths mean the same there.

        Args:
            timeout: seconds without a message after which the worker is stopped; None waits forever.
            listener: called with each event that the function reports.

        Raises:
            TriviumError: the function raised one; its class and text are kept.
            WorkerError: the worker crashed, was killed or hung, or the function raised another exception.
        """
        with self._lock:
            message = call_request(function, arguments, keywords)
            self._busy = True
            try:
                self._send(message)
                return self._await_result(timeout, listener)
            except BaseException:
                # Half a request, or a late answer, would break the next call.
                if self.alive and self._busy:
                    self.kill()
                raise

    def prepare(self, function: FunctionOrName, /, *arguments: Any) -> Any:
        """Call a function. Unlike a cluster worker, this one is never restarted, so there is nothing to repeat."""
        return self.call(function, *arguments)

    def close(self) -> None:
        """Ask the worker to end; kill it if it has not ended after two seconds."""
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
        """Send a request from another thread: a child of a dead worker may keep the pipe open without reading it."""
        failures: list[Exception] = []
        sender = threading.Thread(target=self._write, args=(request, failures), daemon=True)
        sender.start()
        while sender.is_alive() and self.alive:
            sender.join(_POLL_SECONDS)
        if failures or sender.is_alive() or not self.alive:
            raise self._died() from None

    def _write(self, request: list[Buffer], failures: list[Exception]) -> None:
        try:
            write(self._stdin, request)
        except (OSError, ValueError) as error:  # the pipe is broken, or closed
            failures.append(error)

    def _receive(self) -> None:
        """Move messages to the queue until the worker ends; None marks the end."""
        assert self._process.stdout is not None
        try:
            while True:
                self._messages.put(read(self._process.stdout))
        except (EOFError, ValueError, OSError):
            self._messages.put(None)

    def _wait_for_end(self, receiver: threading.Thread) -> None:
        """Mark the end once the process is gone: a child of it may keep the pipe open for longer."""
        self._process.wait()
        receiver.join(_DRAIN_SECONDS)
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
        if code == -9:  # SIGKILL, a name that Windows lacks
            cause = "was killed (signal 9; on Linux often for want of memory)"
        elif code < 0:
            cause = f"crashed (signal {-code})"
        else:
            cause = f"ended with exit status {code}"
        return errors.WorkerError(f"{self.backend.title} worker {cause}{self._last_lines()}")

    def _last_lines(self) -> str:
        """Return the last lines that the worker printed, as one line, or an empty string."""
        self._log.seek(0, os.SEEK_END)
        self._log.seek(max(0, self._log.tell() - 4000))
        lines = [line.strip() for line in self._log.read().decode(errors="replace").splitlines() if line.strip()]
        return "; its last lines: " + " | ".join(lines[-_LOG_LINES:]) if lines else ""


def call_request(function: FunctionOrName, arguments: Sequence[Any], keywords: Mapping[str, Any]) -> list[Buffer]:
    """Return the message that requests a call; `answer` handles it."""
    call = {"function": function_name(function), "arguments": arguments, "keywords": keywords, "folder": os.getcwd()}
    return pack(call)


def to_exception(error: dict[str, str], source: str) -> errors.TriviumError:
    """Return the exception that a call raised in the worker: as the same class if that is one of trivium's."""
    if error["trivium_class"]:
        error_class: type[errors.TriviumError] = getattr(errors, error["trivium_class"])
        return error_class(error["text"])
    text = next(iter(error["text"].strip().splitlines()), "")
    exception = errors.WorkerError(f"{source}: {error['kind']}: {text}")
    exception.add_note(error["traceback"])
    return exception


_running: dict[tuple[str, int | None, str | None], Worker] = {}


def get(backend: str, *, threads: int | None = None, device: str | None = None) -> Worker:
    """Return the shared worker of a backend, started on first use and again after it died."""
    worker = _running.get((backend, threads, device))
    if worker is None or not worker.alive:
        worker = _running[backend, threads, device] = Worker(backend, threads=threads, device=device)
    return worker


@atexit.register
def close_all() -> None:
    """End every shared worker."""
    while _running:
        _running.popitem()[1].close()


# --- the worker's side ----------------------------------------------------------------------------------------------

_reporter: Listener | None = None


def report(**event: Any) -> None:
    """Stream an event to the caller, when this process is a worker; otherwise do nothing."""
    if _reporter:
        _reporter(event)


def report_to(listener: Listener) -> None:
    """Set the listener of the events that this process reports."""
    global _reporter
    _reporter = listener


def main(parent: int) -> None:
    """Serve calls until the caller, the process with this id, closes the pipe or dies."""
    child_process.end_with_parent(parent)
    requests, replies = _claim_standard_streams()
    report_to(lambda event: write(replies, pack({"event": event})))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole process group; the caller handles it
    waiting: queue.Queue[dict[str, Any]] = queue.Queue()
    threading.Thread(target=_listen, args=(requests, waiting), daemon=True).start()
    while True:
        write(replies, answer(waiting.get()))


def _claim_standard_streams() -> tuple[IO[bytes], IO[bytes]]:
    """Reserve the two pipes for messages, and redirect everything that is printed to the log."""
    requests, replies = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    return requests, replies


def _listen(requests: IO[bytes], waiting: queue.Queue[dict[str, Any]]) -> None:
    """Queue requests. End the process when the caller has gone, even in the middle of a long computation."""
    try:
        while True:
            waiting.put(read(requests))
    except EOFError:
        os._exit(0)


def answer(request: dict[str, Any]) -> list[Buffer]:
    """Make the requested call; return the message with its result or error."""
    try:
        os.chdir(request["folder"])
        function = load_function(request["function"])
        return pack({"result": function(*request["arguments"], **request["keywords"])})
    except Exception as error:
        text = str(error) if str(error).strip() else type(error).__name__
        described = {"kind": type(error).__name__, "trivium_class": _trivium_class(error), "text": text}
        return pack({"error": {**described, "traceback": traceback.format_exc()}})


def _trivium_class(error: Exception) -> str:
    """Return the name of the nearest class of `trivium.errors` that an error is of; empty for any other error.

    A library may have a class of the same name, which is another.
    """
    return next(
        (
            each.__name__
            for each in type(error).__mro__
            if issubclass(each, errors.TriviumError) and getattr(errors, each.__name__, None) is each
        ),
        "",
    )
