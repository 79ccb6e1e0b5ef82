"""Choose the plan of a run, and patch Keras and the framework while the run trains by it."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import TypeVar

import keras

from ...backends import catalog, runtime
from ...backends.device_group import DeviceGroup
from ...backends.same_run.operations import portable_operations
from ...backends.same_run.portable_random import PortableRandom, portable_draws
from ...backends.workers.worker import Listener
from ...data.dataset import Split
from . import plans
from . import precision as precisions
from .batches import Schedule, TrainingBatches
from .callbacks import ResetStates
from .epoch_loop import EpochLoop
from .plan_timing import CannotRunError
from .plans import PlanChoice

Result = TypeVar("Result")

# Why an explanation has no timings.
_NOT_TIMED = "by the rule: plans are timed on data in memory"


class PlanContext:
    """The plan of one run, and the context in which it trains.

    Args:
        schedule: which epochs, in which order.
        plan: a plan's name, `auto` or `fit`.
        owned: whether initial weights, dropout and noise come from trivium's generators.
        repeatable: whether the run must use the same plan each time, so that no timing may decide.
        listener: called with a progress event before the plans are timed.
        group: the devices that train together, or None for one device.
        precision: the policy of the run; see `precision.global_floatx`.

    Attributes:
        rng_variables: variables of random generators, which a step changes beside the model's.
    """

    def __init__(
        self,
        schedule: Schedule,
        plan: str,
        owned: bool,
        repeatable: bool,
        listener: Listener | None,
        group: DeviceGroup | None = None,
        precision: str | None = None,
    ):
        self.schedule = schedule
        self._plan = plan
        # Created once: the generators count their draws.
        self._random = PortableRandom.for_current_backend() if owned else None
        self.rng_variables = self._random.rng_variables if self._random else []
        # Native generators rule timing out: their state could not be restored after a trial.
        self._measures = plan == plans.AUTO and owned and not repeatable and not group
        self._group = group
        self._precision = precision
        self._listener = listener or (lambda event: None)
        self._refusal = ""

    def with_fallback_to_fit(self, function: Callable[[], Result]) -> Result:
        """Call a function that uses `activate`; call it again, with `fit`, if the framework cannot run its plans.

        Raises:
            Exception: the framework cannot run the model by the plan that the user named.
        """
        try:
            return function()
        except CannotRunError as error:
            if self._plan != plans.AUTO:
                raise error.__cause__ or error from None
            self._refusal = f"{catalog.selected().title} cannot compile its epochs: {error}"
        return function()

    @contextlib.contextmanager
    def activate(
        self,
        model: keras.Model,
        data: Split | TrainingBatches,
        callbacks: Sequence[keras.callbacks.Callback],
        always: bool = False,
    ) -> Iterator[PlanChoice]:
        """Choose the plan of the run; while the block runs, the model can train by it.

        Args:
            always: time the plans, however short the run.

        Raises:
            OptionError: this backend has no such plan for this model, or cannot use it here.
            CannotRunError: the framework cannot run the model by any of its plans.
        """
        choice = self._choose(model, data, callbacks, self.schedule.steps(data))
        with self._patched(model, choice):
            if self._measures and choice.plan:
                choice = self._choose_by_timing(choice, model, data, always)
            elif choice.plan and choice.plan == runtime.current().costly_plan(model):
                self._notify("compiling a step")
            yield choice

    def _choose_by_timing(
        self, choice: PlanChoice, model: keras.Model, data: Split | TrainingBatches, always: bool
    ) -> PlanChoice:
        if isinstance(data, TrainingBatches) or data.is_deferred:
            return replace(choice, why=_NOT_TIMED) if always else choice
        return plans.choose_by_timing(
            choice,
            model,
            data,
            self.schedule,
            rng_variables=self.rng_variables,
            always=always,
            listen=lambda: self._notify("timing the plans"),
        )

    def endless_training(
        self, model: keras.Model, data: Split, measure: bool = False
    ) -> tuple[PlanChoice, Callable[[int], None]]:
        """Return the plan of a run without an end, and a function that trains a number of further epochs by it.

        The function must not be called if the plan is `fit`.

        Args:
            measure: time the plans, as a long run does, unless the cache has their timings.
        """
        choice = self.with_fallback_to_fit(lambda: self._choose_for_endless(model, data, measure))
        with self._patched(model, choice):
            loop = EpochLoop(choice, model, data, [ResetStates()], self.schedule) if choice.plan else None
        numbers = itertools.count()

        def train(epochs: int) -> None:
            assert loop, "`fit` has no loop of ours"
            with self._patched(model, choice):
                for epoch in itertools.islice(numbers, epochs):
                    loop.run_epoch(epoch)

        return choice, train

    def _choose_for_endless(self, model: keras.Model, data: Split, measure: bool) -> PlanChoice:
        choice = self._choose(model, data, [], plans.MANY_STEPS)
        if not (self._measures and choice.plan) or data.is_deferred:
            return choice
        if not measure:
            return plans.choose_by_cached_timings(choice, model, self.schedule)
        endless = replace(self.schedule, epochs=plans.MANY_STEPS)
        with self._patched(model, choice):
            return plans.choose_by_timing(choice, model, data, endless, rng_variables=self.rng_variables, always=True)

    def _choose(
        self,
        model: keras.Model,
        data: Split | TrainingBatches,
        callbacks: Sequence[keras.callbacks.Callback],
        steps: int,
    ) -> PlanChoice:
        """Return the plan by the rule; `fit` once the framework has refused its own plans."""
        if self._refusal:
            return PlanChoice(None, self._refusal)
        return plans.choose(model, data, callbacks, steps, self._plan, self._group)

    @contextlib.contextmanager
    def _patched(self, model: keras.Model, choice: PlanChoice) -> Iterator[None]:
        """Patch Keras and the framework for training by this plan; the model is left without a trace of it."""
        current = runtime.current()
        with contextlib.ExitStack() as stack:
            stack.enter_context(precisions.global_floatx(self._precision))
            stack.enter_context(current.carry_rnn_states(model))
            stack.enter_context(portable_operations())
            if choice.plan:
                stack.enter_context(current.tuned(model))
            if self._random:
                stack.enter_context(portable_draws(self._random))
                stack.enter_context(current.dense_gradients(model))
            yield

    def _notify(self, stage: str) -> None:
        self._listener({"kind": "stage", "stage": stage})
