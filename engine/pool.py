"""Several workers of one backend, the cores divided among them: started once, kept warm for the next call."""

from __future__ import annotations

import atexit
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from ..backends import catalog, worker
from ..backends.runtime import cores
from ..backends.worker import Event, Worker

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


def run(workers: Sequence[Worker], calls: Sequence[Call], hear: Hear | None = None) -> list[Any]:
    """What the calls return, in their order; each goes to the next worker that is free.

    Args:
        hear: called with a call's number and what it reports, by one thread at a time.

    Raises:
        TriviumError: what the first call that failed raised; no further one begins.
        KeyboardInterrupt: the workers are stopped, for they would not notice.
    """
    shared = iter(range(len(calls)))
    return _serve_all(workers, [shared] * len(workers), calls, hear)


def each(workers: Sequence[Worker], call: Call) -> list[Any]:
    """What every worker returns for the call, all at the same time.

    Raises:
        TriviumError, KeyboardInterrupt: as `run` does.
    """
    return _serve_all(workers, [iter([number]) for number in range(len(workers))], [call] * len(workers), None)


def _serve_all(
    workers: Sequence[Worker], numbers: Sequence[Iterator[int]], calls: Sequence[Call], hear: Hear | None
) -> list[Any]:
    """Let each worker serve the calls whose numbers it gets, until there are none left."""
    results: list[Any] = [None] * len(calls)
    failures: list[BaseException] = []
    lock = threading.Lock()  # of the iterators, and of whoever hears

    def next_number(mine: Iterator[int]) -> int | None:
        with lock:
            return None if failures else next(mine, None)

    def serve(process: Worker, mine: Iterator[int]) -> None:
        while (number := next_number(mine)) is not None:
            function, arguments = calls[number]
            try:
                results[number] = process.call(function, *arguments, listener=_hearing(number, hear, lock))
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
