"""Why a run ended before its last epoch, in one sentence."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..runs.history import History

if TYPE_CHECKING:
    import keras


def reason(callbacks: Sequence[keras.callbacks.Callback], history: History, epochs: int) -> str:
    """Return when and why a callback ended the run, and which weights are kept; nothing where all epochs were trained.

    Args:
        callbacks: those that were called.
        history: of the epochs that were trained.
        epochs: as many were asked for.
    """
    import keras

    when = f"after epoch {len(history)} of {epochs}"
    for callback in callbacks:
        if isinstance(callback, keras.callbacks.EarlyStopping) and callback.stopped_epoch:
            return f"{when}: {_patience(callback)}; {_kept(callback)}"
    if len(history) >= epochs:
        return ""
    for callback in callbacks:
        if isinstance(callback, keras.callbacks.TerminateOnNaN):
            return f"{when}: a loss was not finite"
    return f"{when}: by a callback"


def _patience(callback: keras.callbacks.EarlyStopping) -> str:
    least = abs(callback.min_delta)
    by = f" by {least:g}" if least else ""
    epochs = f"{callback.patience} epochs" if callback.patience > 1 else "an epoch"
    return f"{callback.monitor} was not better{by} for {epochs}"


def _kept(callback: keras.callbacks.EarlyStopping) -> str:
    best = callback.best_epoch + 1
    if callback.restore_best_weights and callback.best_weights is not None:
        return f"the weights of epoch {best} are kept"
    return f"the weights of the last epoch are kept, not those of epoch {best}, which was best"
