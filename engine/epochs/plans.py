"""Which way a run's epochs go: one of the backend's own plans where that can be, else `keras.Model.fit`.

Each backend says by a rule which of its plans it expects to be fastest (`choose`). A short run goes by that. For a long
one they are timed, once for a model on a machine (`by_measurement`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import keras

from ...backends import runtime
from ...backends.device_group import Group
from ...backends.distribution.sharding import indivisible
from ...backends.epochs import Epochs, Plan
from ...errors import OptionError
from ..data.dataset import Split
from . import plan_cache
from .batches import Batches, Schedule
from .callbacks import Progress
from .plan_timing import Timing, can_try, fastest, try_out

FIT = "fit"
AUTO = "auto"
# The names of groups of devices: there is no such plan for one.
SPREAD = ("devices", "processes")
# As many as make every compilation worth its while.
MANY_STEPS = 10**9
# Fewer are soon done by any plan: they go by the rule, whatever was measured, and so always by the same.
STEPS_WORTH_TIMING = 1_000

_BATCH_HOOKS = (
    *("on_train_batch_begin", "on_train_batch_end", "on_batch_begin", "on_batch_end"),
    *("on_test_batch_begin", "on_test_batch_end"),
)


@dataclass(frozen=True)
class Choice:
    """Which plan runs the epochs.

    Attributes:
        plan: None for `fit`.
        why: why it is `fit`.
        timings: of each candidate by its name, where it was measured.
        failed: why a candidate cannot be used, by its name.
        remembered: whether that was done by an earlier run.
        seconds: what measuring took this one.
        epochs: what was compiled of the plan on the way.
        group: the devices that train together; None for one.
    """

    plan: Plan | None
    why: str = ""
    timings: Mapping[str, Timing] | None = None
    failed: Mapping[str, str] | None = None
    remembered: bool = False
    seconds: float = 0.0
    epochs: Epochs | None = None
    group: Group | None = None

    @property
    def name(self) -> str:
        return self.plan.name if self.plan else FIT

    def to_json(self) -> dict[str, Any]:
        """What a run keeps of how its epochs were run."""
        found: dict[str, Any] = {"name": self.name, **({"why": self.why} if self.why else {})}
        if self.group:
            found["count"] = self.group.count
        if self.timings:
            found["timings"] = {name: asdict(timing) for name, timing in self.timings.items()}
            found |= {"remembered": self.remembered, "seconds": self.seconds}
        return found


def choose(
    model: keras.Model,
    data: Split | Batches,
    callbacks: Sequence[keras.callbacks.Callback],
    steps: int,
    name: str,
    group: Group | None = None,
) -> Choice:
    """The plan of that name; for `auto` the one that should be fastest for a run of so many steps.

    With a group it is that plan on all of its devices, under the group's name; on one where the model or the data
    cannot be divided.

    Raises:
        OptionError: there is no such plan for this model on this backend, or it cannot be used here.
    """
    if name == FIT:
        return Choice(None, "asked for")
    why = needs_fit(model, data, callbacks)
    plans = runtime.current().plans(model, steps)
    if group and name in (AUTO, group.name):
        if alone := why or indivisible(model):
            return Choice(None if why else plans[0], f"{alone}; so on one device")
        return Choice(replace(plans[0], name=group.name), group=group)
    if name == AUTO:
        return Choice(None, why) if why else Choice(plans[0])
    for plan in plans:
        if plan.name == name and not why:
            return Choice(plan)
    listed = ", ".join(plan.name for plan in plans)
    raise OptionError(f"--plan {name}: " + (why or f"expected {AUTO}, {FIT}, {listed}"))


def by_measurement(
    chosen: Choice,
    model: keras.Model,
    data: Split,
    schedule: Schedule,
    *,
    outside: Sequence[keras.Variable] = (),
    always: bool = False,
    listen: Callable[[], None] = lambda: None,
) -> Choice:
    """The plan that has the run done first: by what was measured earlier, else by trials where the run is long enough.

    Within all that is in force while the model trains; the model is as it was afterwards.

    Args:
        chosen: by the rule.
        outside: variables beside the model's that a step changes.
        always: measure however short the run, which then still goes by the rule.
        listen: called before it takes seconds.

    Raises:
        CannotRunError: the framework cannot run the model by any of its plans.
    """
    steps = schedule.steps(data)
    candidates = runtime.current().plans(model, steps)
    short = steps < STEPS_WORTH_TIMING
    if len(candidates) == 1 or not can_try(data, schedule.batch_size) or (short and not always):
        return chosen
    key = plan_cache.key_of(model, schedule.batch_size, candidates)
    known = plan_cache.recall(key)
    if known:
        return Choice(_of_those(candidates, known, short, steps), timings=known, remembered=True)
    trials = try_out(model, data, schedule, candidates, outside=outside, always=always, listen=listen)
    if len(trials.timings) + len(trials.failed) < len(candidates):
        usable = next(plan for plan in candidates if plan.name in trials.epochs)
        return replace(chosen, plan=usable, failed=trials.failed, epochs=trials.epochs[usable.name])
    plan_cache.keep(key, trials.timings)
    plan = _of_those(candidates, trials.timings, short, steps)
    return Choice(
        plan, timings=trials.timings, failed=trials.failed, seconds=trials.seconds, epochs=trials.epochs[plan.name]
    )


def _of_those(candidates: Sequence[Plan], timings: Mapping[str, Timing], short: bool, steps: int) -> Plan:
    """Of the plans that can be used here the one that a run goes by: a short one by the rule, others by their times."""
    if short:
        return next(plan for plan in candidates if plan.name in timings)
    return fastest(candidates, timings, steps)


def recalled(chosen: Choice, model: keras.Model, schedule: Schedule) -> Choice:
    """For a run without an end: the plan whose step is fastest, where that was measured earlier."""
    candidates = runtime.current().plans(model, MANY_STEPS)
    known = plan_cache.recall(plan_cache.key_of(model, schedule.batch_size, candidates))
    if not known:
        return chosen
    return Choice(fastest(candidates, known, MANY_STEPS), timings=known, remembered=True)


def needs_fit(model: keras.Model, data: Split | Batches, callbacks: Sequence[keras.callbacks.Callback] = ()) -> str:
    """Why only `fit` will do, or nothing."""
    if isinstance(data, Batches):
        return "the data are drawn anew for each batch"
    if len(model.inputs) != 1 or len(model.outputs) != 1:
        return "the model has several inputs or outputs"
    if type(model).train_step is not keras.Model.train_step or type(model).test_step is not keras.Model.test_step:
        return "the model has a train_step of its own"
    if model.run_eagerly:
        return "the model was compiled to run eagerly"
    for callback in callbacks:
        if _watches_batches(callback):
            return f"the callback {type(callback).__name__} watches single batches"
    return ""


def _watches_batches(callback: keras.callbacks.Callback) -> bool:
    if isinstance(callback, Progress):
        return False
    if isinstance(callback, keras.callbacks.ModelCheckpoint) and callback.save_freq == "epoch":
        return False
    return any(
        getattr(getattr(callback, hook), "__func__", None) is not getattr(keras.callbacks.Callback, hook)
        for hook in _BATCH_HOOKS
    )
