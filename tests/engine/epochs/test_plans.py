"""Plans by measurement: the faster one is found and remembered, and nobody can tell from the run that it was timed."""

import json
import random
import shutil

import numpy as np
import pytest

from trivium.backends import runtime
from trivium.backends.epochs import Epochs, Plan
from trivium.engine.training.trainer import Trainer
from trivium.errors import OptionError
from trivium.models.recipe import Recipe

ONE, OTHER = Plan("one", loop=False, jit=False), Plan("other", loop=True, jit=True)
# 225 samples in three steps, none of them smaller: nothing is compiled twice.
DROPOUT = {
    "recipe": "dense/dropout",
    "options": {"layers": 1, "units": 8, "dropout": 0.4},
    "batch_size": 75,
    "epochs": 2,
}


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """The folder of a cache of the test's own."""
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
    """Goes on only when it is told to."""

    now = 0.0

    def __call__(self):
        return self.now


class Paced(Epochs):
    """Epochs that do nothing but take their time: so much to compile, so much to begin, so much a step."""

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
    return plan_timing.Trial(Paced(clock, **pace), np.arange(1000), clock)


# --- timing ---------------------------------------------------------------------------------------------------------


def test_compilation_is_told_apart_from_the_steps(plan_timing):
    found = trial_of(plan_timing, Clock(), compile=5.0, step=0.01).timing
    assert found.compile == pytest.approx(5.0)
    assert found.step == pytest.approx(0.01)
    assert found.run(300) == pytest.approx(8.0)


def test_what_an_epoch_begins_with_is_shared_among_its_steps(plan_timing):
    trial = trial_of(plan_timing, Clock(), begin=1 / 128, step=1 / 128)
    assert trial.epochs.ran == [1, 1, 1, 6], "a tenth of a second of single steps"
    assert trial.timing.step == pytest.approx((1 + 1 / 6) / 128)


def test_no_more_steps_are_run_than_an_epoch_has_whole_batches(plan_timing):
    assert trial_of(plan_timing, Clock(), step=1e-6, steps=7).epochs.ran[-1] == 7
    assert trial_of(plan_timing, Clock(), step=0.0, steps=7).epochs.ran[-1] == 1, "a clock that is too coarse"


def test_plans_take_turns_and_a_hopeless_one_is_let_off(plan_timing):
    clock = Clock()
    trials = [trial_of(plan_timing, clock, step=step) for step in (0.010, 0.012, 0.200)]
    before = [len(trial.epochs.ran) for trial in trials]
    plan_timing.take_turns(trials, clock)
    more = [len(trial.epochs.ran) - count for trial, count in zip(trials, before, strict=True)]
    assert more == [7, 7, 0]


def test_turns_end_when_the_time_is_up(plan_timing):
    clock = Clock()
    trials = [trial_of(plan_timing, clock, step=1.0) for _ in range(2)]
    plan_timing.take_turns(trials, clock)
    assert [len(trial.epochs.ran) for trial in trials] == [3 + 1 + 1] * 2, "a round of each is two seconds"


