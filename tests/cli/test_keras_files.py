"""Keras' own files on the command line: whole models, weights and architectures, wherever a model is asked for."""

import json

import keras2_files
import keras_files
import numpy as np
import pytest

pytestmark = pytest.mark.one_environment

NO_PREPARATION = "says nothing of how its inputs were prepared: they are taken as they stand"


@pytest.fixture
def files(backend, here):
    """A trained model as `m.keras`, `m.h5`, `m.weights.h5` and `m.json`, its data, and the model itself."""
    model = keras_files.trained()
    for name in ("m.keras", "m.h5"):
        model.save(here / name)
    model.save_weights(here / "m.weights.h5")
    (here / "m.json").write_text(model.to_json())
    keras_files.save_points(here / "points.npz")
    np.save(here / "x.npy", keras_files.points()[0][:5])
    return model


@pytest.mark.parametrize("name", ["m.keras", "m.h5"])
def test_a_whole_model_is_evaluated_as_keras_does(cli, files, name):
    outcome = cli("evaluate", name, "--data", "points.npz", "--json")
    x, y = keras_files.points()
    expected = files.evaluate(x[40:], y[40:], verbose=0, return_dict=True)
    assert json.loads(outcome.out)["metrics"] == pytest.approx(expected, rel=1e-5)
    assert outcome.complaint == f"trivium: {name} {NO_PREPARATION}"


@pytest.mark.parametrize("name", ["m.keras", "m.h5"])
def test_a_whole_model_predicts_classes_by_their_numbers(cli, files, name):
    rows = json.loads(cli("predict", name, "x.npy", "--json").out)["predictions"]
    expected = files.predict(keras_files.points()[0][:5], verbose=0)
    assert [row["prediction"]["label"] for row in rows] == [str(label) for label in expected.argmax(1)]
    given = [list(row["prediction"]["probabilities"].values()) for row in rows]
    np.testing.assert_allclose(given, expected, rtol=1e-5)


def test_a_model_of_values_predicts_values(cli, here, backend):
    import keras

    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
    model.save(here / "values.keras")
    x = keras_files.points()[0][:3]
    np.save(here / "x.npy", x)
    rows = json.loads(cli("predict", "values.keras", "x.npy", "--json").out)["predictions"]
    np.testing.assert_allclose([row["prediction"] for row in rows], model.predict(x, verbose=0)[:, 0], rtol=1e-5)


def test_an_uncompiled_model_is_measured_by_a_loss_that_fits(cli, here, backend):
    keras_files.classifier().save(here / "plain.keras")
    keras_files.save_points(here / "points.npz")
    metrics = json.loads(cli("evaluate", "plain.keras", "--data", "points.npz", "--json").out)["metrics"]
    assert {"loss", "accuracy"} <= set(metrics)


def test_a_model_of_two_inputs_is_evaluated_by_their_names(cli, here, backend):
    import keras

    left, right = keras.Input((4,), name="left"), keras.Input((4,), name="right")
    model = keras.Model([left, right], keras.layers.Dense(1)(keras.layers.Add()([left, right])))
    model.compile("sgd", "mse")
    model.save(here / "two.keras")
    x, _ = keras_files.points()
    y = x[:, :1]
    np.savez(here / "two.npz", left_train=x, right_train=x, y_train=y, left_test=x, right_test=x, y_test=y)
    metrics = json.loads(cli("evaluate", "two.keras", "--data", "two.npz", "--json").out)["metrics"]
    assert metrics["loss"] == pytest.approx(model.evaluate([x, x], y, verbose=0), rel=1e-5)
    np.savez(here / "in.npz", left=x[:2], right=x[:2])
    rows = json.loads(cli("predict", "two.keras", "in.npz", "--json").out)["predictions"]
    np.testing.assert_allclose(
        [row["prediction"] for row in rows], model.predict([x[:2], x[:2]], verbose=0)[:, 0], rtol=1e-4
    )


