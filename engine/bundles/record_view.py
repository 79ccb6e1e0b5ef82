"""A bundle in a notebook, by the record of its run. The record may come from a stranger: it can hold anything."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any
from xml.etree.ElementTree import Element

from ...data.dataset import Labels
from ...notebook.curves import curves
from ...notebook.parts import heading, metrics_table, sentences
from ..runs.history import History

_MOST_LABELS = 20


def summary(record: Mapping[str, Any]) -> str:
    """Return in a line what was trained, where, and on what."""
    backend, data = _field(record, "environment", "backend"), _field(record, "dataset", "name")
    return ", ".join(
        [
            str(record.get("recipe") or "a model"),
            *([f"trained on {backend}"] if backend else []),
            *([f"data {data}"] if data else []),
        ]
    )


def record_view(title: str, record: Mapping[str, Any], labels: Labels) -> list[Element | None]:
    """Return the parts of a view: what was trained, its curves, its metrics on the test split, its classes."""
    history = _history(record.get("history"))
    parts = {"last epoch": history.epochs[-1] if len(history) else {}, "test": _numbers(record.get("evaluation"))}
    count = record.get("parameters")
    parameters = f"{count:,} parameters" if isinstance(count, int) else ""
    names = list(labels) if isinstance(labels, tuple) else []
    rest = ", …" if len(names) > _MOST_LABELS else ""
    return [
        heading(title, summary(record), parameters),
        *curves(dict(enumerate(history.epochs, 1)), best=history.best_epoch if len(history) > 1 else None),
        metrics_table(parts),
        *sentences(["classes: " + ", ".join(names[:_MOST_LABELS]) + rest] if names else []),
    ]


def _field(record: Mapping[str, Any], part: str, name: str) -> str:
    values = record.get(part)
    return str(values.get(name) or "") if isinstance(values, dict) else ""


def _history(value: Any) -> History:
    try:
        return History.from_json(value)
    except TypeError:
        return History()


def _numbers(value: Any) -> dict[str, float]:
    """Return the numbers of a JSON object, with NaN for those that JSON cannot hold."""
    if not isinstance(value, dict):
        return {}
    numbers = {name: math.nan if number is None else number for name, number in value.items()}
    return {name: number for name, number in numbers.items() if isinstance(number, float | int)}
