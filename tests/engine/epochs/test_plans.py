"""Plans by timing: the faster plan is chosen and cached, and the timing leaves no trace in the run."""

import json
import random
import shutil

import numpy as np
import pytest

from trivium.backends import runtime
from trivium.backends.epochs import EpochRunner, Plan
from trivium.engine.training.trainer import Trainer
from trivium.errors import ModelError, OptionError
from trivium.models.recipe import Recipe

ONE, OTHER = Plan("one", loop=False, jit=False), Plan("other", loop=True, jit=True)
# 225 samples in three full batches, so that nothing is compiled twice.
DROPOUT = {
    "recipe": "dense/dropout",
    "options": {"layers": 1, "units": 8, "dropout": 0.4},
    "batch_size": 75,
    "epochs": 2,
}


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """The folder of a cache for this test, in which no run is long enough for a costly plan."""
    monkeypatch.setattr("trivium.engine.epochs.plans.SECONDS_WORTH_COMPILING", float("inf"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache/trivium/plans"


@pytest.fixture
def plan_timing(backend):
    from trivium.engine.epochs import plan_timing

    return plan_timing


@pytest.fixture
def plan_cache(backend, cache):
    from trivium.engine.epochs import plan_cache

    return plan_cache


@pytest.fixture
def every_run_is_long(monkeypatch, plan_timing):
    monkeypatch.setattr("trivium.engine.epochs.plans.STEPS_WORTH_TIMING", 1)
    monkeypatch.setattr(plan_timing, "_LONG_SECONDS", 0.0)
    monkeypatch.setattr(plan_timing, "_LONG_COMPILATIONS", 0)
    monkeypatch.setattr(plan_timing, "_SECONDS", 0.1)


def normalised():
    import keras
    from keras import layers

    hidden = [layers.Dense(4), layers.BatchNormalization(), layers.Dropout(0.3)]
    model = keras.Sequential([keras.Input((2,)), *hidden, layers.Dense(1, "sigmoid")])
    model.compile("adam", "binary_crossentropy", metrics=["accuracy"])
    return model


class Clock:
    """A clock that only moves when it is set."""

    now = 0.0

    def __call__(self):
        return self.now


class Paced(EpochRunner):
    """Epochs that only move the clock: by the seconds to compile, to begin, and per step."""

    def __init__(self, clock, plan=ONE, compile=0.0, begin=0.0, step=1.0, steps=1000):
        super().__init__(None, (np.zeros(steps), np.zeros(steps)), 1, plan)
        self._clock, self._compile, self._begin, self._step = clock, compile, begin, step
        self.ran = []

    def begin(self, order):
        self._clock.now += self._begin

    def run(self, start, stop):
        self._clock.now += self._step * (stop - start) + (0.0 if self.ran else self._compile)
        self.ran.append(stop - start)

    def end(self):
        pass

    def evaluate(self):
        raise NotImplementedError


def trial_of(plan_timing, clock, **pace):
    return plan_timing.PlanTrial(Paced(clock, **pace), np.arange(1000), clock)


# --- timing ---------------------------------------------------------------------------------------------------------


def test_compilation_is_told_apart_from_the_steps(plan_timing):
    timing = trial_of(plan_timing, Clock(), compile=5.0, step=0.01).timing
    assert timing.compile == pytest.approx(5.0)
    assert timing.step == pytest.approx(0.01)
    assert timing.run(300) == pytest.approx(8.0)


def test_the_cost_of_beginning_an_epoch_is_shared_among_its_steps(plan_timing):
    trial = trial_of(plan_timing, Clock(), begin=1 / 128, step=1 / 128)
    assert trial.epochs.ran == [1, 1, 1, 6], "a tenth of a second of single steps"
    assert trial.timing.step == pytest.approx((1 + 1 / 6) / 128)


def test_a_round_has_no_more_steps_than_an_epoch_has_full_batches(plan_timing):
    assert trial_of(plan_timing, Clock(), step=1e-6, steps=7).epochs.ran[-1] == 7
    assert trial_of(plan_timing, Clock(), step=0.0, steps=7).epochs.ran[-1] == 1, "a clock that is too coarse"


def test_plans_are_timed_alternately_and_a_slow_one_only_once(plan_timing):
    clock = Clock()
    trials = [trial_of(plan_timing, clock, step=step) for step in (0.010, 0.012, 0.200)]
    before = [len(trial.epochs.ran) for trial in trials]
    plan_timing.interleave(trials, clock)
    more = [len(trial.epochs.ran) - count for trial, count in zip(trials, before, strict=True)]
    assert more == [7, 7, 0]


def test_timing_ends_when_the_time_is_up(plan_timing):
    clock = Clock()
    trials = [trial_of(plan_timing, clock, step=1.0) for _ in range(2)]
    plan_timing.interleave(trials, clock)
    assert [len(trial.epochs.ran) for trial in trials] == [3 + 1 + 1] * 2, "a round of each is two seconds"


@pytest.mark.parametrize(
    ("one", "other", "steps", "fastest"),
    [
        ((0.0, 1.0), (0.0, 0.5), 10, OTHER),
        ((0.0, 1.0), (0.0, 0.97), 10, ONE),  # not clearly
        ((0.0, 1.0), (6.0, 0.5), 10, ONE),  # its compilation does not pay
        ((0.0, 1.0), (6.0, 0.5), 100, OTHER),
        ((0.0, 1.0), None, 10, ONE),
        (None, (0.0, 1.0), 10, OTHER),
        (None, None, 10, ONE),
    ],
)
def test_the_plan_that_finishes_first_is_chosen(plan_timing, one, other, steps, fastest):
    pairs = {"one": one, "other": other}
    timings = {name: plan_timing.Timing(*pair) for name, pair in pairs.items() if pair}
    assert plan_timing.fastest([ONE, OTHER], timings, steps) is fastest


# --- trials leave no trace ------------------------------------------------------------------------------------------


def ready(digits, **settings):
    """Return a trainer, its model and its data."""
    trainer = Trainer(**{**DROPOUT, **settings})
    model, training = trainer.make_ready(digits)
    return trainer, model, training


def values_of(variables):
    return [np.array(variable.numpy()) for variable in variables]


def activate(trainer, model, training, **keywords):
    """Choose a plan as at the beginning of a run; return it with its context."""
    context = trainer._plan_context()
    with context.activate(model, training, [], **keywords) as choice:
        return choice, context


@pytest.mark.parametrize(
    ("recipe", "settings"),
    [
        (Recipe("normalised", "dropout and batch normalisation", normalised), {"batch_size": 75}),
        ("rnn/stateful", {"options": {"units": 4}}),
    ],
)
def test_trials_leave_everything_as_it_was(backend, cache, every_run_is_long, monkeypatch, recipe, settings):
    from trivium.backends.epochs import build_metrics
    from trivium.data import datasets
    from trivium.engine.epochs import plan_timing

    trainer = Trainer(recipe, **settings)
    model, training = trainer.make_ready(datasets.load("waves:0:60" if recipe == "rnn/stateful" else "moons"))
    build_metrics(model, training.x[: trainer.batch_size], training.y[: trainer.batch_size])
    model.optimizer.iterations.assign(5)
    context, counts, own = trainer._plan_context(), [5], plan_timing.PlanTrial._time

    def counting(*arguments):
        seconds = own(*arguments)
        counts.append(int(model.optimizer.iterations))
        return seconds

    monkeypatch.setattr(plan_timing.PlanTrial, "_time", counting)
    variables = [*runtime.variables_of(model), *context.rng_variables]
    before, python_state, numpy_state = values_of(variables), random.getstate(), np.random.get_state()
    with context.activate(model, training, [], always=True) as choice:
        pass
    assert (max(counts) > 5 + 3) == bool(choice.timings), "the trials train where there is a choice"
    for variable, value, expected in zip(variables, values_of(variables), before, strict=True):
        np.testing.assert_array_equal(value, expected, err_msg=variable.path)
    assert random.getstate() == python_state
    np.testing.assert_array_equal(np.random.get_state()[1], numpy_state[1])


def outcome(digits, **settings):
    """Train; return the plan of the run and the trained weights."""
    trainer, model, training = ready(digits, **settings)
    trainer.run_epochs(model, training, None)
    return trainer.chosen_plan, model.get_weights()


def test_a_run_with_timing_has_the_same_bits_as_one_with_cached_timings_and_one_by_name(
    backend, digits, cache, every_run_is_long
):
    plan, weights = outcome(digits)
    assert set(plan["timings"]) == {plan.name for plan in runtime.current().plans(ready(digits)[1], 10)}
    assert (plan["remembered"], len(list(cache.iterdir()))) == (False, 1)
    from_cache, by_memory = outcome(digits)
    assert from_cache == {**plan, "remembered": True, "seconds": 0.0}
    named, by_name = outcome(digits, plan=plan["name"])
    assert named == {"name": plan["name"]}
    for values in (by_memory, by_name):
        for value, expected in zip(values, weights, strict=True):
            np.testing.assert_array_equal(value, expected)


def test_a_plan_that_cannot_be_compiled_is_left_out_and_leaves_nothing_behind(
    backend, digits, cache, every_run_is_long, monkeypatch
):
    trainer, model, training = ready(digits)
    kind, names = type(runtime.current()), [plan.name for plan in runtime.current().plans(model, 10)]
    compile_epochs = kind.compile_epochs

    def refuse(self, model, data, batch_size, plan):
        if plan.name in refused:
            model.optimizer.iterations.assign(99)
            raise ValueError("no such kernel\nand more of it")
        return compile_epochs(self, model, data, batch_size, plan)

    monkeypatch.setattr(kind, "compile_epochs", refuse)
    for refused in (names[1:], names[:1]):
        left = [name for name in names if name not in refused]
        choice, _ = activate(trainer, model, training)
        assert (choice.name, dict(choice.failed)) == (left[0], dict.fromkeys(refused, "no such kernel"))
        assert int(model.optimizer.iterations) == 0
        shutil.rmtree(cache)


# --- the costly plan --------------------------------------------------------------------------------------------------


@pytest.fixture
def costly(backend, digits, cache, monkeypatch):
    """A plan that does what the rule's does. The seconds that a run must take are set by the test."""
    kind = type(runtime.current())
    compile_epochs, first = kind.compile_epochs, runtime.current().plans(ready(digits)[1], 10)[0]
    plan = Plan("costly", first.loop, first.jit)
    monkeypatch.setattr(kind, "costly_plan", lambda self, model: plan)
    monkeypatch.setattr(
        kind,
        "compile_epochs",
        lambda self, model, data, size, chosen: renamed(
            compile_epochs(self, model, data, size, first if chosen == plan else chosen), chosen
        ),
    )
    return plan


def renamed(epochs, plan):
    epochs.plan = plan
    return epochs


def test_a_costly_plan_is_timed_only_in_a_run_of_minutes(digits, costly, every_run_is_long, monkeypatch, cache):
    trainer, model, training = ready(digits)
    others = {plan.name for plan in runtime.current().plans(model, 10)}
    assert activate(trainer, model, training)[0].timings.keys() == others
    monkeypatch.setattr("trivium.engine.epochs.plans.SECONDS_WORTH_COMPILING", 0.0)
    choice, _ = activate(trainer, model, training)
    assert (choice.timings.keys(), choice.from_cache) == (others | {"costly"}, False)
    assert len(list(cache.iterdir())) == 2, "the timings of the other plans stay valid for shorter runs"
    again, _ = activate(trainer, model, training)
    assert (again.timings, again.name, again.from_cache) == (choice.timings, choice.name, True)
    monkeypatch.setattr("trivium.engine.epochs.plans.STEPS_WORTH_TIMING", 1_000)
    assert activate(trainer, model, training, always=True)[0].timings.keys() == others, "a short run"


def test_a_costly_plan_that_fails_leaves_the_choice_among_the_others(
    digits, costly, every_run_is_long, monkeypatch, cache
):
    kind, trainer, (_, model, training) = type(runtime.current()), Trainer(**DROPOUT), ready(digits)
    expected, _ = activate(trainer, model, training)
    compile_epochs = kind.compile_epochs

    def fail(self, model, data, batch_size, plan):
        if plan == costly:
            raise ModelError("no compiler")
        return compile_epochs(self, model, data, batch_size, plan)

    monkeypatch.setattr(kind, "compile_epochs", fail)
    monkeypatch.setattr("trivium.engine.epochs.plans.SECONDS_WORTH_COMPILING", 0.0)
    choice, _ = activate(trainer, model, training)
    assert (choice.name, dict(choice.failed)) == (expected.name, {"costly": "no compiler"})
    assert choice.epochs is not None
    monkeypatch.setattr(kind, "compile_epochs", None)
    again, _ = activate(trainer, model, training)
    assert (again.name, again.from_cache) == (expected.name, True), "it is not tried a second time"


def test_a_costly_plan_is_found_by_its_name_and_announced(digits, costly):
    heard = []
    trainer, model, training = ready(digits, plan="costly")
    trainer.listener = heard.append
    assert activate(trainer, model, training)[0].name == "costly"
    assert [event["stage"] for event in heard] == ["compiling a step"]
    with pytest.raises(OptionError, match=r"expected auto, fit, .*, costly$"):
        activate(Trainer(**DROPOUT, plan="unknown"), model, training)


def test_an_endless_run_takes_the_costly_plan_of_the_cache(digits, costly, plan_cache):
    from trivium.engine.epochs.plan_timing import Timing

    trainer, model, training = ready(digits)
    remember(plan_cache, trainer, model, runtime.current().plans(model, 10)[1].name)
    best = runtime.current().plans(model, 10)[1]
    key = plan_cache.cache_key(model, trainer.batch_size, [best, costly])
    plan_cache.store(key, {best.name: Timing(0.0, 0.01), "costly": Timing(100.0, 0.001)})
    trainer.open_ended(model, training)
    assert (trainer.chosen_plan["name"], trainer.chosen_plan["remembered"]) == ("costly", True)
    assert len(trainer.chosen_plan["timings"]) == 3


# --- the cache ---------------------------------------------------------------------------------------------


def remember(plan_cache, trainer, model, fast):
    """Cache timings by which this plan is a hundred times as fast as the others."""
    from trivium.engine.epochs.plan_timing import Timing

    plans = runtime.current().plans(model, 10)
    key = plan_cache.cache_key(model, trainer.batch_size, plans)
    plan_cache.store(key, {plan.name: Timing(0.5, 0.01 if plan.name == fast else 1.0) for plan in plans})


def test_cached_timings_decide_unless_the_run_is_short_or_must_be_repeatable(backend, digits, plan_cache, monkeypatch):
    trainer, model, training = ready(digits)
    expected, *others = [plan.name for plan in runtime.current().plans(model, 10)]
    assert others, "this model can be run in two ways on each backend"
    remember(plan_cache, trainer, model, others[0])
    assert activate(trainer, model, training)[0].name == expected, "six steps"
    monkeypatch.setattr("trivium.engine.epochs.plans.STEPS_WORTH_TIMING", 1)
    choice, _ = activate(trainer, model, training)
    assert (choice.name, choice.from_cache, choice.epochs) == (others[0], True, None)
    for settings in ({"deterministic": True}, {"rng": "native"}, {"plan": expected}):
        assert activate(Trainer(**DROPOUT, **settings), model, training)[0].name == expected, settings


def test_a_run_without_an_end_uses_the_cached_plan_with_the_fastest_step(backend, digits, plan_cache):
    trainer, model, training = ready(digits)
    names = [plan.name for plan in runtime.current().plans(model, 10**9)]
    trainer.open_ended(model, training)
    assert trainer.chosen_plan == {"name": names[0]}
    remember(plan_cache, trainer, model, names[1])
    trainer.open_ended(model, training)(1)
    assert trainer.chosen_plan["name"] == names[1]
    assert int(model.optimizer.iterations) == 3


def test_a_run_without_an_end_times_its_plans_if_asked_to(backend, digits, cache):
    trainer, model, training = ready(digits)
    before = model.get_weights()
    train = trainer.open_ended(model, training, measure=True)
    names = {plan.name for plan in runtime.current().plans(model, 10**9)}
    assert trainer.chosen_plan["timings"].keys() == names
    assert trainer.chosen_plan["name"] in names
    for weights, expected in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(weights, expected)
    train(1)
    assert int(model.optimizer.iterations) == 3
    again = Trainer(**DROPOUT)
    again.open_ended(*again.make_ready(digits))
    assert again.chosen_plan["remembered"]


def test_only_a_long_run_is_worth_timing(backend, digits, cache, monkeypatch):
    trainer, model, training = ready(digits)
    monkeypatch.setattr("trivium.engine.epochs.plans.STEPS_WORTH_TIMING", 1)
    choice, _ = activate(trainer, model, training)
    assert choice.timings is None
    assert choice.epochs is not None, "the epochs compiled for the timing are used"
    assert not cache.exists()


@pytest.mark.parametrize("spoil", [b"", b"{", b"[]", b"null", b'{"schema": 1}', "another key", "no times", "infinite"])
def test_a_damaged_cache_file_counts_as_missing_and_is_written_again(backend, digits, plan_cache, cache, spoil):
    trainer, model, _ = ready(digits)
    plans = runtime.current().plans(model, 10)
    remember(plan_cache, trainer, model, plans[0].name)
    key = plan_cache.cache_key(model, trainer.batch_size, plans)
    known = plan_cache.load(key)
    assert set(known) == {plan.name for plan in plans}
    (file,) = cache.iterdir()
    content = json.loads(file.read_text())
    if spoil == "another key":
        content["key"]["batch_size"] += 1
    elif spoil == "no times":
        content["timings"] = {}
    elif spoil == "infinite":
        content["timings"][plans[0].name]["step"] = float("inf")
    file.write_bytes(spoil if isinstance(spoil, bytes) else json.dumps(content).encode())
    assert plan_cache.load(key) is None
    plan_cache.store(key, known)
    assert plan_cache.load(key) == known


@pytest.mark.one_environment
def test_a_cache_that_cannot_be_written_fails_no_run(backend, digits, every_run_is_long, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    trainer, model, training = ready(digits)
    assert activate(trainer, model, training)[0].timings


def test_the_cache_follows_xdg_cache_home(plan_cache, tmp_path, monkeypatch):
    assert plan_cache.folder() == tmp_path / "cache/trivium/plans"
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for value in ("", "not/absolute"):
        monkeypatch.setenv("XDG_CACHE_HOME", value)
        assert plan_cache.folder() == tmp_path / "home/.cache/trivium/plans"


def dense(units=4, optimizer="adam", loss="mse", window=3, dtype=None, activation="relu"):
    import keras

    model = keras.Sequential(
        [keras.Input((window,)), keras.layers.Dense(units, activation, dtype=dtype), keras.layers.Dense(1)]
    )
    model.compile(optimizer, loss)
    return model


def test_the_fingerprint_of_a_model_depends_on_what_it_computes(plan_cache):
    known = plan_cache.fingerprint(dense())
    assert plan_cache.fingerprint(dense()) == known, "its layers have other names and weights"
    changes = [{"units": 5}, {"optimizer": "sgd"}, {"loss": "mae"}, {"window": 4}, {"dtype": "mixed_bfloat16"}]
    others = [plan_cache.fingerprint(dense(**change)) for change in [*changes, {"activation": "tanh"}]]
    assert len({known, *others}) == 1 + len(others)


def test_a_layer_without_a_config_does_not_prevent_a_fingerprint(plan_cache):
    import keras

    class Odd(keras.layers.Layer):
        def __init__(self, how):
            super().__init__()
            self.how = how

        def call(self, inputs):
            return inputs * 2.0

    def build():
        model = keras.Sequential([keras.Input((3,)), Odd(lambda: None), keras.layers.Dense(1)])
        model.compile("adam", "mse")
        return model

    assert plan_cache.fingerprint(build()) == plan_cache.fingerprint(build())


# --- explaining -----------------------------------------------------------------------------------------------------


def test_an_explanation_names_every_plan_its_timing_and_the_choice(backend, digits, cache):
    explanation = Trainer(**DROPOUT).explain(digits).to_json()
    names = [plan.name for plan in runtime.current().plans(Trainer(**DROPOUT).make_ready(digits)[0], 10)]
    assert sorted(candidate["plan"] for candidate in explanation["candidates"]) == sorted(names)
    assert (explanation["plan"], explanation["steps"], explanation["batch_size"]) == (names[0], 6, 75)
    assert explanation["why"] == "a run of fewer than 1,000 steps goes by the rule"
    for candidate in explanation["candidates"]:
        assert candidate["run"] == pytest.approx(candidate["compile"] + 6 * candidate["step"])
        assert 0 < candidate["step"] < 60
    again = Trainer(**DROPOUT, seed=2).explain(digits).to_json()
    assert (again["remembered"], again["candidates"]) == (True, explanation["candidates"])


def test_an_explanation_says_why_there_is_no_choice(backend, digits, cache):
    augmented = Trainer("cnn/striding", options={"filters": (2, 2)}, augment={"shift": 0.1}).explain(digits)
    assert augmented.to_json()["why"] == "by the rule: plans are timed on data in memory"
    assert (augmented.choice.name, augmented.timings) != ("fit", {})
    named = Trainer(**DROPOUT, plan="fit").explain(digits)
    assert (named.choice.name, named.why) == ("fit", "asked for")
    with pytest.raises(OptionError, match="`plan` fastest: expected auto, fit"):
        Trainer(**DROPOUT, plan="fastest").explain(digits)
