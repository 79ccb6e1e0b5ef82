"""A model learns from pictures that are decoded while it trains what it learns from pictures in memory."""

import threading

import numpy as np
import pytest
from PIL import Image

import trivium
from trivium.data import datasets
from trivium.engine.bundles.bundle import Bundle
from trivium.engine.plots import data_summary
from trivium.engine.prediction.evaluation import evaluate, predict
from trivium.engine.training import run_pictures
from trivium.engine.training.trainer import Trainer
from trivium.errors import DataError

MODELS = """
import keras

def colour(classes):
    layers = [keras.layers.Rescaling(1 / 255), keras.layers.Conv2D(3, 3, activation="relu"), keras.layers.Flatten()]
    return keras.Sequential([keras.Input((8, 8, 3)), *layers, keras.layers.Dense(classes, "softmax")])

def grey(classes):
    layers = [keras.layers.Rescaling(1 / 255), keras.layers.Flatten(), keras.layers.Dense(classes, "softmax")]
    return keras.Sequential([keras.Input((8, 8)), *layers])

def pixels(classes):
    layers = [keras.layers.Rescaling(1 / 255), keras.layers.Conv2D(classes, 3, padding="same", activation="softmax")]
    return keras.Sequential([keras.Input((8, 8, 3)), *layers])

def values(outputs):
    layers = [keras.layers.Rescaling(1 / 255), keras.layers.Flatten(), keras.layers.Dense(outputs)]
    return keras.Sequential([keras.Input((8, 8, 3)), *layers])
"""


