"""What is said when somebody asks how a run's epochs would go."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ...backends import catalog, runtime
from . import plans
from .plan_timing import Timing
from .plans import Choice


@dataclass(frozen=True)
class Explanation:
    """The plans that a run could go by.

    Attributes:
        recipe: its name.
        batch_size: samples in a step.
        steps: of the whole run.
        chosen: the plan that it would go by, with what was measured of all.
    """

    recipe: str
    batch_size: int
    steps: int
    chosen: Choice

    @property
    def timings(self) -> Mapping[str, Timing]:
        """Of each plan by its name, the one that is done first before the others; empty where there was no choice."""
        found = self.chosen.timings or {}
        return dict(sorted(found.items(), key=lambda item: item[1].run(self.steps)))

    @property
    def why(self) -> str:
        """Why this plan is taken, in words."""
        if self.chosen.why or not self.chosen.plan:
            return self.chosen.why
        if not self.timings:
            return "named, or the only one for this model and these settings"
        if self.steps < plans.STEPS_WORTH_TIMING:
            return f"a run of fewer than {plans.STEPS_WORTH_TIMING:,} steps goes by the rule"
        first = next(iter(self.timings))
        return "done first" if self.chosen.name == first else f"by the rule: {first} is not clearly faster"

    def to_json(self) -> dict[str, Any]:
        return {
            "schema": 1,
            "recipe": self.recipe,
            "backend": catalog.selected().name,
            "device": runtime.current().devices()[0].kind,
            "batch_size": self.batch_size,
            "steps": self.steps,
            "plan": self.chosen.name,
            "why": self.why,
            "remembered": self.chosen.remembered,
            "candidates": [
                {"plan": name, "compile": timing.compile, "step": timing.step, "run": timing.run(self.steps)}
                for name, timing in self.timings.items()
            ],
            "failed": dict(self.chosen.failed or {}),
        }
