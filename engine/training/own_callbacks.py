"""Callbacks of the user: what would fail in the middle of a training, or be called by no one, is refused before it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...errors import OptionError
from ...functions import takes_arguments

# Arguments that Keras gives to the hooks of a callback, by what the hook is called at.
_HOOKS = {"epoch": 2, "train_batch": 2, "test_batch": 2, "predict_batch": 2, "train": 1, "test": 1, "predict": 1}


def require_callbacks(callbacks: Sequence[Any]) -> None:
    """Raise an OptionError unless these are callbacks whose hooks take what Keras gives them."""
    import keras

    for callback in callbacks:
        if not isinstance(callback, keras.callbacks.Callback):
            hint = f": call it, {callback.__name__}()" if isinstance(callback, type) else ""
            raise OptionError(f"`callbacks`: expected keras.callbacks.Callback objects, received {callback!r}{hint}")
        for name, count in ((f"on_{at}_{when}", count) for at, count in _HOOKS.items() for when in ("begin", "end")):
            if not takes_arguments(getattr(callback, name), count):
                expected = ", ".join(("epoch" if "epoch" in name else "batch", "logs")[-count:])
                raise OptionError(f"`callbacks`: {type(callback).__name__}.{name} must take (self, {expected})")
