"""Choose how a run's epochs are run: by one of the backend's own plans where possible, else by `keras.Model.fit`.

Each backend has a rule for which of its plans should be fastest (`choose`). A short run follows the rule. For a long
run the plans are timed, once per model and machine (`choose_by_timing`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import keras

from ...backends import runtime
from ...backends.device_group import DeviceGroup
from ...backends.distribution.sharding import why_indivisible
from ...backends.epochs import EpochRunner, Plan, has_own_step, has_written_losses
from ...data.dataset import Split
from ...errors import OptionError
from . import plan_cache
from .batch_hooks import watches_batches, watches_validation_batches
from .batches import Schedule, TrainingBatches
from .plan_timing import Timing, can_time, fastest, time_plans

FIT = "fit"
AUTO = "auto"
# The plan names of runs on several devices: the kinds of device group.
DISTRIBUTED = ("devices", "processes")
# So many steps that every compilation pays.
MANY_STEPS = 10**9
# A run of fewer steps is quick by any plan. It follows the rule, whatever was measured, and so is always the same.
STEPS_WORTH_TIMING = 1_000

# So long must a run take by the backend's other plans before its costly plan is compiled for a trial.
SECONDS_WORTH_COMPILING = 120.0

# What a model's class may do in its own way instead of by `train_step`: then only Keras' `fit` does it.
_OWN_LOOPS = ("fit", "evaluate", "make_train_function", "make_test_function", "reset_metrics")


@dataclass(frozen=True)
class PlanChoice:
    """The plan that runs the epochs, and why.

    Attributes:
        plan: None for `fit`.
        why: the reason for `fit`, or for training on one device.
        timings: plan name → timing, when the candidates were timed.
        failed: plan name → reason, for each candidate that cannot be used.
        from_cache: whether the timings are those of an earlier run.
        seconds: how long the timing took in this run.
        epochs: the plan's epochs, when the timing has compiled them already.
        group: the devices that train together; None for one device.
    """

    plan: Plan | None
    why: str = ""
    timings: Mapping[str, Timing] | None = None
    failed: Mapping[str, str] | None = None
    from_cache: bool = False
    seconds: float = 0.0
    epochs: EpochRunner | None = None
    group: DeviceGroup | None = None

    @property
    def name(self) -> str:
        return self.plan.name if self.plan else FIT

    def takes_minutes(self, steps: int) -> bool:
        """Return whether a run of this many steps is long enough to compile the costly plan for a trial."""
        timing = (self.timings or {}).get(self.name)
        return timing is not None and steps >= STEPS_WORTH_TIMING and timing.run(steps) >= SECONDS_WORTH_COMPILING

    def joined_by(self, later: PlanChoice) -> PlanChoice:
        """Return a later choice, between this one and a further plan, with the timings of both."""
        return replace(
            later,
            timings={**(self.timings or {}), **(later.timings or {})},
            failed={**(self.failed or {}), **(later.failed or {})},
            from_cache=self.from_cache and later.from_cache,
            seconds=self.seconds + later.seconds,
        )

    def to_json(self) -> dict[str, Any]:
        """Return the entry for the run's record."""
        record: dict[str, Any] = {"name": self.name, **({"why": self.why} if self.why else {})}
        if self.group:
            record["count"] = self.group.count
        if self.timings:
            record["timings"] = {name: asdict(timing) for name, timing in self.timings.items()}
            record |= {"remembered": self.from_cache, "seconds": self.seconds}
        return record


def choose(
    model: keras.Model,
    data: Split | TrainingBatches,
    callbacks: Sequence[keras.callbacks.Callback],
    steps: int,
    name: str,
    group: DeviceGroup | None = None,
) -> PlanChoice:
    """Return the plan of this name; for `auto`, the plan that should be fastest for a run of this many steps.

    With a group, the plan runs on all of its devices and has the group's name. It runs on one device if the model or
    the data cannot be divided.

    Raises:
        OptionError: this backend has no such plan for this model, or cannot use it here.
    """
    if name == FIT:
        return PlanChoice(None, "asked for")
    why = reason_for_fit(model, data, callbacks)
    plans = runtime.current().plans(model, steps)
    if group and name in (AUTO, group.name):
        if obstacle := why or why_indivisible(model) or _why_on_one_device(model, data, callbacks):
            return PlanChoice(None if why else plans[0], f"{obstacle}; so on one device")
        return PlanChoice(replace(plans[0], name=group.name), group=group)
    if name == AUTO:
        return PlanChoice(None, why) if why else PlanChoice(plans[0])
    costly = runtime.current().costly_plan(model)
    plans = [*plans, *([costly] if costly else [])]
    for plan in plans:
        if plan.name == name and not why:
            return PlanChoice(plan)
    listed = ", ".join(plan.name for plan in plans)
    missing = runtime.current().missing_for(name)
    raise OptionError(f"`plan` {name}: " + (why or missing or f"expected {AUTO}, {FIT}, {listed}"))


