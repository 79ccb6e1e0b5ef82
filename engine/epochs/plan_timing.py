"""Time the plans of a model on this machine: a few steps by each, interleaved.

The first plan is the one that the backend expects to be fastest. A run uses it unless another plan would finish clearly
earlier, compilation included. The trials leave no trace in the model.
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
from ...backends.epochs import EpochRunner, Plan, build_metrics
from ...data.dataset import Split
from ...data.nests import arrays_of
from ...errors import first_line
from .batches import Schedule

# The length of one round of a plan, and of all rounds together. A step that takes longer exceeds both.
_ROUND_SECONDS = 0.1
_SECONDS = 2.0
_ROUNDS = 7
# A run is worth timing when it takes at least this long, and at least this many times the first plan's compilation.
_LONG_SECONDS = 30.0
_LONG_COMPILATIONS = 10
# A plan whose steps take more than this many times as long as the fastest one's is not timed any further.
_SLOWEST_RATIO = 3.0
# Repeated timings of one plan differ by up to 5 %, so a smaller advantage is noise.
_CLEARLY_FASTER = 0.95
# Every plan on trial keeps its own copy of the data on the device.
_MOST_BYTES = 2**30

Clock = Callable[[], float]


@dataclass(frozen=True)
class Timing:
    """The cost of a plan: seconds to compile, and seconds per step."""

    compile: float
    step: float

    def run(self, steps: int) -> float:
        """Return the seconds that a run of this many steps takes."""
        return self.compile + steps * self.step


@dataclass(frozen=True)
class PlanTimings:
    """The result of timing a model's plans.

    Attributes:
        timings: plan name → timing; holds only the first usable plan when the run is too short to time the others.
        failed: plan name → first line of the error, for each plan that cannot be used.
        epochs: plan name → the epochs that were compiled for the trial.
        seconds: how long the timing took.
    """

    timings: Mapping[str, Timing]
    failed: Mapping[str, str] = field(default_factory=dict)
    epochs: Mapping[str, EpochRunner] = field(default_factory=dict)
    seconds: float = 0.0


def fastest(plans: Sequence[Plan], timings: Mapping[str, Timing], steps: int) -> Plan:
    """Return the plan that finishes a run of this many steps first; the first plan unless another is clearly faster."""
    timed = [plan for plan in plans if plan.name in timings]
    best = min(timed, key=lambda plan: timings[plan.name].run(steps), default=plans[0])
    expected = timings.get(plans[0].name)
    if expected and timings[best.name].run(steps) > _CLEARLY_FASTER * expected.run(steps):
        return plans[0]
    return best


def can_time(data: Split, batch_size: int) -> bool:
    """Return whether the data fill a batch and fit on the device several times."""
    return batch_size <= len(data) and sum(array.nbytes for array in arrays_of((data.x, data.y))) <= _MOST_BYTES


def time_plans(
    model: keras.Model,
    data: Split,
    schedule: Schedule,
    plans: Sequence[Plan],
    *,
    rng_variables: Sequence[Any] = (),
    always: bool = False,
    listen: Callable[[], None] = lambda: None,
    clock: Clock = time.perf_counter,
) -> PlanTimings:
    """Train a few steps by each plan, then restore the model and all random generators.

    Args:
        model: compiled.
        plans: the one expected to be fastest first. After the first usable plan, the others are timed only if the run
            is long enough to repay it.
        rng_variables: variables of random generators, which a step changes beside the model's.
        always: time all plans, however short the run.
        listen: called before the other plans are timed, which takes seconds.

    Raises:
        CannotRunError: no plan can be used.
    """
    start = clock()
    steps, size = schedule.steps(data), schedule.batch_size
    order = schedule.order(schedule.first_epoch, len(data))
    build_metrics(model, *data.take(slice(0, size)).arrays[:2])
    compile_epochs = runtime.current().compile_epochs

    def start_trial(plan: Plan) -> PlanTrial:
        return PlanTrial(compile_epochs(model, data.arrays, size, plan), order, clock)

    def is_worth_more(first: PlanTrial) -> bool:
        worth = always or _is_long(first.timing, steps)
        if worth:
            listen()
        return worth

    with _restoring([*runtime.variables_of(model), *rng_variables]) as undo:
        trials, failed = _start_trials(plans, start_trial, is_worth_more, undo)
        interleave(trials, clock)
    return PlanTimings(
        {trial.name: trial.timing for trial in trials},
        failed,
        {trial.name: trial.epochs for trial in trials},
        clock() - start,
    )


def _start_trials(
    plans: Sequence[Plan],
    start_trial: Callable[[Plan], PlanTrial],
    is_worth_more: Callable[[PlanTrial], bool],
    undo: Callable[[], None],
) -> tuple[list[PlanTrial], dict[str, str]]:
    """Return trials of the usable plans, or only of the first, and the errors of the failed plans."""
    trials: list[PlanTrial] = []
    failed: dict[str, str] = {}
    cause = None
    for plan in plans:
        if len(trials) == 1 and not is_worth_more(trials[0]):
            break
        try:
            trials.append(start_trial(plan))
        except Exception as error:  # whatever the framework raises when it cannot compile the model
            cause, failed[plan.name] = error, first_line(error)
            undo()
    if not trials:
        raise CannotRunError(failed[plans[0].name]) from cause
    return trials, failed


class CannotRunError(Exception):
    """A framework cannot run a model's first step by a plan. The message is the first line of the framework's error."""


def interleave(trials: Sequence[PlanTrial], clock: Clock) -> None:
    """Time the trials alternately until the time is up, so that other load on the machine affects all of them alike."""
    best = min(trial.timing.step for trial in trials)
    contenders = [trial for trial in trials if trial.timing.step <= _SLOWEST_RATIO * best]
    if len(contenders) == 1:
        return
    end = clock() + _SECONDS
    for _ in range(_ROUNDS):
        for trial in contenders:
            trial.round()
        if clock() >= end:
            return


class PlanTrial:
    """The epochs of one plan, compiled and timed over a few steps."""

    def __init__(self, epochs: EpochRunner, order: np.ndarray, clock: Clock = time.perf_counter):
        self.epochs = epochs
        self._order = order
        self._clock = clock
        # Some frameworks compile at the first call and optimize further at the second.
        first, second, steady = (self._time(1) for _ in range(3))
        self._compile = max(0.0, first + second - 2 * steady)
        count = int(_ROUND_SECONDS / steady) if steady else 1
        self._count = max(1, min(count, epochs.full_batches))
        self._rounds: list[float] = []  # seconds a step
        self.round()

    @property
    def name(self) -> str:
        return self.epochs.plan.name

    @property
    def timing(self) -> Timing:
        return Timing(self._compile, statistics.median(self._rounds))

    def round(self) -> None:
        """Time as many steps as fit into one round."""
        self._rounds.append(self._time(self._count) / self._count)

    def _time(self, steps: int) -> float:
        """Return the seconds of this many steps, the beginning and the end of an epoch included."""
        start = self._clock()
        self.epochs.begin(self._order)
        self.epochs.run(0, steps)
        self.epochs.end()
        return self._clock() - start


def _is_long(timing: Timing, steps: int) -> bool:
    return steps * timing.step >= max(_LONG_SECONDS, _LONG_COMPILATIONS * timing.compile)


@contextlib.contextmanager
def _restoring(variables: Sequence[Any]) -> Iterator[Callable[[], None]]:
    """Restore the variables and the generators of Python and NumPy at the end; yield what restores the variables."""
    undo = runtime.snapshot(variables)
    python_state, numpy_state = random.getstate(), np.random.get_state()
    try:
        yield undo
    finally:
        undo()
        random.setstate(python_state)
        np.random.set_state(numpy_state)
