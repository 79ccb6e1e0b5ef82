"""Methods of classes that are replaced for a time, in one thread alone."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any


class _Override:
    """A method of a class that calls a replacement in the threads that have one, and the original elsewhere."""

    def __init__(self, owner: type, name: str) -> None:
        self.original: Callable[..., Any] = getattr(owner, name)
        self.users = 0
        self.owner, self.name = owner, name
        self._is_inherited = name not in vars(owner)
        self._here = threading.local()

    @property
    def stack(self) -> list[Callable[..., Any]]:
        """The replacements in force in this thread, the innermost last."""
        if not hasattr(self._here, "stack"):
            self._here.stack = []
        return self._here.stack  # type: ignore[no-any-return]

    def install(self) -> None:
        def call(*arguments: Any, **keywords: Any) -> Any:
            stack = self.stack
            return (stack[-1] if stack else self.original)(*arguments, **keywords)

        setattr(self.owner, self.name, call)

    def remove(self) -> None:
        if self._is_inherited:
            delattr(self.owner, self.name)
        else:
            setattr(self.owner, self.name, self.original)


_overrides: dict[tuple[type, str], _Override] = {}
_overriding = threading.Lock()


@contextlib.contextmanager
def overridden(replacements: Iterable[tuple[type, str, Callable[..., Any]]]) -> Iterator[None]:
    """While it lasts, methods of classes are replaced in this thread alone; may be nested.

    Other threads that build models meanwhile keep the original methods. When the last user is done, the class has its
    own method back.

    Args:
        replacements: class, method name, and the function that takes the instance first.
    """
    active = [(_enter(owner, name), function) for owner, name, function in replacements]
    try:
        for override, function in active:
            override.stack.append(function)
        yield
    finally:
        for override, _ in active:
            override.stack.pop()
        _leave([override for override, _ in active])


def _enter(owner: type, name: str) -> _Override:
    with _overriding:
        override = _overrides.get((owner, name))
        if override is None:
            override = _overrides[owner, name] = _Override(owner, name)
            override.install()
        override.users += 1
        return override


def _leave(overrides: Sequence[_Override]) -> None:
    with _overriding:
        for override in overrides:
            override.users -= 1
            if not override.users:
                override.remove()
                del _overrides[override.owner, override.name]


def original_method(owner: type, name: str) -> Callable[..., Any]:
    """Return a method as its class has it, also while it is overridden."""
    override = _overrides.get((owner, name))
    return override.original if override else getattr(owner, name)
