"""What each plan of a model costs here: a few steps by each, timed in turns.

The first of the plans is the one that is expected to be fastest; the run goes by it unless another would be done
clearly earlier, its compilation included. Nothing that was trained in the trials is left in the model.
"""

from __future__ import annotations

import contextlib
import random
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import keras
import numpy as np

from ...backends import runtime
from ...backends.epochs import Epochs, Plan, build_metrics
from ...errors import first_line
from ..data.dataset import Split
from .batches import Schedule

# How long a round of one plan is, and all of them together; both only as far as a single step is shorter.
_ROUND_SECONDS = 0.1
_SECONDS = 2.0
_ROUNDS = 7
# A run is long enough for trials when it will take this long, and so many times the first plan's compilation.
_LONG_SECONDS = 30.0
_LONG_COMPILATIONS = 10
# Whoever needs so many times the best one's seconds for a step is not timed any further.
_HOPELESS = 3.0
# Less than a twentieth is what the same plan differs by from one trial to the next.
_CLEARLY = 0.95
# Each plan that is tried holds the data on the device.
_MOST_BYTES = 2**30

Clock = Callable[[], float]


@dataclass(frozen=True)
class Timing:
    """What a plan costs: seconds to compile it, and seconds a step."""

    compile: float
    step: float

    def run(self, steps: int) -> float:
        """Seconds of a run of so many steps."""
        return self.compile + steps * self.step


@dataclass(frozen=True)
class Trials:
    """What was found.

    Attributes:
        timings: by the name of the plan; only the first one's where the run is too short for more.
        failed: the first line of the error of each plan that cannot be used.
        epochs: what was compiled on the way, by the name of the plan.
        seconds: what finding it took.
    """

    timings: Mapping[str, Timing]
    failed: Mapping[str, str] = field(default_factory=dict)
    epochs: Mapping[str, Epochs] = field(default_factory=dict)
    seconds: float = 0.0


def fastest(plans: Sequence[Plan], timings: Mapping[str, Timing], steps: int) -> Plan:
    """The plan that has a run of so many steps done first; the first of them unless another is clearly faster."""
    timed = [plan for plan in plans if plan.name in timings]
    best = min(timed, key=lambda plan: timings[plan.name].run(steps), default=plans[0])
    expected = timings.get(plans[0].name)
    if expected and timings[best.name].run(steps) > _CLEARLY * expected.run(steps):
        return plans[0]
    return best


def can_try(data: Split, batch_size: int) -> bool:
    """Whether there is a whole batch, and room for the data more than once."""
    return batch_size <= len(data) and data.x.nbytes + data.y.nbytes <= _MOST_BYTES


def try_out(
    model: keras.Model,
    data: Split,
    schedule: Schedule,
    plans: Sequence[Plan],
    *,
    outside: Sequence[Any] = (),
    always: bool = False,
    listen: Callable[[], None] = lambda: None,
    clock: Clock = time.perf_counter,
) -> Trials:
    """Train a few steps by each plan, then put everything back.

    Args:
        model: compiled.
        plans: the expected one first. Once one is found that can be used, the others are tried only where the run is
            long enough to repay it.
        outside: variables beside the model's that a step changes, such as those of random generators.
        always: try all of them, however short the run.
        listen: called before the others are tried, which takes seconds.

    Raises:
        CannotRunError: none of them can be used.
    """
    began = clock()
    steps, size = schedule.steps(data), schedule.batch_size
    order = schedule.order(schedule.first_epoch, len(data))
    build_metrics(model, data.x[:size], data.y[:size])
    compile_epochs = runtime.current().compile_epochs

    def trial_of(plan: Plan) -> Trial:
        return Trial(compile_epochs(model, data.arrays, size, plan), order, clock)

    def is_worth_more(first: Trial) -> bool:
        worth = always or _is_long(first.timing, steps)
        if worth:
            listen()
        return worth

    with _undone([*runtime.variables_of(model), *outside]) as undo:
        trials, failed = _tried(plans, trial_of, is_worth_more, undo)
        take_turns(trials, clock)
    return Trials(
        {trial.name: trial.timing for trial in trials},
        failed,
        {trial.name: trial.epochs for trial in trials},
        clock() - began,
    )


def _tried(
    plans: Sequence[Plan],
    trial_of: Callable[[Plan], Trial],
    is_worth_more: Callable[[Trial], bool],
    undo: Callable[[], None],
) -> tuple[list[Trial], dict[str, str]]:
    """A trial of the first plan that can be used, and of those after it if that is worth it; why others cannot be."""
    trials: list[Trial] = []
    failed: dict[str, str] = {}
    cause = None
    for plan in plans:
        if len(trials) == 1 and not is_worth_more(trials[0]):
            break
        try:
            trials.append(trial_of(plan))
        except Exception as error:  # whatever this framework cannot compile of this model in this way
            cause, failed[plan.name] = error, first_line(error)
            undo()
    if not trials:
        raise CannotRunError(failed[plans[0].name]) from cause
    return trials, failed


class CannotRunError(Exception):
    """A framework cannot run a model's first step by a plan; its text is the first line of what it says."""


def take_turns(trials: Sequence[Trial], clock: Clock) -> None:
    """Time the trials in turns, so that what else the machine does meets them alike, until the time is up."""
    best = min(trial.timing.step for trial in trials)
    hopeful = [trial for trial in trials if trial.timing.step <= _HOPELESS * best]
    if len(hopeful) == 1:
        return
    end = clock() + _SECONDS
    for _ in range(_ROUNDS):
        for trial in hopeful:
            trial.round()
        if clock() >= end:
            return


class Trial:
    """A plan's epochs, compiled and timed over a few steps."""

    def __init__(self, epochs: Epochs, order: np.ndarray, clock: Clock = time.perf_counter):
        self.epochs = epochs
        self._order = order
        self._clock = clock
        # What is compiled at the first call some frameworks make faster at the second.
        first, second, settled = (self._time(1) for _ in range(3))
        self._compile = max(0.0, first + second - 2 * settled)
        count = int(_ROUND_SECONDS / settled) if settled else 1
        self._count = max(1, min(count, epochs.whole_steps))
        self._rounds: list[float] = []  # seconds a step
        self.round()

    @property
    def name(self) -> str:
        return self.epochs.plan.name

    @property
    def timing(self) -> Timing:
        return Timing(self._compile, statistics.median(self._rounds))

    def round(self) -> None:
        """Time as many steps as fit into a round."""
        self._rounds.append(self._time(self._count) / self._count)

    def _time(self, steps: int) -> float:
        """Seconds of so many steps, with what each epoch begins and ends with."""
        began = self._clock()
        self.epochs.begin(self._order)
        self.epochs.run(0, steps)
        self.epochs.end()
        return self._clock() - began


def _is_long(timing: Timing, steps: int) -> bool:
    return steps * timing.step >= max(_LONG_SECONDS, _LONG_COMPILATIONS * timing.compile)


@contextlib.contextmanager
def _undone(variables: Sequence[Any]) -> Iterator[Callable[[], None]]:
    """Put the variables back at the end, and the generators of Python and NumPy; gives what does so earlier."""
    undo = runtime.remember(variables)
    drawn, drawn_by_numpy = random.getstate(), np.random.get_state()
    try:
        yield undo
    finally:
        undo()
        random.setstate(drawn)
        np.random.set_state(drawn_by_numpy)
