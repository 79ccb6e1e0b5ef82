"""How PyTorch's threads wait for each other while other processes are busy.

A thread of GNU's OpenMP that waits for the others turns on its core for milliseconds, so that the next operation finds
it awake. Where another process keeps one of the threads from its core, the others turn in vain, at each operation up to
a time slice of the scheduler, and an epoch takes five times as long. But if a process has more such threads than
processors, they leave their core after a moment (`gomp_managed_threads` in libgomp/config/linux/wait.h). So a second
team of threads, which does nothing, is there while other processes need the cores. Results do not depend on it.
"""

from __future__ import annotations

import functools
import os
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

import psutil
import torch
from threadpoolctl import threadpool_info

from ..processor import cores

# Variables by which the user says how threads wait.
_SAID_BY = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT")
# Cores: what other processes must take from the threads before these wait for a moment only, and what ends that.
_MUCH, _LITTLE = 0.3, 0.15
_SECONDS = 0.25  # from one look to the next: the kernel counts in hundredths
# Elements of an operation that PyTorch divides among its threads.
_DIVIDED = 2**20


@dataclass(frozen=True)
class ProcessorTimes:
    """Seconds since some moment.

    Attributes:
        now: elapsed.
        busy: of all processors that this process may use, by any process.
        own: of this process.
    """

    now: float
    busy: float
    own: float

    @classmethod
    def read(cls) -> ProcessorTimes:
        usable = psutil.Process().cpu_affinity()
        of_each = psutil.cpu_times(percpu=True)
        busy = sum(sum(of_each[place]) - of_each[place].idle - of_each[place].iowait for place in usable)
        return cls(time.monotonic(), busy, time.process_time())


class Waiting:
    """Decides now and then how the threads of this process wait.

    Args:
        read: returns the times of the processors.
        processors: how many this process may use.

    Attributes:
        is_brief: whether the threads wait for a moment only.
    """

    def __init__(self, read: Callable[[], ProcessorTimes], processors: int):
        self.is_brief = False
        self._read, self._processors = read, processors
        self._before: ProcessorTimes | None = None
        self._next_look = 0.0
        self._team: threading.Thread | None = None
        self._ended = threading.Event()

    def adapt(self) -> None:
        """Look at the processors, if the last look is long enough ago, and let the threads wait accordingly."""
        if time.monotonic() < self._next_look:
            return
        times = self._read()
        if self._before:
            self._decide(self._before, times)
        self._before, self._next_look = times, time.monotonic() + _SECONDS

    def close(self) -> None:
        """Let the threads wait as they do by themselves."""
        if self._team:
            self._ended.set()
            self._team.join()
        self._team, self.is_brief = None, False

    def _decide(self, before: ProcessorTimes, after: ProcessorTimes) -> None:
        others = (after.busy - before.busy - (after.own - before.own)) / (after.now - before.now)
        shortage = others - (self._processors - torch.get_num_threads())
        if shortage > _MUCH and not self.is_brief:
            self._begin()
        elif shortage < _LITTLE and self.is_brief:
            self.close()

    def _begin(self) -> None:
        """Add a team: OpenMP keeps one for each thread that has divided an operation, as long as that thread lives."""
        ready = threading.Event()
        self._ended.clear()

        def keep_a_team() -> None:
            torch.zeros(_DIVIDED).add_(1.0)
            ready.set()
            self._ended.wait()

        self._team = threading.Thread(target=keep_a_team, name="trivium-waiting", daemon=True)
        self._team.start()
        ready.wait()
        self.is_brief = True


def adapt() -> None:
    """Let this process' threads wait for each other as suits what other processes do; cheap, to be called often."""
    if torch.get_num_threads() > 1 and _is_adaptable():
        _of_this_process().adapt()


@functools.cache
def _of_this_process() -> Waiting:
    return Waiting(ProcessorTimes.read, cores())


@functools.cache
def _is_adaptable() -> bool:
    """Return whether PyTorch divides operations by GNU's OpenMP, and the user has not said how its threads wait."""
    if not sys.platform.startswith("linux") or any(name in os.environ for name in _SAID_BY):
        return False
    return any(pool["prefix"] == "libgomp" and "torch" in pool["filepath"] for pool in threadpool_info())
