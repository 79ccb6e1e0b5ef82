"""Sample weights and class weights: their values, and that every plan trains with them as Keras' `fit` does."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

from trivium.backends import runtime
from trivium.data.dataset import Dataset, Split
from trivium.data.sample_weights import SampleWeights
from trivium.engine.training.trainer import Trainer
from trivium.errors import DataError, OptionError
from trivium.models.recipe import Recipe

LABELS = ("cat", "dog", "eel")
ANIMALS = Dataset("animals", Split(np.zeros((6, 2)), np.array([0, 0, 0, 1, 1, 2])), None, LABELS, "given")
EVERY = slice(None)


# --- computing weights ----------------------------------------------------------------------------------------------


def test_a_class_that_is_not_named_has_weight_1():
    weights = SampleWeights.of({"dog": 2, "eel": 0.5}, None).for_training(ANIMALS, EVERY)
    np.testing.assert_array_equal(weights, np.array([1, 1, 1, 2, 2, 0.5], "float32"))
    assert weights.dtype == "float32"


def test_classes_may_be_named_by_their_numbers_where_they_are_numbers():
    digits = Dataset("digits", ANIMALS.train, None, ("0", "1", "2"), "given")
    for class_weight in ({1: 3, np.int64(2): 4}, {"1": 3, "2": 4}):
        weights = SampleWeights.of(class_weight, None).for_training(digits, EVERY)
        np.testing.assert_array_equal(weights, [1, 1, 1, 3, 3, 4], err_msg=str(class_weight))


def test_balanced_class_weights_equal_those_of_scikit_learn():
    from sklearn.utils.class_weight import compute_sample_weight

    weights = SampleWeights.of("balanced", None).for_training(ANIMALS, EVERY)
    np.testing.assert_allclose(weights, compute_sample_weight("balanced", ANIMALS.train.y), rtol=1e-6)
    # On the training split alone, in which one class does not occur.
    weights = SampleWeights.of("balanced", None).for_training(ANIMALS, slice(0, 4))
    np.testing.assert_allclose(weights, compute_sample_weight("balanced", ANIMALS.train.y[:4]), rtol=1e-6)


def test_class_and_sample_weights_are_multiplied_in_training_and_class_weights_do_not_apply_in_validation():
    weights = SampleWeights.of({"dog": 2}, [1, 2, 3, 4, 5, 6])
    np.testing.assert_array_equal(weights.for_training(ANIMALS, slice(0, 4)), [1, 2, 3, 8])
    np.testing.assert_array_equal(weights.for_validation(ANIMALS, slice(4, None)), [5, 6])
    assert SampleWeights.of({"dog": 2}, None).for_validation(ANIMALS, EVERY) is None
    assert SampleWeights.of(None, None).for_training(ANIMALS, EVERY) is None


@pytest.mark.parametrize(
    ("classes", "samples", "message"),
    [
        ("even", None, "class_weight even: expected balanced, or a weight for each class by its name"),
        ({"cat": -1}, None, "class_weight: the weight of class cat must be 0 or more, received -1"),
        ({"cat": "much"}, None, "class_weight: the weight of class cat must be 0 or more, received 'much'"),
        ({"dogs": 2}, None, "class_weight: animals has no class dogs (it has: cat, dog, eel); did you mean 'dog'?"),
        (None, [1.0, np.nan], "sample_weight must be a number of 0 or more for each sample, (n,)"),
        (None, [[1.0]] * 6, "sample_weight must be a number of 0 or more for each sample, (n,)"),
        (None, [1.0] * 5, "sample_weight: animals has 6 training samples, received 5 weights"),
    ],
)
def test_invalid_weights_are_refused(classes, samples, message):
    with pytest.raises(OptionError, match=re.escape(message)):
        SampleWeights.of(classes, samples).for_training(ANIMALS, EVERY)


def test_class_weights_are_refused_for_data_without_classes():
    values = Dataset("heights", Split(np.zeros((3, 1)), np.ones(3)), None, (), "given")
    with pytest.raises(OptionError, match="heights has no classes: use sample_weight"):
        SampleWeights.of("balanced", None).for_training(values, EVERY)


def test_sample_weights_are_refused_for_windows_over_a_series(backend):
    from trivium.data import datasets

    waves = datasets.load("waves:0:20")
    with pytest.raises(DataError, match="rnn/lstm cannot take this: its samples are windows over a series"):
        Trainer("rnn/lstm", sample_weight=np.ones(len(waves.train))).prepare(waves)


# --- training -------------------------------------------------------------------------------------------------------


def weighted_moons():
    """Return the two moons with a rarer second class, the same each time, and their differing weights."""
    from sklearn.datasets import make_moons

    x, y = make_moons((90, 43), noise=0.2, random_state=0)
    order = np.random.default_rng(0).permutation(len(x))
    weight = np.random.default_rng(1).uniform(0.2, 3, len(x)).astype("float32")
    return Dataset("moons", Split(x[order].astype("float32"), y[order]), None, ("0", "1"), "given"), weight


def build_weighted():
    """Return a model with weighted and unweighted metrics; in batches of 30, the last batch is smaller."""
    import keras

    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(8, "tanh"), keras.layers.Dense(1, "sigmoid")])
    measured = {"metrics": ["accuracy"], "weighted_metrics": [keras.metrics.BinaryAccuracy(name="weighted"), "mae"]}
    model.compile("adam", "binary_crossentropy", **measured)
    return model


def trainer_of(plan, **weights):
    recipe = Recipe("weighing", "two moons", build_weighted, batch_size=30, shuffle=False)
    return Trainer(recipe, epochs=3, plan=plan, **weights)


@pytest.mark.shared_out
@pytest.mark.parametrize("by", ["classes", "samples"])
def test_every_plan_gives_the_history_that_keras_gives(backend, by):
    dataset, weight = weighted_moons()
    x, y, held_out = dataset.train.x, dataset.train.y, 34  # a quarter of 133
    trivium_options, keras_options, validation = {}, {"class_weight": {0: 1.0, 1: 4.0}}, (x[-held_out:], y[-held_out:])
    if by == "samples":
        trivium_options, keras_options = {"sample_weight": weight}, {"sample_weight": weight[:-held_out]}
        validation = (*validation, weight[-held_out:])
    model, _ = trainer_of("fit").make_ready(dataset)
    settings = {"batch_size": 30, "epochs": 3, "shuffle": False, "verbose": 0}
    expected = model.fit(x[:-held_out], y[:-held_out], validation_data=validation, **settings, **keras_options).history
    assert {"weighted", "val_weighted", "val_mae"} <= expected.keys()
    assert abs(expected["accuracy"][-1] - expected["weighted"][-1]) > 1e-3, "the weights make a difference"
    plans = [plan.name for plan in runtime.current().plans(model, 10**9)]
    for plan in ["fit", *plans] if by == "samples" else plans:
        run = trainer_of(plan, **(trivium_options or {"class_weight": {1: 4}})).fit(dataset)
        assert run.settings["plan"]["name"] == plan
        assert set(run.history.metrics) == expected.keys(), plan
        for metric, values in expected.items():
            np.testing.assert_allclose(run.history[metric], values, rtol=0, atol=1e-5, err_msg=f"{plan} {metric}")


def test_the_timing_trials_of_a_long_run_use_sample_weights_too(backend, monkeypatch):
    from trivium.engine.epochs import plan_timing

    runners = []
    original = plan_timing.PlanTrial.__init__

    def init(self, epochs, *arguments):
        runners.append(epochs)
        original(self, epochs, *arguments)

    monkeypatch.setattr(plan_timing.PlanTrial, "__init__", init)
    dataset, weight = weighted_moons()
    trainer_of("auto", sample_weight=weight).explain(dataset)
    assert runners
    for epochs in runners:
        assert [len(part) for part in epochs._data] == [99] * 3


@pytest.mark.parametrize("augment", [None, {"shift": 0.1}])
def test_a_sample_of_weight_0_has_no_effect_on_training_however_it_is_fetched(backend, digits, augment):
    nothing = dict.fromkeys(digits.labels, 0)
    settings = {"epochs": 1, "batch_size": 100, "augment": augment, "validation_split": 0.0}
    run = Trainer("dense/two-small", class_weight=nothing, **settings).fit(digits)
    assert run.history["loss"] == [0.0]
    assert run.settings["class_weight"] == dict.fromkeys(digits.labels, 0.0)


def test_fresh_drawings_have_the_weights_of_their_classes():
    def draw(count, key):
        return Split(np.zeros((count, 2)), np.arange(count) % 3)

    drawn = Dataset("drawn", ANIMALS.train, None, LABELS, "drawn", draw)
    split = SampleWeights.of({"eel": 7}, None).weighted_draw(drawn)(6, (0,))
    np.testing.assert_array_equal(split.weight, [1, 1, 7, 1, 1, 7])
    with pytest.raises(OptionError, match="drawn draws new samples for each batch: use class_weight"):
        SampleWeights.of(None, np.ones(6)).weighted_draw(drawn)


# --- resuming -------------------------------------------------------------------------------------------------------


def record_of(**settings):
    settings = json.loads(json.dumps(Trainer("dense/small", **settings).settings))
    return {"recipe": "dense/small", "settings": settings, "dataset": {"checksum": "1"}}


@pytest.mark.parametrize(
    ("before", "now", "message"),
    [
        ({"class_weight": {0: 1, 1: 5}}, {"class_weight": {0: 1, 1: 6}}, r"class_weight .*5.0.* → .*6.0"),
        ({"class_weight": "balanced"}, {}, "class_weight balanced → none"),
        ({"sample_weight": [1, 2]}, {"sample_weight": [2, 1]}, "sample_weight sha256:.* → sha256:"),
        ({}, {"sample_weight": [1, 2]}, "sample_weight none → sha256:"),
    ],
)
def test_a_run_is_resumed_only_with_its_original_weights(before, now, message):
    from trivium.engine.runs.resume_rules import require_same

    require_same(Path("run"), record_of(**before), record_of(**before))
    with pytest.raises(OptionError, match=message):
        require_same(Path("run"), record_of(**before), record_of(**now))
