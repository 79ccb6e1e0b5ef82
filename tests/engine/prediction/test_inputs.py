"""Files for a prediction are read as the training data were; sizes of a builder follow from the data."""

import json
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from safetensors.numpy import save_file

from trivium.data.data_source import dataset_of
from trivium.engine.bundles.bundle import Bundle
from trivium.engine.prediction import inputs
from trivium.engine.prediction.evaluation import evaluate, predict
from trivium.engine.training.trainer import Trainer
from trivium.errors import DataError, RecipeError

pytestmark = pytest.mark.one_environment

BUILDERS = """
import keras

def table(inputs, classes, units=4):
    layers = [keras.Input((inputs,)), keras.layers.Dense(units, "tanh"), keras.layers.Dense(classes, "softmax")]
    return keras.Sequential(layers)

def values(inputs, outputs):
    return keras.Sequential([keras.Input((inputs,)), keras.layers.Dense(outputs)])

def colour(classes):
    pooled = [keras.layers.Rescaling(1 / 255), keras.layers.GlobalAveragePooling2D()]
    return keras.Sequential([keras.Input((6, 8, 3)), *pooled, keras.layers.Dense(classes, "softmax")])

def grey(classes=2):
    flat = [keras.layers.Rescaling(1 / 255), keras.layers.Flatten()]
    return keras.Sequential([keras.Input((6, 8)), *flat, keras.layers.Dense(classes, "softmax")])
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A folder with builders, a table and pictures: `bright` ones are red, `dark` ones are blue."""
    folder = tmp_path_factory.mktemp("project")
    (folder / "mine.py").write_text(BUILDERS)
    rows = [f"{i % 7},{'red' if i % 2 else 'blue'},{i % 5}" for i in range(60)]
    (folder / "table.csv").write_text("a,label,b\n" + "\n".join(rows) + "\n")
    for name, level, channel in (("bright", 200, 0), ("dark", 40, 2)):
        (folder / "pictures" / name).mkdir(parents=True)
        for i in range(10):
            values = np.zeros((6, 8, 3), "uint8")
            values[..., channel] = level + i
            Image.fromarray(values).save(folder / "pictures" / name / f"{i}.png")
    return folder


def train(project, function, data, **settings):
    settings = {"epochs": 30, "batch_size": 8, "learning_rate": 0.05, **settings}
    trainer = Trainer(f"{project}/mine.py:{function}", **settings)
    return trainer.fit(trainer.load(project / data))


@pytest.fixture(scope="module")
def table(backend, project):
    return Bundle.of(train(project, "table", "table.csv"))


@pytest.fixture(scope="module")
def coloured(backend, project):
    return Bundle.of(train(project, "colour", "pictures"))


def test_a_builder_gets_the_sizes_of_the_data(table, project):
    assert table.run["settings"]["options"] == {"inputs": 2, "classes": 2, "units": 4}
    assert table.run["dataset"]["columns"] == ["a", "b"]


def test_a_regression_gets_its_outputs(backend, project, tmp_path):
    x = np.arange(40.0).reshape(20, 2)
    np.savez(tmp_path / "values.npz", x_train=x, y_train=np.stack([x.sum(1), x[:, 0], x[:, 1]], axis=1))
    run = train(project, "values", tmp_path / "values.npz")
    assert run.settings["options"] == {"inputs": 2, "outputs": 3}


def test_a_size_that_the_user_gives_holds(backend, project):
    with pytest.raises(DataError, match=r"a prepared sample has shape \(2,\) but the model takes \(3,\)"):
        train(project, "table", "table.csv", options={"inputs": 3})
    with pytest.raises(RecipeError, match="needs a value for inputs"):
        Trainer(f"{project}/mine.py:table").recipe()


def test_images_are_flattened_for_a_builder_of_inputs(backend, project, digits):
    run = Trainer(f"{project}/mine.py:table", epochs=1).fit(digits)
    assert run.settings["options"]["inputs"] == 784
    assert run.model.input_shape == (None, 784)


def test_a_table_may_have_its_columns_in_any_order_and_the_target(table, project, tmp_path):
    (tmp_path / "turned.csv").write_text("b,a\n3,5\n1,2\n")
    turned = inputs.read(table, tmp_path / "turned.csv")
    np.testing.assert_array_equal(turned, [[5, 3], [2, 1]])
    np.testing.assert_array_equal(inputs.read(table, project / "table.csv")[:3], [[0, 0], [1, 1], [2, 2]])
    (tmp_path / "bare.csv").write_text("5,3\n2,1\n")
    np.testing.assert_array_equal(inputs.read(table, tmp_path / "bare.csv"), turned)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,c\n1,2\n", r"has no column b \(it has: a, c\)"),
        ("1,2,3\n", "has 3 columns, the model takes 2: a, b"),
        ("a,b\n1,many\n", "row 1 of column b holds 'many', expected a number"),
    ],
)
def test_a_table_of_other_columns_is_refused(table, tmp_path, text, message):
    (tmp_path / "other.csv").write_text(text)
    with pytest.raises(DataError, match=message):
        inputs.read(table, tmp_path / "other.csv")


