"""Progress of long operations, on standard error: bars on a terminal, plain lines elsewhere."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from ..backends.workers.worker import Event, Listener
from ..notebook.progress_events import NOTE, WARNING, position, progress_text
from ..storage.visible_text import visible
from .common import say
from .options.option_names import with_options

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

_SECONDS_BETWEEN_LINES = 5.0


@contextlib.contextmanager
def progress(title: str) -> Iterator[Listener]:
    """Yield a listener that shows the events of training, porting and measuring under a title.

    An event may carry its own `title`. Each title gets its own bar.
    """
    from rich.console import Console

    console = Console(stderr=True, highlight=False)
    if not console.is_terminal:
        yield _LineListener(title)
        return
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=24),
        TextColumn("{task.fields[text]}", markup=False),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console) as bars:
        yield _BarListener(bars, title)


class _BarListener:
    """Listener that draws the events of each title as one bar."""

    def __init__(self, bars: Progress, title: str):
        self._bars = bars
        self._title = title
        self._tasks: dict[str, TaskID] = {}
        self({"kind": "stage", "stage": "starting", "done": 0, "total": None})

    def __call__(self, event: Event) -> None:
        if event["kind"] in (WARNING, NOTE):
            self._bars.console.print(visible(_warning(event)), markup=False)
            return
        title = event.get("title", self._title)
        if title not in self._tasks:
            # The untitled bar only announced the start; a bar with a title replaces it.
            if title != self._title and self._title in self._tasks:
                self._bars.remove_task(self._tasks.pop(self._title))
            self._tasks[title] = self._bars.add_task(visible(title), text="", total=None)
        done, total = position(event)
        self._bars.update(self._tasks[title], completed=done, total=total, text=visible(progress_text(event)))


class _LineListener:
    """Listener that prints at most one line in five seconds, and always the end of each title."""

    def __init__(self, title: str):
        self._title = title
        self._next = time.monotonic() + _SECONDS_BETWEEN_LINES
        self._began: dict[str, float] = {}
        self._finished: set[str] = set()

    def __call__(self, event: Event) -> None:
        if event["kind"] in (WARNING, NOTE):
            say(_warning(event))
            return
        title = event.get("title", self._title)
        now = time.monotonic()
        began = self._began.setdefault(title, now)
        done, total = position(event)
        finished = total is not None and done >= total
        if title in self._finished or (now < self._next and not finished):
            return
        if finished:
            self._finished.add(title)
        self._next = now + _SECONDS_BETWEEN_LINES
        share = f" {done / total:4.0%}" if total else ""
        say(f"{title}:{share} {progress_text(event)} ({now - began:.0f} s)")


def _warning(event: Event) -> str:
    """Return a warning or a note as a line; it names the options of the command."""
    context = click.get_current_context(silent=True)
    text = with_options(str(event["text"]), context.command.params if context else ())
    return f"{event['kind']}: {text}"
