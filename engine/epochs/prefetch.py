"""Batches that are read and prepared in the background, while the model trains on those before them.

A thread reads ahead by a few batches, no more, so that the memory stays bounded. An error in it is raised where its
batch is asked for.
"""

from __future__ import annotations

import collections
import contextlib
import queue
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Generic, TypeVar

Item = TypeVar("Item")

# Batches that are read ahead: enough for one that takes longer than the others.
_AHEAD = 4
# How soon a thread with a full queue notices that it is to end.
_PATIENCE = 0.1  # seconds
_THREAD = "trivium-prefetch"


class Prefetcher(Generic[Item]):
    """Batches by their place in an epoch, read ahead in their order.

    A place out of order is served too; reading ahead begins again from there.

    Args:
        fetch: (epoch, place) → batch; called in another thread, one call at a time.
        steps: batches per epoch, after which nothing is read ahead.
        ahead: how many batches are read ahead.

    The thread begins with the first batch that is asked for, also after `close`.
    """

    def __init__(self, fetch: Callable[[int, int], Item], steps: int, ahead: int = _AHEAD):
        self._fetch, self._steps, self._most = fetch, steps, ahead
        self._thread: ThreadPoolExecutor | None = None
        self._ahead: collections.deque[tuple[int, int, Future[Item]]] = collections.deque()

    def __call__(self, epoch: int, place: int) -> Item:
        if not self._ahead or self._ahead[0][:2] != (epoch, place):
            self._forget()
            self._submit(epoch, place)
        _, _, batch = self._ahead.popleft()
        last = self._ahead[-1][1] if self._ahead else place
        for following in range(last + 1, min(place + self._most, self._steps - 1) + 1):
            self._submit(epoch, following)
        return batch.result()

    def read_ahead(self, epoch: int, place: int) -> None:
        """Read this batch too, after those that are being read; it is the one that will be asked for next."""
        self._submit(epoch, place)

    def close(self) -> None:
        """End the thread; a batch that is being read is waited for."""
        self._forget()
        if self._thread:
            self._thread.shutdown(wait=True)
            self._thread = None

    def _submit(self, epoch: int, place: int) -> None:
        self._thread = self._thread or ThreadPoolExecutor(max_workers=1, thread_name_prefix=_THREAD)
        self._ahead.append((epoch, place, self._thread.submit(self._fetch, epoch, place)))

    def _forget(self) -> None:
        for *_, batch in self._ahead:
            batch.cancel()
        self._ahead.clear()


class PrefetchedIterator(Iterator[Item]):
    """The items of an iterator, read ahead in another thread from the first request on.

    Args:
        items: advanced in that thread alone.
    """

    def __init__(self, items: Iterator[Item]):
        self._items = items
        # Items, then the exception that ended them.
        self._ready: queue.Queue[tuple[Item | None, BaseException | None]] = queue.Queue(maxsize=_AHEAD)
        self._closed = threading.Event()
        self._thread: threading.Thread | None = None

    def __next__(self) -> Item:
        if self._thread is None:
            self._thread = threading.Thread(target=self._read, name=_THREAD, daemon=True)
            self._thread.start()
        item, error = self._ready.get()
        if error:
            self._ready.put((None, error))  # for further requests
            raise error
        return item  # type: ignore[return-value]

    def close(self) -> None:
        """End the thread; an item that is being read is waited for."""
        self._closed.set()
        if self._thread:
            self._thread.join()

    def _read(self) -> None:
        error: BaseException = StopIteration()
        try:
            for item in self._items:
                if not self._put(item, None):
                    return
        except BaseException as raised:  # raised again in the thread that asks for the item
            error = raised
        self._put(None, error)

    def _put(self, item: Item | None, error: BaseException | None) -> bool:
        """Wait for room and add an item; return whether there is still somebody to read it."""
        while not self._closed.is_set():
            with contextlib.suppress(queue.Full):
                self._ready.put((item, error), timeout=_PATIENCE)
                return True
        return False