def test_training_goes_on_with_the_state_of_the_optimizer(cli, files, here):
    for name in ("m.keras", "m.h5"):
        out = here / f"run-{name}"
        assert (
            cli("train", "--from", name, "--data", "points.npz", "--epochs", 1, "--batch-size", 20, "--out", out).code
            == 0
        )
        import keras

        assert cli("save", out, out / "after.keras").code == 0
        after = keras.models.load_model(out / "after.keras").optimizer
        assert int(after.iterations) == 2 + 2
        record = json.loads((out / "run.json").read_text())
        assert record["recipe"] == name
        assert record["settings"]["start"]["file"] == name
        assert record["compiled"]["optimizer"]["class"] == "Adam"
    assert (
        cli("train", "--from", here / "run-m.keras", "--data", "points.npz", "--epochs", 1, "--out", "again").code == 0
    )


def test_another_optimizer_begins_anew(cli, files, here):
    arguments = ("--data", "points.npz", "--epochs", 1, "--batch-size", 40, "--optimizer", "sgd", "--out", "run")
    assert cli("train", "--from", "m.keras", *arguments).code == 0
    assert json.loads((here / "run/run.json").read_text())["compiled"]["optimizer"]["class"] == "SGD"


def test_a_run_from_a_model_file_is_resumed_with_the_same_bits(cli, files, here):
    arguments = ("train", "--from", "m.keras", "--data", "points.npz", "--batch-size", 10)
    assert cli(*arguments, "--epochs", 3, "--out", "whole").code == 0
    assert cli(*arguments, "--epochs", 2, "--out", "parts").code == 0
    assert cli("train", "--resume", "--epochs", 3, "--out", "parts").code == 0
    assert (here / "parts/history.jsonl").read_text() == (here / "whole/history.jsonl").read_text()


def test_whole_models_are_converted_between_the_two_formats(cli, files, here):
    import keras

    assert cli("save", "m.keras", "new.h5").code == 0
    assert cli("save", "new.h5", "newer.keras", "newer.weights.h5", "newer.json").code == 0
    x = keras_files.points()[0]
    for name in ("new.h5", "newer.keras"):
        again = keras.models.load_model(here / name)
        np.testing.assert_allclose(again.predict(x, verbose=0), files.predict(x, verbose=0), rtol=1e-6)
        assert int(again.optimizer.iterations) == 2


def test_a_bundle_is_saved_in_the_older_format(cli, here, saved_runs):
    import keras

    assert cli("save", saved_runs["striding"], "digits.h5").code == 0
    assert keras.models.load_model(here / "digits.h5").output_shape == (None, 10)


def test_weights_go_into_a_recipe_that_builds_such_a_model(cli, files, here):
    import keras

    options = ("--data", "points.npz", "--epochs", 1, "--learning-rate", "1e-12", "--optimizer", "sgd")
    for number, source in enumerate(("m.weights.h5", "m.h5", "m.keras")):
        assert cli("train", "m.json", "--from", source, *options, "--out", f"run{number}").code == 0
        assert cli("save", f"run{number}", f"{number}.keras").code == 0
        after = keras.models.load_model(here / f"{number}.keras").get_layer("first").get_weights()
        for one, other in zip(after, files.get_layer("first").get_weights(), strict=True):
            np.testing.assert_allclose(one, other, atol=1e-6)


def test_only_the_named_layers_are_taken(cli, files, here):
    import keras

    options = ("--data", "points.npz", "--epochs", 1, "--freeze", "first")
    assert cli("train", "m.json", "--from", "m.keras", "--layers", "first", *options, "--out", "run").code == 0
    assert cli("save", "run", "after.keras").code == 0
    after = keras.models.load_model(here / "after.keras")
    np.testing.assert_array_equal(after.get_layer("first").kernel, files.get_layer("first").kernel)
    assert not np.allclose(after.get_layer("answer").kernel, files.get_layer("answer").kernel, atol=0.05)
    assert json.loads((here / "run/run.json").read_text())["settings"]["start"]["layers"] == ["first"]


