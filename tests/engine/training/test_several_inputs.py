"""Models of several inputs and outputs: trained, evaluated, saved, resumed, and used, by name or in order."""

import json
from pathlib import Path

import functions_for_several_inputs as several
import numpy as np
import pytest

from trivium.backends import runtime
from trivium.data import datasets
from trivium.data.dataset import Dataset, Split
from trivium.engine.bundles import bundle as bundles
from trivium.engine.prediction.evaluation import evaluate, predict
from trivium.engine.runs import run_folder
from trivium.engine.training import saving
from trivium.engine.training.trainer import Trainer
from trivium.errors import DataError

BUILDERS = Path(several.__file__)
SETTINGS = {"epochs": 2, "batch_size": 16}


@pytest.fixture(scope="module")
def npz(tmp_path_factory):
    return several.write_npz(tmp_path_factory.mktemp("data") / "several.npz")


@pytest.fixture(scope="module")
def run(backend, npz):
    trainer = Trainer(f"{BUILDERS}:build", **SETTINGS)
    return trainer.fit(trainer.load(npz))


@pytest.fixture(scope="module")
def folder(run, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "several"
    run_folder.claim(folder)
    saving.save(run, folder)
    return folder


def split_of(count, seed=0):
    named = several.arrays(count, seed)
    return Split({k: named[k] for k in ("numbers", "words")}, {k: named[k] for k in ("price", "kind")})


def test_a_run_is_evaluated_as_plain_keras_evaluates_its_model(run):
    assert run.dataset.labels == {"kind": ("0", "1", "2")}
    assert {"loss", "price_loss", "kind_loss", "kind_accuracy", "val_kind_accuracy"} <= {*run.history.metrics}
    named = several.arrays(30, seed=1)
    x, y = [named["numbers"], named["words"]], [named["price"], named["kind"]]
    expected = run.model.evaluate(x, y, return_dict=True, verbose=0)
    assert {name: run.evaluation[name] for name in expected} == pytest.approx(expected, rel=1e-5)
    error = run.model.predict(x, verbose=0)[0][:, 0] - named["price"]
    assert run.evaluation["price_rms_error"] == pytest.approx(np.sqrt(np.mean(error**2)), rel=1e-5)


def test_its_epochs_are_those_of_fit_in_the_order_of_the_run(run, backend):
    """The losses of the first epoch, by `train_on_batch`, from the same weights and in the same order."""
    from trivium.engine.epochs.batches import sample_order

    trainer = Trainer(f"{BUILDERS}:build", **SETTINGS)
    model, training = trainer.make_ready(Dataset("several", split_of(90), None, {}, "made"))
    order = sample_order(trainer.resolved.seed, 0, len(training), shuffle=True)
    losses, sizes = [], []
    for first in range(0, len(order), 16):
        x, y = training.take(order[first : first + 16]).arrays
        model.reset_metrics()
        losses.append(float(model.train_on_batch(x, y, return_dict=True)["loss"]))
        sizes.append(len(y[0]))
    assert run.history["loss"][0] == pytest.approx(np.average(losses, weights=sizes), rel=1e-2)


def test_every_plan_trains_it_as_fit(run, npz):
    """Keras' `fit` counts a smaller last batch as a whole one in the loss of an output, under TensorFlow alone."""
    trainer = Trainer(f"{BUILDERS}:build", **SETTINGS, plan="fit")
    by_fit = trainer.fit(trainer.load(npz))
    for plan in runtime.current().plans(run.model, 10):
        by_plan = Trainer(f"{BUILDERS}:build", **SETTINGS, plan=plan.name).fit(trainer.load(npz))
        assert by_plan.settings["plan"] == {"name": plan.name}
        for metric in ("loss", "val_loss", "kind_accuracy"):
            assert by_plan.history[metric] == pytest.approx(by_fit.history[metric], rel=1e-5)
        for mine, theirs in zip(by_plan.model.get_weights(), by_fit.model.get_weights(), strict=True):
            np.testing.assert_allclose(mine, theirs, atol=1e-6)
    assert run.settings["plan"]["name"] != "fit"


def test_the_losses_of_the_outputs_are_means_over_the_samples(run):
    """Together they are the loss of the run, which a smaller last batch shows: 16, 16, 16, 16 and 8 samples."""
    for part in ("", "val_"):
        total = np.add(run.history[f"{part}price_loss"], run.history[f"{part}kind_loss"])
        np.testing.assert_allclose(run.history[f"{part}loss"], total, rtol=1e-6)


def test_predictions_are_by_the_name_of_the_output(run, folder):
    named = several.arrays(5, seed=2)
    x = {"words": named["words"], "numbers": named["numbers"]}
    predictions = predict(folder, x)
    price, kind = run.model.predict([x["numbers"], x["words"]], verbose=0)
    np.testing.assert_allclose(predictions.outputs["price"], price, atol=1e-6)
    np.testing.assert_allclose(predictions.outputs["kind"], kind, atol=1e-6)
    np.testing.assert_array_equal(predictions.values["kind"], kind.argmax(-1))
    entry = predictions.to_json()[0]
    assert entry["kind"]["label"] == str(kind[0].argmax())
    assert entry["price"] == pytest.approx(float(price[0, 0]), abs=1e-6)
    in_order = predict(folder, (x["numbers"], x["words"]))
    np.testing.assert_array_equal(in_order.outputs["price"], predictions.outputs["price"])


def test_a_bundle_records_inputs_and_outputs_by_name(run, folder):
    bundle = bundles.load(folder)
    assert list(bundle.recorded_inputs) == ["numbers", "words"]
    assert list(bundle.recorded_outputs) == ["price", "kind"]
    assert bundle.recorded_inputs["words"].dtype == "int32"
    assert bundle.labels == {"kind": ("0", "1", "2")}
    price, kind = bundle.model.predict(list(bundle.recorded_inputs.values()), verbose=0)
    np.testing.assert_allclose(price, bundle.recorded_outputs["price"], atol=1e-6)
    np.testing.assert_allclose(kind, bundle.recorded_outputs["kind"], atol=1e-6)


def test_a_run_folder_has_a_picture_of_each_output(folder):
    assert {"curves.png", "predictions-price.png", "confusion-kind.png"} <= {path.name for path in folder.iterdir()}


def test_a_bundle_is_evaluated_on_named_arrays(run, folder, npz):
    assert evaluate(folder, npz) == pytest.approx(run.evaluation, rel=1e-5)


def test_losses_are_chosen_for_each_output(backend, npz):
    trainer = Trainer(f"{BUILDERS}:uncompiled", **SETTINGS)
    chosen = trainer.fit(trainer.load(npz))
    assert chosen.model.loss == ["mean_squared_error", "sparse_categorical_crossentropy"]
    assert "kind_accuracy" in chosen.evaluation


def test_a_model_of_dictionaries_gets_dictionaries(backend, npz):
    trainer = Trainer(f"{BUILDERS}:by_key", **SETTINGS)
    by_key = trainer.fit(trainer.load(npz))
    assert {"price_loss", "kind_loss", "kind_accuracy"} <= {*by_key.history.metrics}
    assert {"price_rms_error", "kind_accuracy"} <= {*by_key.evaluation}


def test_arrays_in_order_train_the_run_of_named_ones(run, backend):
    named = several.arrays(90)
    in_order = Split((named["numbers"], named["words"]), (named["price"], named["kind"]))
    again = Trainer(f"{BUILDERS}:build", **SETTINGS).fit(Dataset("in order", in_order, None, {}, "made"))
    assert again.history["loss"] == run.history["loss"]


def test_a_resumed_run_ends_with_the_same_bits(run, npz, tmp_path):
    for epochs, resume in ((1, False), (2, True)):
        trainer = Trainer(f"{BUILDERS}:build", epochs=epochs, batch_size=16)
        with run_folder.open_run(tmp_path / "run", resume=resume) as opened:
            resumed = trainer.fit(trainer.load(npz), run_folder=opened)
        saving.save(resumed, tmp_path / "run")
    assert resumed.history.epochs == run.history.epochs
    for mine, theirs in zip(resumed.model.get_weights(), run.model.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, theirs)


def test_sample_weights_count_in_every_output(backend):
    """A sample of weight 0 changes nothing."""
    weights = np.ones(90)
    weights[:45] = 0
    changed = split_of(90)
    changed.y["price"][:45] += 100
    runs = [
        Trainer(f"{BUILDERS}:build", **SETTINGS, sample_weight=weights).fit(
            Dataset("weighted", split, None, {}, "made")
        )
        for split in (split_of(90), changed)
    ]
    for mine, theirs in zip(runs[0].model.get_weights(), runs[1].model.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, theirs)


# --- what does not go together --------------------------------------------------------------------------------------


def save(path, **arrays):
    np.savez(path, **arrays)
    return path


def refused(data):
    trainer = Trainer(f"{BUILDERS}:build", **SETTINGS)
    with pytest.raises(DataError) as error:
        trainer.fit(data if isinstance(data, Dataset) else trainer.load(data))
    return str(error.value)


def test_names_that_the_model_does_not_have_are_refused(backend, tmp_path):
    named = several.arrays(20)
    named["prices"] = named.pop("price")
    message = refused(save(tmp_path / "d.npz", **{f"{name}_train": array for name, array in named.items()}))
    assert "has the arrays numbers, words, kind, prices, but" in message
    assert "the inputs numbers, words and the outputs price, kind: name the arrays as these" in message


def test_one_array_for_two_inputs_is_refused(backend, digits):
    assert "the model has 2 inputs (numbers, words) but one array for them" in refused(digits)


def test_arrays_of_different_lengths_are_refused(backend, tmp_path):
    named = several.arrays(20)
    named["price"] = named["price"][:19]
    message = refused(save(tmp_path / "d.npz", **{f"{name}_train": array for name, array in named.items()}))
    assert "the arrays of train have different numbers of samples (numbers 20, words 20, price 19, kind 20)" in message


def test_fractions_for_an_input_of_integers_are_refused(backend):
    split = split_of(20)
    split.x["words"] = split.x["words"] + 0.5
    message = refused(Dataset("halves", split, None, {}, "made"))
    assert message == "halves: the input words takes int32, but its array holds values that are none (float64)"


def test_a_test_split_that_does_not_fit_is_refused_before_training(backend):
    test = split_of(10)
    test.x["numbers"] = test.x["numbers"][:, :2]
    message = refused(Dataset("narrow", split_of(20), test, {}, "made"))
    assert message == "narrow: a prepared sample has shape (2,) but the model takes (3,) (the input numbers)"


def test_what_takes_one_array_says_so(backend, npz):
    from trivium.engine.search.search import search

    dataset = Trainer(f"{BUILDERS}:build").load(npz)
    with pytest.raises(DataError, match="has several inputs or targets: a search takes one array of each"):
        search(f"{BUILDERS}:build", {"units": [2, 3]}, dataset)


def test_the_record_of_a_run_names_its_data(folder, npz):
    record = json.loads((folder / "run.json").read_text())
    assert record["dataset"]["checksum"] == Trainer(f"{BUILDERS}:build").load(npz).checksum
    assert datasets.load(npz).train.y == {}, "the file alone does not say which arrays are targets"


def test_a_summary_counts_the_classes_of_each_target(backend, npz):
    from trivium.engine.plots.data_summary import summarize

    summary = summarize(Trainer(f"{BUILDERS}:build").load(npz))
    arrays = summary["splits"]["train"]["arrays"]
    assert {*arrays} == {"numbers", "words", "price", "kind"}
    counts = np.bincount(several.arrays(90)["kind"])
    assert arrays["kind"]["classes"] == dict(zip("012", counts.tolist(), strict=True))
    assert arrays["price"]["classes"] == {}