def choose_by_timing(
    choice: PlanChoice,
    model: keras.Model,
    data: Split,
    schedule: Schedule,
    *,
    rng_variables: Sequence[keras.Variable] = (),
    always: bool = False,
    listen: Callable[[], None] = lambda: None,
) -> PlanChoice:
    """Return the plan that finishes the run first, by cached timings or by new ones if the run is long enough.

    The backend's costly plan is only timed if the run takes minutes by any other one. To be called inside the context
    in which the model trains. The model is unchanged afterwards.

    Args:
        choice: by the rule.
        rng_variables: variables of random generators, which a step changes beside the model's.
        always: time the other plans however short the run; a short run still follows the rule.
        listen: called before the plans are timed, which takes seconds.

    Raises:
        CannotRunError: the framework cannot run the model by any of its plans.
    """
    steps = schedule.steps(data)
    candidates = runtime.current().plans(model, steps)
    if len(candidates) == 1 or not can_time(data, schedule.batch_size) or (steps < STEPS_WORTH_TIMING and not always):
        return choice

    def time_candidates(choice: PlanChoice, candidates: Sequence[Plan], always: bool) -> PlanChoice:
        return _choose_among(
            choice, candidates, model, data, schedule, rng_variables=rng_variables, always=always, listen=listen
        )

    choice = time_candidates(choice, candidates, always)
    costly = runtime.current().costly_plan(model)
    if not costly or not choice.takes_minutes(steps):
        return choice
    assert choice.plan
    return choice.joined_by(time_candidates(choice, [choice.plan, costly], True))


def _choose_among(
    choice: PlanChoice,
    candidates: Sequence[Plan],
    model: keras.Model,
    data: Split,
    schedule: Schedule,
    *,
    rng_variables: Sequence[keras.Variable],
    always: bool,
    listen: Callable[[], None],
) -> PlanChoice:
    """Return the candidate that finishes the run first; the first usable one if the run is too short to time them."""
    steps = schedule.steps(data)
    short = steps < STEPS_WORTH_TIMING
    key = plan_cache.cache_key(model, schedule.batch_size, candidates)
    cached = plan_cache.load(key)
    if cached:
        return PlanChoice(_select(candidates, cached, short, steps), timings=cached, from_cache=True)
    measured = time_plans(model, data, schedule, candidates, rng_variables=rng_variables, always=always, listen=listen)
    if len(measured.timings) + len(measured.failed) < len(candidates):
        usable = next(plan for plan in candidates if plan.name in measured.epochs)
        return replace(choice, plan=usable, failed=measured.failed, epochs=measured.epochs[usable.name])
    plan_cache.store(key, measured.timings)
    plan = _select(candidates, measured.timings, short, steps)
    return PlanChoice(
        plan,
        timings=measured.timings,
        failed=measured.failed,
        seconds=measured.seconds,
        epochs=measured.epochs[plan.name],
    )


def _select(candidates: Sequence[Plan], timings: Mapping[str, Timing], short: bool, steps: int) -> Plan:
    """Return the usable plan for a run: a short run follows the rule, a long run the timings."""
    if short:
        return next(plan for plan in candidates if plan.name in timings)
    return fastest(candidates, timings, steps)


def choose_by_cached_timings(choice: PlanChoice, model: keras.Model, schedule: Schedule) -> PlanChoice:
    """Return the plan with the fastest step, for a run without an end, if it is in the cache; else the given choice."""

    def fastest_of(candidates: Sequence[Plan]) -> PlanChoice | None:
        cached = plan_cache.load(plan_cache.cache_key(model, schedule.batch_size, candidates))
        if not cached:
            return None
        return PlanChoice(fastest(candidates, cached, MANY_STEPS), timings=cached, from_cache=True)

    best = fastest_of(runtime.current().plans(model, MANY_STEPS))
    costly = runtime.current().costly_plan(model)
    if not best or not costly:
        return best or choice
    assert best.plan
    later = fastest_of([best.plan, costly])
    return best.joined_by(later) if later else best


def reason_for_fit(
    model: keras.Model, data: Split | TrainingBatches, callbacks: Sequence[keras.callbacks.Callback] = ()
) -> str:
    """Return why only `fit` can run these epochs, or an empty string."""
    if isinstance(data, TrainingBatches) and data.samples is None and _takes_any_length(model):
        return f"{data.why}, whose samples may be of any length"
    for name in _OWN_LOOPS:
        if getattr(type(model), name) is not getattr(keras.Model, name):
            return f"the model has a {name} of its own"
    if has_own_step(model) and type(model).compile is not keras.Model.compile:
        return "the model has a train_step and a compile of its own"
    if model.run_eagerly:
        return "the model was compiled to run eagerly"
    for callback in callbacks:
        if watches_validation_batches(callback):
            return f"the callback {type(callback).__name__} watches single batches of the validation"
        if isinstance(callback, keras.callbacks.BackupAndRestore):
            return "the callback BackupAndRestore restores a run of `fit`"
    return ""


def _takes_any_length(model: keras.Model) -> bool:
    """Return whether an input has an axis of any length, beside that of the samples: each length is compiled anew."""
    return any(None in tuple(tensor.shape)[1:] for tensor in model.inputs)


def _why_on_one_device(
    model: keras.Model, data: Split | TrainingBatches, callbacks: Sequence[keras.callbacks.Callback]
) -> str:
    if len(model.inputs) != 1 or len(model.outputs) != 1:
        return "the model has several inputs or outputs"
    if has_own_step(model):
        return "the model has a train_step of its own"
    if has_written_losses(model):
        return "written losses may compare the samples of the whole batch"
    for callback in callbacks:
        if watches_batches(callback):
            return f"the callback {type(callback).__name__} watches single batches"
    if isinstance(data, TrainingBatches):
        return data.why
    if data.is_deferred:
        return "the data are read from their files while the model trains"
    return ""