def test_an_architecture_is_a_recipe(cli, files, here):
    yaml = pytest.importorskip("yaml")
    (here / "m.yaml").write_text(yaml.safe_dump(json.loads((here / "m.json").read_text())))
    for name in ("m.json", "m.yaml"):
        shown = json.loads(cli("recipes", name, "--json").out)
        assert shown["parameters"] == files.count_params()
        assert cli("train", name, "--data", "points.npz", "--epochs", 1).code == 0
    assert (here / "runs/m/bundle.trivium").is_file()


def test_several_new_layers_on_a_frozen_body(cli, files, here):
    import keras

    head = "Dense(5, relu), Dropout(0.5), Dense(3, activation='softmax')"
    arguments = ("--data", "points.npz", "--epochs", 1, "--freeze", "*", "--unfreeze", "head_*", "--out", "run")
    assert cli("train", "--from", "m.keras", "--replace-head", head, *arguments).code == 0
    assert cli("save", "run", "after.keras").code == 0
    after = keras.models.load_model(here / "after.keras")
    assert [layer.name for layer in after.layers][-3:] == ["head_dense", "head_dropout", "head_dense_1"]
    np.testing.assert_array_equal(after.get_layer("first").kernel, files.get_layer("first").kernel)
    again = ("train", "--from", "run", "--data", "points.npz", "--epochs", 1, "--out", "again")
    assert cli(*again).code == 0  # with the loss of the new end
    assert json.loads((here / "again/run.json").read_text())["compiled"]["loss"] == "sparse_categorical_crossentropy"


def test_a_function_builds_the_new_end(cli, files, here):
    (here / "ends.py").write_text(
        "import keras\n\ndef two(body):\n    return keras.layers.Dense(3, 'softmax', name='two')(body.output)\n"
        "def nothing(body):\n    return None\n"
    )
    arguments = ("train", "--from", "m.h5", "--data", "points.npz", "--epochs", 1, "--out", "run")
    assert cli(*arguments, "--replace-head", "ends.py:two").code == 0
    assert json.loads((here / "run/run.json").read_text())["settings"]["start"]["replace_head"] == "ends.py:two"
    assert "returns a model or a tensor" in cli(*arguments, "--replace-head", "ends.py:nothing").complaint


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["evaluate", "m.keras"], "m.keras is a model without data of its own: add --data FILE or a name"),
        (["evaluate", "m.weights.h5", "--data", "points.npz"], "m.weights.h5 holds weights and no model"),
        (["evaluate", "missing.keras", "--data", "points.npz"], "no model file at missing.keras"),
        (["evaluate", "text.keras", "--data", "points.npz"], "is no zip archive, or was truncated"),
        (["evaluate", "folder.keras", "--data", "points.npz"], "no bundle at folder.keras/bundle.trivium"),
        (["predict", "m.keras", "wide.npy"], "a prepared sample has shape (7,) but the model takes (4,)"),
        (["train", "--from", "m.keras"], "m.keras brings no data of its own: add --data"),
        (["train", "--from", "m.weights.h5", "--data", "points.npz"], "holds weights alone: name the RECIPE"),
        (
            ["train", "--from", "x.safetensors", "--data", "points.npz"],
            "a run goes on from its checkpoints by",
        ),
        (
            ["train", "m.keras", "--data", "points.npz"],
            "with weights and no recipe: go on with it by --from",
        ),
        (["train", "nix.json", "--data", "points.npz"], "nix.json: no such file"),
        (["train", "other.json", "--data", "points.npz"], "other.json is no architecture of a model"),
        (["train", "--from", "m.keras", "--layers", "a*"], "--layers are taken into another model: name the RECIPE"),
        (["train", "m.json", "--layers", "a*"], "--layers needs a trained model to start from"),
        (
            ["train", "dense/small", "--from", "m.weights.h5"],
            "(in the file first) has weights (784, 64), (64,), in the file (4, 6), (6,)",
        ),
        (
            ["train", "m.json", "--from", "m.h5", "--layers", "nix*", "--data", "points.npz"],
            "(there are: first, mid",
        ),
        (["train", "--from", "m.keras", "--data", "four.npz", "--epochs", "1"], "class"),
    ],
)
def test_what_does_not_fit_is_refused_in_one_line(refused, files, here, arguments, message):
    (here / "text.keras").write_text("a model?")
    (here / "folder.keras").mkdir()
    (here / "x.safetensors").write_bytes(b"")
    (here / "other.json").write_text("{}")
    np.save(here / "wide.npy", np.zeros((2, 7), "float32"))
    x = np.zeros((8, 4), "float32")
    np.savez(here / "four.npz", x_train=x, y_train=np.arange(8), x_test=x, y_test=np.arange(8))
    complaint = refused(*arguments, with_progress="four.npz" in arguments)
    assert message in complaint