@pytest.fixture(autouse=True)
def small_windows(backend, monkeypatch):
    monkeypatch.setattr("trivium.engine.epochs.windows._WINDOW_SIZE", 14_000)  # bytes: two batches of eight pictures


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A folder with models, `photos` of two classes, their `prices.csv`, and `scenes`: 40 pictures of each."""
    folder = tmp_path_factory.mktemp("project")
    (folder / "mine.py").write_text(MODELS)
    lines = ["path,price"]
    for number in range(40):
        values = np.random.default_rng(number).integers(0, 256, (8, 8, 3)).astype("uint8")
        values[..., number % 4 == 0] //= 2
        for name in (f"photos/{'ab'[number % 4 == 0]}", "scenes/images", "scenes/masks"):
            file = folder / name / f"{number:02}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray((values[..., 0] > 100) * np.uint8(255) if "masks" in name else values).save(file)
        lines.append(f"photos/{'ab'[number % 4 == 0]}/{number:02}.png,{values.mean() / 16}")
    (folder / "prices.csv").write_text("\n".join(lines) + "\n")
    return folder


def trained(project, function, data, **settings):
    trainer = Trainer(f"{project}/mine.py:{function}", epochs=2, batch_size=8, **settings)
    return trainer.fit(trainer.load(f"{project}/{data}"))


def pair(project, function, data, **settings):
    """Return the run on pictures in their files, and that on pictures in memory."""
    return [trained(project, function, f"{data}:stored={where}", **settings) for where in ("yes", "no")]


def assert_same(run, expected):
    assert run.dataset.train.is_deferred
    assert not expected.dataset.train.is_deferred
    assert run.history.epochs == expected.history.epochs
    assert run.settings["plan"]["name"] == expected.settings["plan"]["name"]
    assert run.dataset.checksum == expected.dataset.checksum
    for ours, theirs in zip(run.model.get_weights(), expected.model.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert run.evaluation == pytest.approx(expected.evaluation, rel=1e-6)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("trivium-prefetch")]


@pytest.mark.shared_out
@pytest.mark.parametrize(
    ("function", "data", "settings"),
    [
        ("colour", "photos", {}),
        ("colour", "photos", {"plan": "fit", "validation": "last"}),
        ("grey", "photos", {"validation": "stratified", "class_weight": "balanced"}),
        ("colour", "photos", {"augment": {"rotation": 10, "flip": "horizontal"}}),
        ("values", "prices.csv", {}),
    ],
)
def test_a_run_is_that_of_pictures_in_memory(backend, project, function, data, settings):
    assert_same(*pair(project, function, data, **settings))


@pytest.fixture(scope="module")
def scenes(backend, project):
    return pair(project, "pixels", "scenes", class_weight="balanced")


def test_a_run_on_masks_is_that_of_masks_in_memory(scenes):
    assert_same(*scenes)


def test_masks_in_files_are_evaluated_predicted_and_drawn(scenes, tmp_path):
    run, expected = scenes
    ours, theirs = Bundle.of(run), Bundle.of(expected)
    np.testing.assert_array_equal(ours.recorded_inputs, theirs.recorded_inputs)
    assert evaluate(ours) == pytest.approx(expected.evaluation, rel=1e-6)
    predictions = predict(ours, run.dataset.test.x)
    np.testing.assert_array_equal(predictions.values, predict(theirs, expected.dataset.test.x).values)
    names = {path.name for path in run_pictures.draw(run, tmp_path)}
    assert names == {"curves.png", "confusion.png", "masks.png"}


@pytest.mark.one_environment
def test_mistakes_are_drawn_of_pictures_in_files(backend, project, tmp_path):
    run, expected = pair(project, "colour", "photos")
    for name, one in (("files", run), ("memory", expected)):
        (tmp_path / name).mkdir()
        assert {path.name for path in run_pictures.draw(one, tmp_path / name)} > {"mistakes.png", "confusion.png"}
    drawn = [np.asarray(Image.open(tmp_path / name / "mistakes.png")) for name in ("files", "memory")]
    top = drawn[0].shape[0] // 8  # the title counts the samples that were read
    np.testing.assert_array_equal(drawn[0][top:], drawn[1][top:])


@pytest.mark.one_environment
def test_a_summary_and_a_preview_are_those_of_pictures_in_memory(project, tmp_path):
    for data in ("photos", "scenes"):
        files, memory = (datasets.load(f"{project / data}:stored={where}") for where in ("yes", "no"))
        ours, theirs = (data_summary.summarize(dataset) for dataset in (files, memory))
        for part in ("train", "test"):
            means = [summary["splits"][part].pop("mean") for summary in (ours, theirs)]
            assert means[0] == pytest.approx(means[1], rel=1e-6)
        assert ours | {"name": ""} == theirs | {"name": ""}
        pages = [tmp_path / "files.png", tmp_path / "memory.png"]
        for dataset, page in ((files, pages[0]), (memory, pages[1])):
            data_summary.preview(dataset, page)
        drawn = [np.asarray(Image.open(page)) for page in pages]
        top = drawn[0].shape[0] // 4  # the title has the name
        np.testing.assert_array_equal(drawn[0][top:], drawn[1][top:])


@pytest.mark.shared_out
@pytest.mark.parametrize("plan", ["auto", "fit"])
def test_a_picture_that_breaks_ends_the_training_in_a_line_that_names_it(backend, project, tmp_path, plan):
    for number in range(16):
        file = tmp_path / "photos" / "ab"[number % 2] / f"{number:02}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((8, 8, 3), number, "uint8")).save(file)
    dataset = datasets.load(f"{tmp_path / 'photos'}:stored=yes:test_share=0")
    trainer = Trainer(f"{project}/mine.py:colour", epochs=1, batch_size=4, plan=plan, validation_split=0.0)
    prepared = trainer.prepare(dataset)
    assert dataset.checksum  # of the pictures as they are now
    (tmp_path / "photos" / "b" / "15.png").write_text("no picture")
    with pytest.raises(DataError, match=r"b/15\.png: not a picture that can be read") as error:
        trainer.fit(dataset, prepared)
    assert "\n" not in str(error.value)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("trivium-prefetch")]


@pytest.mark.one_environment
def test_a_run_on_pictures_in_files_is_resumed(backend, project, tmp_path):
    arguments = (f"{project}/mine.py:colour", f"{project / 'photos'}:stored=yes")
    trivium.train(*arguments, out=tmp_path / "run", epochs=1, batch_size=8)
    run = trivium.train(*arguments, out=tmp_path / "run", epochs=2, batch_size=8, resume=True)
    assert run.history.epochs == trained(project, "colour", "photos").history.epochs


@pytest.mark.one_environment
def test_a_search_asks_for_pictures_in_memory(backend, project):
    with pytest.raises(DataError, match="a search needs it in memory: load it by `stored=no`"):
        trivium.search(f"{project}/mine.py:colour", {"epochs": [1]}, data=f"{project / 'photos'}:stored=yes")
