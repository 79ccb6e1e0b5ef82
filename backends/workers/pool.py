"""A pool of workers of one backend that share the cores; they are started once and reused."""

from __future__ import annotations

import atexit
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from ...functions import FunctionOrName
from .. import catalog
from ..runtime import cores
from . import worker
from .protocol import WorkerProtocol
from .worker import Event, Worker

_running: dict[tuple[str, int], list[Worker]] = {}

Call = tuple[FunctionOrName, tuple[Any, ...]]  # a function and its arguments
CallListener = Callable[[int, Event], None]
ResultListener = Callable[[int, Any], None]


def get(count: int, backend: str | None = None) -> list[Worker]:
    """Return `count` live workers, each on its share of the cores.

    Raises:
        BackendError: the backend is unknown or not installed.
    """
    name = (catalog.require(backend) if backend else catalog.selected()).name
    if count == 1:
        return [worker.get(name)]  # the shared worker
    threads = max(1, cores() // count)
    members = [process for process in _running.get((name, threads), []) if process.alive]
    members += [Worker(name, threads=threads) for _ in range(len(members), count)]
    _running[name, threads] = members
    return members[:count]


def run(
    workers: Sequence[WorkerProtocol],
    calls: Sequence[Call],
    listener: CallListener | None = None,
    *,
    on_result: ResultListener = lambda number, result: None,
    goes_on: Callable[[], bool] = lambda: True,
) -> list[Any]:
    """Return the results of the calls, in their order; each call goes to the next free worker.

    Args:
        listener: called with a call's number and each of its events, by one thread at a time.
        on_result: called with a call's number and its result, as soon as it is there, by one thread at a time.
        goes_on: asked before each call is begun; where it says no, that call and all after it have the result None.

    Raises:
        TriviumError: the error of the first call that failed; no further call is begun.
        KeyboardInterrupt: the workers are killed first, because they ignore interrupts.
    """
    numbers = iter(range(len(calls)))
    lock = threading.Lock()

    def answer(process: WorkerProtocol, number: int) -> Any:
        if not goes_on():
            return None
        function, arguments = calls[number]
        result = process.call(function, *arguments, listener=_numbered_listener(number, listener, lock))
        with lock:
            on_result(number, result)
        return result

    return _serve_all(workers, [numbers] * len(workers), answer, len(calls))


def prepare_all(workers: Sequence[WorkerProtocol], call: Call) -> list[Any]:
    """Make the same call in every worker at once, to prepare them for later calls; return the results.

    Raises:
        TriviumError, KeyboardInterrupt: as for `run`.
    """
    function, arguments = call
    numbers = [iter([number]) for number in range(len(workers))]
    return _serve_all(workers, numbers, lambda process, number: process.prepare(function, *arguments), len(workers))


def _serve_all(
    workers: Sequence[WorkerProtocol],
    numbers: Sequence[Iterator[int]],
    answer: Callable[[WorkerProtocol, int], Any],
    count: int,
) -> list[Any]:
    """Let each worker make the calls with its numbers until there are none left; return all results."""
    results: list[Any] = [None] * count
    failures: list[BaseException] = []
    lock = threading.Lock()  # of the iterators

    def next_number(own_numbers: Iterator[int]) -> int | None:
        with lock:
            return None if failures else next(own_numbers, None)

    def serve(process: WorkerProtocol, own_numbers: Iterator[int]) -> None:
        while (number := next_number(own_numbers)) is not None:
            try:
                results[number] = answer(process, number)
            except Exception as error:
                failures.append(error)

    threads = [threading.Thread(target=serve, args=pair, daemon=True) for pair in zip(workers, numbers, strict=True)]
    for thread in threads:
        thread.start()
    try:
        for thread in threads:
            thread.join()
    except KeyboardInterrupt:
        for process in workers:
            process.kill()
        raise
    if failures:
        raise failures[0]
    return results


def _numbered_listener(
    number: int, listener_of_all: CallListener | None, lock: threading.Lock
) -> Callable[[Event], None] | None:
    if listener_of_all is None:
        return None
    heard = listener_of_all

    def listener(event: Event) -> None:
        with lock:
            heard(number, event)

    return listener


@atexit.register
def close_all() -> None:
    """End every worker of the pool."""
    while _running:
        for process in _running.popitem()[1]:
            process.close()
