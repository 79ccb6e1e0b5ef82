"""The progress of a function in one output of a notebook, which is updated in place.

It needs no widgets: `IPython.display` replaces an output by its identifier. Outside of a notebook nothing is shown, and
IPython is not imported. A function that is called with a `listener` shows nothing either.
"""

from __future__ import annotations

import functools
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ParamSpec, TypeVar
from xml.etree.ElementTree import Element

from ..storage.visible_text import visible
from .curves import curves
from .elements import to_html
from .parts import bar, heading, sentences
from .progress_events import NOTE, TRAIN, WARNING, position, progress_text

_SECONDS_BETWEEN_UPDATES, _MOST_SECONDS_BETWEEN_UPDATES = 1.0, 5.0
# Where an update takes long, as on a busy machine, the next one waits, so that it costs half a percent of the time.
_TIMES_ITS_COST = 200
_DONE = "done"
# Bars of single parts, such as backends; those that came first are dropped.
_MOST_BARS = 8
_MOST_SENTENCES = 12

P = ParamSpec("P")
R = TypeVar("R")
# Publishes the texts of an output by their MIME types, and each later call replaces them.
Publish = Callable[[Mapping[str, str]], None]


def shows_progress(function: Callable[P, R]) -> Callable[P, R]:
    """Return a function that shows its progress when it is called in a notebook without a `listener`.

    Args:
        function: takes the keyword `listener`, which is called with the events of `progress_events`.
    """

    @functools.wraps(function)
    def wrapper(*arguments: P.args, **keywords: P.kwargs) -> R:
        if keywords.get("listener") is not None or not in_notebook():
            return function(*arguments, **keywords)
        with LiveDisplay(_title(function.__name__, arguments), notebook_output()) as listener:
            return function(*arguments, **{**keywords, "listener": listener})  # type: ignore[arg-type]

    return wrapper


def in_notebook() -> bool:
    """Return whether this is a notebook's process: IPython runs in a kernel, not in a terminal."""
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    return hasattr(shell, "kernel")


def _title(name: str, arguments: tuple[object, ...]) -> str:
    """Return the function and what it is called for, as on the command line: `train cnn/striding`."""
    subject = next(iter(arguments), "")
    subject = getattr(subject, "name", subject)
    return f"{name} {subject}" if isinstance(subject, str) and subject else name


def notebook_output() -> Publish:
    """Return what publishes into one output of the running cell."""
    from IPython.display import DisplayHandle

    handle, is_shown = DisplayHandle(), False

    def publish(texts: Mapping[str, str]) -> None:
        nonlocal is_shown
        (handle.update if is_shown else handle.display)(dict(texts), raw=True)
        is_shown = True

    return publish


@dataclass
class _Part:
    """One bar: the newest event of a title, and when it began."""

    event: Mapping[str, Any]
    began: float


class LiveDisplay:
    """Listener that shows the newest events, and the curves of a training, at most once in a second.

    Args:
        title: of the whole.
        publish: shows the output, and replaces it.
        clock: returns seconds.
    """

    def __init__(self, title: str, publish: Publish, clock: Callable[[], float] = time.monotonic) -> None:
        self._title, self._publish, self._clock = title, publish, clock
        self._began = clock()
        self._next = self._began
        self._parts: dict[str, _Part] = {}
        self._sentences: list[tuple[str, str]] = []
        self._epochs: dict[int, Mapping[str, float]] = {}
        self._last_epoch = 0
        self._end = ""
        self._lock = threading.Lock()  # workers report from threads

    def __enter__(self) -> LiveDisplay:
        self._show()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        with self._lock:
            if kind and not self._parts:  # refused at once: the error says it all
                self._publish({"text/html": "", "text/plain": ""})
                return
            self._end = f"ended by {kind.__name__}" if kind else _DONE
            self._show()

    def __call__(self, event: Mapping[str, Any]) -> None:
        with self._lock:
            self._note(event)
            if self._clock() >= self._next:
                self._show()

    def _note(self, event: Mapping[str, Any]) -> None:
        if event["kind"] in (WARNING, NOTE):
            self._sentences.append((str(event["kind"]), str(event["text"])))
            return
        if event["kind"] == TRAIN:
            self._last_epoch = event["epochs"]
            if event["step"] == event["steps"] and event["logs"]:
                self._epochs[event["epoch"]] = event["logs"]
        title = str(event.get("title", ""))
        began = self._parts[title].began if title in self._parts else self._clock()
        self._parts[title] = _Part(event, began)

    def _show(self) -> None:
        began = self._clock()
        self._publish({"text/html": self._html(), "text/plain": self._text()})
        now = self._clock()
        pause = _TIMES_ITS_COST * (now - began)
        self._next = now + min(max(pause, _SECONDS_BETWEEN_UPDATES), _MOST_SECONDS_BETWEEN_UPDATES)

    def _html(self) -> str:
        head = heading(self._title, self._end, seconds_text(self._clock() - self._began))
        shown = list(self._parts.items())[-_MOST_BARS:]
        parts = [each for title, part in shown for each in self._bar(title, part)]
        texts = [each for kind, text in self._sentences[:_MOST_SENTENCES] for each in sentences([text], kind)]
        return to_html(head, *parts, *curves(self._epochs, last=self._last_epoch), *texts)

    def _bar(self, title: str, part: _Part) -> list[Element]:
        done, total = position(part.event)
        share = done / total if total else None
        if self._end == _DONE and share is not None and part.event["kind"] != TRAIN:
            share = 1.0  # the last event of a part may be where it began
        left = ""
        if share and share < 1 and not self._end:
            left = f"about {seconds_text((self._clock() - part.began) * (1 / share - 1))} left"
        return [*([bar(share)] if share is not None else []), heading(title, progress_text(part.event), left)]

    def _text(self) -> str:
        newest = next((progress_text(part.event) for part in reversed(self._parts.values())), "starting")
        return visible(f"{self._title}: {newest}")


def seconds_text(seconds: float) -> str:
    """Return a duration as text, such as `3.2 s` or `12:05 min`."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02} h" if hours else f"{minutes}:{rest:02} min"
