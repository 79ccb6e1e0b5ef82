"""Explain which plan a run would use, and why, without training."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ...backends import catalog, runtime
from . import plans
from .plan_timing import Timing
from .plans import PlanChoice


@dataclass(frozen=True)
class Explanation:
    """The plans that a run could use.

    Attributes:
        recipe: its name.
        batch_size: samples in a step.
        steps: in the whole run.
        choice: the plan that the run would use, with the timings of all plans.
    """

    recipe: str
    batch_size: int
    steps: int
    choice: PlanChoice

    @property
    def timings(self) -> Mapping[str, Timing]:
        """Plan name → timing, the plan that finishes first at the front; empty if the plans were not timed."""
        timings = self.choice.timings or {}
        return dict(sorted(timings.items(), key=lambda item: item[1].run(self.steps)))

    @property
    def why(self) -> str:
        """The reason for this plan."""
        if self.choice.why or not self.choice.plan:
            return self.choice.why
        if not self.timings:
            return "named, or the only one for this model and these settings"
        if self.steps < plans.STEPS_WORTH_TIMING:
            return f"a run of fewer than {plans.STEPS_WORTH_TIMING:,} steps goes by the rule"
        first = next(iter(self.timings))
        return "done first" if self.choice.name == first else f"by the rule: {first} is not clearly faster"

    def to_json(self) -> dict[str, Any]:
        return {
            "schema": 1,
            "recipe": self.recipe,
            "backend": catalog.selected().name,
            "device": runtime.current().devices()[0].kind,
            "batch_size": self.batch_size,
            "steps": self.steps,
            "plan": self.choice.name,
            "why": self.why,
            "remembered": self.choice.from_cache,
            "candidates": [
                {"plan": name, "compile": timing.compile, "step": timing.step, "run": timing.run(self.steps)}
                for name, timing in self.timings.items()
            ],
            "failed": dict(self.choice.failed or {}),
        }
