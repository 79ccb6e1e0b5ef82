"""The methods of `Runtime` that are the same on every backend that predicts and evaluates but does not train."""

from __future__ import annotations

import contextlib
from abc import ABC
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any, NoReturn

import numpy as np

from . import catalog
from .device_group import DeviceGroup
from .epochs import Data, EpochRunner, Plan
from .runtime import Minimise, Runtime


class InferenceOnly(Runtime, ABC):
    """A runtime that has no plans and refuses to train with a BackendError.

    Its entry in the catalogue has `trains=False`, so that commands fail earlier (`catalog.require_trainer`).
    """

    def make_deterministic(self) -> None:
        return

    def set_matmul_precision(self, name: str) -> None:
        """Do nothing: it computes on the CPU, to the full precision."""

    def carry_rnn_states(self, model: Any) -> AbstractContextManager[None]:
        return contextlib.nullcontext()

    def tuned(self, model: Any) -> AbstractContextManager[None]:
        return contextlib.nullcontext()

    def gradients(self, model: Any, x: Any, y: Any, *, training: bool = True) -> tuple[float, list[np.ndarray]]:
        _refuse()

    def call_step(self, model: Any, step: Callable[[Any, Minimise], Any], arguments: tuple[Any, ...]) -> Any:
        _refuse()

    def plans(self, model: Any, steps: int) -> list[Plan]:
        return []

    def compile_epochs(self, model: Any, data: Data, batch_size: int, plan: Plan) -> EpochRunner:
        _refuse()

    def device_group(self, count: int) -> DeviceGroup:
        _refuse()

    def init_process_group(self, rank: int, addresses: Sequence[str]) -> DeviceGroup:
        _refuse()


def _refuse() -> NoReturn:
    catalog.require_trainer()
    raise AssertionError("a backend that trains does not derive from InferenceOnly")
