"""The backend's own runners of a model: each is compiled once for data of one form, and takes others of that form."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

from ...backends import runtime
from ...backends.epochs import Data, EpochRunner, Plan


class CompiledRunners:
    """The runners of a model by the form of their data.

    Args:
        model: compiled, and with its metrics built.
        plan: one of the runtime's `plans`.
    """

    def __init__(self, model: Any, plan: Plan):
        self._model, self._plan = model, plan
        self._runners: dict[Hashable, EpochRunner] = {}

    def with_data(self, form: Hashable, data: Data, batch_size: int) -> EpochRunner:
        """Return the runner for data of this form, with these data in it.

        Args:
            form: the same for data of the same shapes and dtypes, and for no others.
        """
        runner = self._runners.get(form)
        if runner is None:
            runner = runtime.current().compile_epochs(self._model, data, batch_size, self._plan)
            self._runners[form] = runner
        runner.replace_data(data)
        return runner
