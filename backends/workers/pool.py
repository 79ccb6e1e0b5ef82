"""Several workers of one backend, the cores divided among them: started once, kept warm for the next call."""

from __future__ import annotations

import atexit
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from .. import catalog
from ..runtime import cores
from . import worker
from .protocol import AnyWorker
from .worker import Event, Worker

_running: dict[tuple[str, int], list[Worker]] = {}

Call = tuple[str, tuple[Any, ...]]  # a function's name and its arguments
Hear = Callable[[int, Event], None]


def get(count: int, backend: str | None = None) -> list[Worker]:
    """So many workers, alive; each computes on its share of the cores.

    Raises:
        BackendError: the backend is unknown or not installed.
    """
    name = (catalog.require(backend) if backend else catalog.selected()).name
    if count == 1:
        return [worker.get(name)]  # the one that everybody shares
    threads = max(1, cores() // count)
    known = [process for process in _running.get((name, threads), []) if process.alive]
    known += [Worker(name, threads=threads) for _ in range(len(known), count)]
    _running[name, threads] = known
    return known[:count]


def run(workers: Sequence[AnyWorker], calls: Sequence[Call], hear: Hear | None = None) -> list[Any]:
    """What the calls return, in their order; each goes to the next worker that is free.

    Args:
        hear: called with a call's number and what it reports, by one thread at a time.

    Raises:
        TriviumError: what the first call that failed raised; no further one begins.
        KeyboardInterrupt: the workers are stopped, for they would not notice.
    """
    shared = iter(range(len(calls)))
    lock = threading.Lock()

    def answer(process: AnyWorker, number: int) -> Any:
        function, arguments = calls[number]
        return process.call(function, *arguments, listener=_hearing(number, hear, lock))

    return _serve_all(workers, [shared] * len(workers), answer, len(calls))


def each(workers: Sequence[AnyWorker], call: Call) -> list[Any]:
    """What every worker returns for the call, all at the same time: what it is made ready by for later ones.

    Raises:
        TriviumError, KeyboardInterrupt: as `run` does.
    """
    function, arguments = call
    numbers = [iter([number]) for number in range(len(workers))]
    return _serve_all(workers, numbers, lambda process, number: process.prepare(function, *arguments), len(workers))


def _serve_all(
    workers: Sequence[AnyWorker],
    numbers: Sequence[Iterator[int]],
    answer: Callable[[AnyWorker, int], Any],
    count: int,
) -> list[Any]:
    """Let each worker answer the calls whose numbers it gets, until there are none left; their results."""
    results: list[Any] = [None] * count
    failures: list[BaseException] = []
    lock = threading.Lock()  # of the iterators

    def next_number(mine: Iterator[int]) -> int | None:
        with lock:
            return None if failures else next(mine, None)

    def serve(process: AnyWorker, mine: Iterator[int]) -> None:
        while (number := next_number(mine)) is not None:
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


def _hearing(number: int, hear: Hear | None, lock: threading.Lock) -> Callable[[Event], None] | None:
    if hear is None:
        return None
    heard = hear

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
