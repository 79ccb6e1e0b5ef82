"""The output of `trivium train --explain`: the plans that a run could use."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..backends import catalog
from .common import console, print_json, seconds, table

if TYPE_CHECKING:
    from ..engine.epochs.explanation import Explanation


def show(explanation: Explanation, as_json: bool) -> None:
    """Print the candidate plans with their times, and the plan that is chosen."""
    if as_json:
        print_json(explanation.to_json())
        return
    screen = console()
    where = f"{explanation.recipe} on {catalog.selected().title}"
    if explanation.timings:
        screen.print(_candidates(explanation, where))
    for name, why in (explanation.choice.failed or {}).items():
        screen.print(f"{name} cannot be used here: {why}")
    screen.print(f"run by      {explanation.choice.name}: {explanation.why}")
    if explanation.choice.from_cache:
        screen.print("measured    by an earlier run; the times are in your cache")
    elif explanation.timings:
        screen.print(f"measured    in {seconds(explanation.choice.seconds)} s, and saved for later runs")


def _candidates(explanation: Explanation, where: str) -> object:
    steps = f"{explanation.steps:,} steps of {explanation.batch_size:,}"
    numbers = ("compile s", "step ms", "run s")
    shown = table("plan", *numbers, title=f"{where}, {steps}", right=numbers)
    for name, timing in explanation.timings.items():
        times = (timing.compile, timing.step * 1e3, timing.run(explanation.steps))
        shown.add_row(name, *(seconds(value) for value in times))
    return shown