@pytest.mark.parametrize(
    ("one", "other", "steps", "taken"),
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
def test_the_plan_that_is_done_first_is_taken(plan_timing, one, other, steps, taken):
    given = {"one": one, "other": other}
    timings = {name: plan_timing.Timing(*pair) for name, pair in given.items() if pair}
    assert plan_timing.fastest([ONE, OTHER], timings, steps) is taken


# --- trials leave no trace ------------------------------------------------------------------------------------------


def ready(digits, **settings):
    """A trainer, its model and its data, all that a run begins with."""
    trainer = Trainer(**{**DROPOUT, **settings})
    model, training = trainer.make_ready(digits)
    return trainer, model, training


def values_of(variables):
    return [np.array(variable.numpy()) for variable in variables]


def begun(trainer, model, training, **keywords):
    """The plan of a run, chosen as at its beginning, and the course of it."""
    course = trainer._course()
    with course.begun(model, training, [], **keywords) as chosen:
        return chosen, course


@pytest.mark.parametrize(
    ("recipe", "settings"),
    [
        (Recipe("normalised", "dropout and batch normalisation", normalised), {"batch_size": 75}),
        ("rnn/stateful", {"options": {"units": 4}}),
    ],
)
def test_trials_leave_everything_as_it_was(backend, cache, every_run_is_long, monkeypatch, recipe, settings):
    from trivium.backends.epochs import build_metrics
    from trivium.engine.data import datasets
    from trivium.engine.epochs import plan_timing

    trainer = Trainer(recipe, **settings)
    model, training = trainer.make_ready(datasets.load("waves:0:60" if recipe == "rnn/stateful" else "moons"))
    build_metrics(model, training.x[: trainer.batch_size], training.y[: trainer.batch_size])
    model.optimizer.iterations.assign(5)
    course, counts, own = trainer._course(), [5], plan_timing.Trial._time

    def counting(*given):
        seconds = own(*given)
        counts.append(int(model.optimizer.iterations))
        return seconds

    monkeypatch.setattr(plan_timing.Trial, "_time", counting)
    watched = [*runtime.variables_of(model), *course.outside]
    before, drawn, drawn_by_numpy = values_of(watched), random.getstate(), np.random.get_state()
    with course.begun(model, training, [], always=True) as chosen:
        pass
    assert (max(counts) > 5 + 3) == bool(chosen.timings), "it was trained where there was a choice"
    for variable, found, expected in zip(watched, values_of(watched), before, strict=True):
        np.testing.assert_array_equal(found, expected, err_msg=variable.path)
    assert random.getstate() == drawn
    np.testing.assert_array_equal(np.random.get_state()[1], drawn_by_numpy[1])


def outcome(digits, **settings):
    """The plan that a run went by, and the weights it came to."""
    trainer, model, training = ready(digits, **settings)
    trainer.run_epochs(model, training, None)
    return trainer.chosen_plan, model.get_weights()


def test_a_run_that_measured_is_bit_for_bit_the_run_that_remembers_and_the_one_that_was_told(
    backend, digits, cache, every_run_is_long
):
    plan, weights = outcome(digits)
    assert set(plan["timings"]) == {plan.name for plan in runtime.current().plans(ready(digits)[1], 10)}
    assert (plan["remembered"], len(list(cache.iterdir()))) == (False, 1)
    remembered, by_memory = outcome(digits)
    assert remembered == {**plan, "remembered": True, "seconds": 0.0}
    told, by_name = outcome(digits, plan=plan["name"])
    assert told == {"name": plan["name"]}
    for found in (by_memory, by_name):
        for value, expected in zip(found, weights, strict=True):
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
        chosen, _ = begun(trainer, model, training)
        assert (chosen.name, dict(chosen.failed)) == (left[0], dict.fromkeys(refused, "no such kernel"))
        assert int(model.optimizer.iterations) == 0
        shutil.rmtree(cache)


# --- what is remembered ---------------------------------------------------------------------------------------------


def remember(plan_cache, trainer, model, fast):
    """Let it be known that this plan is a hundred times as fast as the others."""
    from trivium.engine.epochs.plan_timing import Timing

    plans = runtime.current().plans(model, 10)
    key = plan_cache.key_of(model, trainer.batch_size, plans)
    plan_cache.keep(key, {plan.name: Timing(0.5, 0.01 if plan.name == fast else 1.0) for plan in plans})


def test_what_was_measured_earlier_decides_unless_the_run_is_short_or_must_be_repeatable(
    backend, digits, plan_cache, monkeypatch
):
    trainer, model, training = ready(digits)
    expected, *others = [plan.name for plan in runtime.current().plans(model, 10)]
    assert others, "this model can be run in two ways on each backend"
    remember(plan_cache, trainer, model, others[0])
    assert begun(trainer, model, training)[0].name == expected, "six steps"
    monkeypatch.setattr("trivium.engine.epochs.plans.STEPS_WORTH_TIMING", 1)
    chosen, _ = begun(trainer, model, training)
    assert (chosen.name, chosen.remembered, chosen.epochs) == (others[0], True, None)
    for settings in ({"deterministic": True}, {"rng": "native"}, {"plan": expected}):
        assert begun(Trainer(**DROPOUT, **settings), model, training)[0].name == expected, settings


def test_a_run_without_an_end_goes_by_the_fastest_step_that_is_known(backend, digits, plan_cache):
    trainer, model, training = ready(digits)
    names = [plan.name for plan in runtime.current().plans(model, 10**9)]
    trainer.open_ended(model, training)
    assert trainer.chosen_plan == {"name": names[0]}
    remember(plan_cache, trainer, model, names[1])
    trainer.open_ended(model, training)(1)
    assert trainer.chosen_plan["name"] == names[1]
    assert int(model.optimizer.iterations) == 3


def test_a_run_without_an_end_times_its_plans_where_it_is_asked_to(backend, digits, cache):
    trainer, model, training = ready(digits)
    before = model.get_weights()
    train = trainer.open_ended(model, training, measure=True)
    names = {plan.name for plan in runtime.current().plans(model, 10**9)}
    assert trainer.chosen_plan["timings"].keys() == names
    assert trainer.chosen_plan["name"] in names
    for weights, was in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(weights, was)
    train(1)
    assert int(model.optimizer.iterations) == 3
    again = Trainer(**DROPOUT)
    again.open_ended(*again.make_ready(digits))
    assert again.chosen_plan["remembered"]


def test_only_a_long_run_is_worth_trials(backend, digits, cache, monkeypatch):
    trainer, model, training = ready(digits)
    monkeypatch.setattr("trivium.engine.epochs.plans.STEPS_WORTH_TIMING", 1)
    chosen, _ = begun(trainer, model, training)
    assert chosen.timings is None
    assert chosen.epochs is not None, "what it was timed by is used"
    assert not cache.exists()


@pytest.mark.parametrize("spoil", [b"", b"{", b"[]", b"null", b'{"schema": 1}', "another key", "no times", "infinite"])
def test_a_spoilt_file_is_as_good_as_none_and_is_written_anew(backend, digits, plan_cache, cache, spoil):
    trainer, model, _ = ready(digits)
    plans = runtime.current().plans(model, 10)
    remember(plan_cache, trainer, model, plans[0].name)
    key = plan_cache.key_of(model, trainer.batch_size, plans)
    known = plan_cache.recall(key)
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
    assert plan_cache.recall(key) is None
    plan_cache.keep(key, known)
    assert plan_cache.recall(key) == known


def test_a_cache_that_cannot_be_written_fails_nothing(backend, digits, every_run_is_long, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    trainer, model, training = ready(digits)
    assert begun(trainer, model, training)[0].timings


def test_the_cache_lies_where_the_user_has_them(plan_cache, tmp_path, monkeypatch):
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


def test_a_model_is_known_again_by_what_it_computes(plan_cache):
    known = plan_cache.fingerprint(dense())
    assert plan_cache.fingerprint(dense()) == known, "its layers have other names and weights"
    changes = [{"units": 5}, {"optimizer": "sgd"}, {"loss": "mae"}, {"window": 4}, {"dtype": "mixed_bfloat16"}]
    found = [plan_cache.fingerprint(dense(**change)) for change in [*changes, {"activation": "tanh"}]]
    assert len({known, *found}) == 1 + len(found)


def test_a_layer_that_cannot_tell_how_it_was_made_is_no_obstacle(plan_cache):
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


def test_an_explanation_names_every_plan_its_times_and_the_one_that_is_taken(backend, digits, cache):
    found = Trainer(**DROPOUT).explain(digits).to_json()
    names = [plan.name for plan in runtime.current().plans(Trainer(**DROPOUT).make_ready(digits)[0], 10)]
    assert sorted(candidate["plan"] for candidate in found["candidates"]) == sorted(names)
    assert (found["plan"], found["steps"], found["batch_size"]) == (names[0], 6, 75)
    assert found["why"] == "a run of fewer than 1,000 steps goes by the rule"
    for candidate in found["candidates"]:
        assert candidate["run"] == pytest.approx(candidate["compile"] + 6 * candidate["step"])
        assert 0 < candidate["step"] < 60
    again = Trainer(**DROPOUT, seed=2).explain(digits).to_json()
    assert (again["remembered"], again["candidates"]) == (True, found["candidates"])


def test_an_explanation_says_why_there_is_no_choice(backend, digits, cache):
    augmented = Trainer("cnn/striding", options={"filters": (2, 2)}, augment="shift=0.1").explain(digits)
    assert augmented.to_json()["why"] == "the data are drawn anew for each batch"
    assert (augmented.chosen.name, augmented.timings) == ("fit", {})
    named = Trainer(**DROPOUT, plan="fit").explain(digits)
    assert (named.chosen.name, named.why) == ("fit", "asked for")
    with pytest.raises(OptionError, match="--plan fastest: expected auto, fit"):
        Trainer(**DROPOUT, plan="fastest").explain(digits)
