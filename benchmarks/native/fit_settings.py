"""Settings of `keras.Model.fit` that cost speed or save it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class FitSettings:
    """Settings of `keras.Model.fit` that cost speed or save it.

    Attributes:
        steps_per_execution: steps in a call, between which Keras looks at nothing.
        jit_compile: whether XLA, or PyTorch's compiler, compiles the step.
    """

    steps_per_execution: int = 1
    jit_compile: bool = False

    @property
    def title(self) -> str:
        return f"{self.steps_per_execution} in a call{', compiled' if self.jit_compile else ''}"
