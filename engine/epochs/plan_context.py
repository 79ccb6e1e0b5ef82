"""How a run's epochs are run: by which plan, in which order, and with what in force meanwhile."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import TypeVar

import keras

from ...backends import catalog, runtime
from ...backends.device_group import Group
from ...backends.same_run.crossentropy import owned_losses
from ...backends.same_run.portable_random import Draws, owned_draws
from ...backends.workers.worker import Listener
from ..data.dataset import Split
from . import plans
from . import precision as precisions
from .batches import Batches, Schedule
from .callbacks import ResetStates
from .epoch_loop import Loop
from .plan_timing import CannotRunError
from .plans import Choice

Result = TypeVar("Result")


class Course:
    """The course of one run.

    Args:
        schedule: which epochs, in which order.
        plan: by name, `auto` or `fit`.
        owned: whether initial weights, dropout and noise are ours.
        repeatable: whether the run must go by the same plan each time; then no clock decides.
        listener: called with a progress event before something takes seconds.
        group: the devices that train together, or None for one.
        precision: the policy of the run; see `precision.computing`.

    Attributes:
        outside: variables beside the model's that a step changes.
    """

    def __init__(
        self,
        schedule: Schedule,
        plan: str,
        owned: bool,
        repeatable: bool,
        listener: Listener | None,
        group: Group | None = None,
        precision: str | None = None,
    ):
        self.schedule = schedule
        self._plan = plan
        # Made once: they remember how much was drawn.
        self._draws = Draws.here() if owned else None
        self.outside = self._draws.variables if self._draws else []
        # The frameworks' own generators could not be put back after a trial.
        self._measures = plan == plans.AUTO and owned and not repeatable and not group
        self._group = group
        self._precision = precision
        self._listener = listener or (lambda event: None)
        self._refused = ""

    def carry_out(self, work: Callable[[], Result]) -> Result:
        """Do what `begun` is for; once more, by `fit`, where the framework cannot run the model by its own plans.

        Raises:
            Exception: it cannot run it by the plan that was named.
        """
        try:
            return work()
        except CannotRunError as refused:
            if self._plan != plans.AUTO:
                raise refused.__cause__ or refused from None
            self._refused = f"{catalog.selected().title} cannot compile its epochs: {refused}"
        return work()

    @contextlib.contextmanager
    def begun(
        self,
        model: keras.Model,
        data: Split | Batches,
        callbacks: Sequence[keras.callbacks.Callback],
        always: bool = False,
    ) -> Iterator[Choice]:
        """Choose the plan, and let hold while it lasts what must hold for it.

        Args:
            always: measure the plans that there are, however short the run.

        Raises:
            OptionError: there is no such plan for this model on this backend, or it cannot be used here.
            CannotRunError: the framework cannot run the model by any of its plans.
        """
        chosen = self._chosen(model, data, callbacks, self.schedule.steps(data))
        with self._in_force(model, chosen):
            if self._measures and chosen.plan and isinstance(data, Split):
                chosen = plans.by_measurement(
                    chosen, model, data, self.schedule, outside=self.outside, always=always, listen=self._tell
                )
            yield chosen

    def open_ended(
        self, model: keras.Model, data: Split, measure: bool = False
    ) -> tuple[Choice, Callable[[int], None]]:
        """The plan of a run without an end, and what trains so many more epochs by it, unless it is `fit`.

        Args:
            measure: time the plans, as a long run does, where that was not done earlier.
        """
        chosen = self.carry_out(lambda: self._endless(model, data, measure))
        with self._in_force(model, chosen):
            loop = Loop(chosen, model, data, [ResetStates()], self.schedule) if chosen.plan else None
        numbers = itertools.count()

        def train(epochs: int) -> None:
            assert loop, "by `fit` somebody else runs the epochs"
            with self._in_force(model, chosen):
                for epoch in itertools.islice(numbers, epochs):
                    loop.epoch(epoch)

        return chosen, train

    def _endless(self, model: keras.Model, data: Split, measure: bool) -> Choice:
        chosen = self._chosen(model, data, [], plans.MANY_STEPS)
        if not (self._measures and chosen.plan):
            return chosen
        if not measure:
            return plans.recalled(chosen, model, self.schedule)
        endless = replace(self.schedule, epochs=plans.MANY_STEPS)
        with self._in_force(model, chosen):
            return plans.by_measurement(chosen, model, data, endless, outside=self.outside, always=True)

    def _chosen(
        self,
        model: keras.Model,
        data: Split | Batches,
        callbacks: Sequence[keras.callbacks.Callback],
        steps: int,
    ) -> Choice:
        """The plan by the rule; `fit` once the framework has refused its own."""
        if self._refused:
            return Choice(None, self._refused)
        return plans.choose(model, data, callbacks, steps, self._plan, self._group)

    @contextlib.contextmanager
    def _in_force(self, model: keras.Model, chosen: Choice) -> Iterator[None]:
        """What must hold while the model trains by that plan; nothing of it stays in the model."""
        current = runtime.current()
        with contextlib.ExitStack() as stack:
            stack.enter_context(precisions.computing(self._precision))
            stack.enter_context(current.remembering(model))
            stack.enter_context(owned_losses())
            if chosen.plan:
                stack.enter_context(current.tuned(model))
            if self._draws:
                stack.enter_context(owned_draws(self._draws))
            yield

    def _tell(self) -> None:
        self._listener({"kind": "stage", "stage": "timing the plans"})
