"""The events of a long operation as what one reads of them: how far it is, and a line of text.

`{"kind": "train", "epoch", "epochs", "step", "steps", "logs"}` is training, `logs` are of the last finished epoch;
`warning` and `note` are sentences, and hold a `text`; all others have a `stage`, and may have `done` and `total`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..functions import metrics_text

TRAIN = "train"
# The kind of an event that is a sentence to read, and no progress.
WARNING, NOTE = "warning", "note"


def position(event: Mapping[str, Any]) -> tuple[float, float | None]:
    """Return the steps done, and the total number of steps or None."""
    if event["kind"] == TRAIN:
        return (event["epoch"] - 1) * event["steps"] + event["step"], event["epochs"] * event["steps"]
    return event.get("done", 0), event.get("total")


def progress_text(event: Mapping[str, Any]) -> str:
    """Return the epoch with the metrics of the last finished one, or the stage."""
    if event["kind"] == TRAIN:
        return f"epoch {event['epoch']}/{event['epochs']}{_logs(event['logs'])}"
    return str(event["stage"])


def _logs(logs: Mapping[str, Any]) -> str:
    """Format the metrics of the last epoch: those of the validation data if there are any."""
    shown = [name for name in logs if name.startswith("val_")] or list(logs)
    return f"  {metrics_text({name: logs[name] for name in shown})}" if shown else ""