@pytest.mark.parametrize("name", ["own.keras", "own.h5"])
def test_a_model_with_a_loss_of_its_own_predicts_and_is_trained_by_another(cli, here, backend, name):
    import keras

    def own(y, predicted):
        return keras.ops.mean((y - predicted) ** 2)

    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
    model.compile("sgd", own)
    model.save(here / name)
    x, _ = keras_files.points()
    np.savez(here / "values.npz", x_train=x, y_train=x[:, :1], x_test=x, y_test=x[:, :1])
    np.save(here / "x.npy", x[:2])
    rows = json.loads(cli("predict", name, "x.npy", "--json").out)["predictions"]
    np.testing.assert_allclose([row["prediction"] for row in rows], model.predict(x[:2], verbose=0)[:, 0], rtol=1e-5)
    for command in (("evaluate", name), ("train", "--from", name, "--epochs", 1, "--out", "run")):
        assert "only its compilation needs it: name a" in cli(*command, "--data", "values.npz").complaint
    trained = ("train", "--from", name, "--loss", "mae", "--data", "values.npz", "--epochs", 1, "--out", "run")
    assert cli(*trained).code == 0


def test_code_in_a_file_does_not_run_without_trust(refused, here, backend):
    import keras

    model = keras.Sequential([keras.Input((4,)), keras.layers.Lambda(lambda x: x * 2), keras.layers.Dense(1)])
    model.save(here / "code.keras")
    x, _ = keras_files.points()
    np.savez(here / "values.npz", x_train=x, y_train=x[:, :1], x_test=x, y_test=x[:, :1])
    for command in (("evaluate", "code.keras"), ("train", "--from", "code.keras", "--loss", "mse")):
        assert "would run the code of a Lambda" in refused(*command, "--data", "values.npz")
    assert "would run the code of a Lambda" in refused("save", "code.keras", "code.h5")


def test_a_file_of_keras_2_is_evaluated_trained_and_ported(cli, here, backend, generator):
    kernel = generator.normal(size=(4, 3)).astype("float32")
    layers = [keras2_files.input_layer((4,), "input_1"), keras2_files.dense(3, "dense", "softmax")]
    config = {"class_name": "Sequential", "config": {"name": "sequential", "layers": layers}}
    compilation = keras2_files.training(keras2_files.adam(), "sparse_categorical_crossentropy", ["accuracy"])
    weights = {"dense": {"kernel": kernel, "bias": np.zeros(3, "float32")}}
    (here / "old.h5").write_bytes(keras2_files.hdf5(config, weights, compilation))
    keras_files.save_points(here / "points.npz")
    x, y = keras_files.points()
    metrics = json.loads(cli("evaluate", "old.h5", "--data", "points.npz", "--json").out)["metrics"]
    assert metrics["accuracy"] == pytest.approx(np.mean((x[40:] @ kernel).argmax(1) == y[40:]), rel=1e-5)
    cli("train", "--from", "old.h5", "--data", "points.npz", "--epochs", "1", "--out", "run")
    assert (here / "run" / "bundle.trivium").is_file()
    cli("port", "old.h5", "--to", f"source:{backend.name}", "--out", "source")
    assert (here / "source" / "model.py").is_file()