def test_arrays_are_read_in_each_form_of_the_training_data(table, tmp_path):
    arrays = {
        "x_train": np.ones((4, 2)),
        "y_train": np.zeros(4),
        "x_test": np.array([[5.0, 3.0]]),
        "y_test": np.ones(1),
    }
    np.savez(tmp_path / "data.npz", **arrays)
    save_file(arrays, tmp_path / "data.safetensors")
    (tmp_path / "folder").mkdir()
    for name, array in arrays.items():
        np.save(tmp_path / "folder" / f"{name}.npy", array)
    for name in ("data.npz", "data.safetensors", "folder"):
        np.testing.assert_array_equal(inputs.read(table, tmp_path / name), [[5, 3]])
    with pytest.raises(DataError, match=r"a folder without \.npy files: name the files in it, such as "):
        inputs.read(table, tmp_path)


def test_a_text_has_a_sentence_in_each_line(backend, tmp_path):
    words = np.array(["good", "bad", "film", "book", "day", "car"])
    chosen = np.random.default_rng(0).choice(words, (60, 5))
    rows = [f"{' '.join(row)},{'no' if number % 2 else 'yes'}" for number, row in enumerate(chosen)]
    (tmp_path / "table.csv").write_text("said,liked\n" + "\n".join(rows) + "\n")
    (tmp_path / "lines.txt").write_text("good film\n\nbad day\n")
    bundle = Bundle.of(Trainer("text/classes", epochs=1).fit(dataset_of(tmp_path / "table.csv")))
    lines = predict(bundle, inputs.read(bundle, tmp_path / "lines.txt"))
    np.testing.assert_array_equal(lines.outputs, predict(bundle, ["good film", "bad day"]).outputs)


def test_a_picture_is_read_like_those_of_the_training(coloured, project):
    for name in ("bright", "dark"):
        picture = inputs.read(coloured, project / "pictures" / name / "3.png")
        assert picture.shape == (1, 6, 8, 3)
        assert predict(coloured, picture).to_json()[0]["label"] == name


def test_a_grey_picture_becomes_coloured_for_a_model_of_coloured_ones(coloured, tmp_path):
    Image.fromarray(np.full((6, 8), 7, "uint8")).save(tmp_path / "grey.png")
    assert (inputs.read(coloured, tmp_path / "grey.png") == 7).all()


def test_a_model_of_grey_pictures_gets_grey_ones(backend, project):
    run = train(project, "grey", "pictures")
    assert run.dataset.train.x.shape[1:] == (6, 8)
    assert run.evaluation["accuracy"] == 1
    bundle = Bundle.of(run)
    assert inputs.read(bundle, project / "pictures/bright/0.png").shape == (1, 6, 8)
    assert evaluate(bundle, project / "pictures") == pytest.approx(run.evaluation)


def test_a_picture_of_another_size_is_refused(coloured, tmp_path):
    Image.fromarray(np.zeros((9, 9, 3), "uint8")).save(tmp_path / "large.png")
    with pytest.raises(DataError, match=r"large.png has 9x9 pixels .* samples of shape \(6, 8, 3\): resize it"):
        inputs.read(coloured, tmp_path / "large.png")


@pytest.mark.parametrize("fit", ["resize", "crop", "pad"])
def test_a_picture_of_any_size_is_prepared_as_in_the_training(backend, project, tmp_path, fit):
    mixed, values = tmp_path / "mixed", np.random.default_rng(0).integers(0, 256, (11, 14, 3)).astype("uint8")
    for name in ("a", "b"):
        (mixed / name).mkdir(parents=True)
        for number in range(5):
            Image.fromarray(values[number:]).save(mixed / name / f"{number}.png")
    for function in ("colour", "grey"):
        run = train(project, function, f"{mixed}:size=6x8:fit={fit}", epochs=1)
        bundle = Bundle.of(run)
        known = [*run.dataset.train.x, *run.dataset.test.x]
        for number in range(5):
            (picture,) = inputs.read(bundle, mixed / "a" / f"{number}.png")
            assert sum(np.array_equal(picture, other) for other in known) == 2, "that of each class"


def test_a_model_of_digits_reads_a_drawn_digit(saved_runs, tmp_path):
    from trivium.engine.bundles import bundle as bundles

    bundle = bundles.load(saved_runs["striding"])
    canvas = np.full((100, 80), 255, "uint8")
    canvas[20:80, 36:44] = 0
    Image.fromarray(canvas).save(tmp_path / "one.png")
    assert inputs.read(bundle, tmp_path / "one.png").shape == (1, 28, 28)
    dataset = {name: value for name, value in bundle.run["dataset"].items() if name != "kind"}
    older = replace(bundle, run={**bundle.run, "dataset": dataset})
    assert inputs.read(older, tmp_path / "one.png").shape == (1, 28, 28)


def test_the_record_of_a_run_stays_json(table):
    assert json.loads(json.dumps(table.run))["dataset"]["kind"] == "table"
