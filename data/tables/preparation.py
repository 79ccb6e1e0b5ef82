"""The steps that prepare the columns of a table, for a model that brings none of its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...models.recipe import PreprocessingStep, step
from ..columns import TEXT, Column


def steps_for(columns: Sequence[Column], **settings: Any) -> tuple[PreprocessingStep, ...]:
    """Return the steps for columns; sentences are the only column of a table.

    Args:
        columns: of the table.
        settings: of the step for columns of numbers and words, such as `numbers="min-max"`.
    """
    if columns and columns[0].kind == TEXT:
        return (step("text", column=columns[0].name),)
    return (step("table", columns=tuple(columns), **settings),) if columns else ()
