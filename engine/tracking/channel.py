"""A thread that talks to one tracker, so that the training never waits for it, and never fails with it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from queue import SimpleQueue

from ...errors import first_line

# How long the end of a run waits for one call.
PATIENCE = 60.0
_SECONDS_BETWEEN_LOOKS = 0.1


class Channel:
    """Makes calls in their order in a thread. After one that failed, the later ones are dropped.

    Args:
        patience: seconds that `close` waits for a call.

    Attributes:
        failure: the reason of the call that failed; empty if none did.
    """

    def __init__(self, patience: float = PATIENCE):
        self.failure = ""
        self._patience = patience
        self._calls: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._last_end = time.monotonic()
        self._thread = threading.Thread(target=self._run, name="trivium-tracker", daemon=True)
        self._thread.start()

    def submit(self, call: Callable[[], None]) -> None:
        self._calls.put(call)

    def close(self) -> None:
        """Wait until all calls are made, one fails, or one takes too long."""
        self._calls.put(None)
        self._last_end = time.monotonic()
        try:
            while self._thread.is_alive() and not self.failure:
                self._thread.join(_SECONDS_BETWEEN_LOOKS)
                if time.monotonic() - self._last_end > self._patience:
                    self.failure = f"no answer within {self._patience:g} s"
        except KeyboardInterrupt:  # the run is saved already
            self.failure = "stopped by Ctrl-C"

    def _run(self) -> None:
        while (call := self._calls.get()) is not None:
            if not self.failure:
                try:
                    call()
                except Exception as error:  # of the tracker's package, the network or the disk
                    self.failure = first_line(error, 200)
            self._last_end = time.monotonic()
