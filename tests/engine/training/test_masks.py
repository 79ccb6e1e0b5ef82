"""Models of pictures with masks: a class for each pixel is learned, evaluated, predicted and drawn on every backend."""

import json

import numpy as np
import pytest
from drawn_pictures import MODELS, write_scenes
from PIL import Image

from trivium.data import datasets
from trivium.engine.bundles.bundle import Bundle
from trivium.engine.prediction.evaluation import evaluate, predict
from trivium.engine.training import run_pictures
from trivium.engine.training.trainer import Trainer
from trivium.errors import DataError, OptionError


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A folder with models, `scenes` of three classes, and `spots` of two."""
    folder = tmp_path_factory.mktemp("project")
    (folder / "mine.py").write_text(MODELS)
    write_scenes(folder / "scenes")
    write_scenes(folder / "spots", (0, 255))
    return folder


def trainer(project, function, **settings):
    settings = {"epochs": 12, "batch_size": 4, "learning_rate": 0.05, **settings}
    return Trainer(f"{project}/mine.py:{function}", **settings)


def train(project, function, data, **settings):
    training = trainer(project, function, **settings)
    return training.fit(training.load(project / data))


@pytest.fixture(scope="module")
def scenes(backend, project):
    return train(project, "softmax", "scenes")


def test_pixels_are_learned(scenes, project):
    assert scenes.settings["options"] == {"classes": 3}
    assert scenes.settings["validation"] == "shuffled"
    assert scenes.evaluation["accuracy"] > 0.95
    assert scenes.history.epochs[-1]["val_accuracy"] > 0.95
    assert evaluate(Bundle.of(scenes)) == pytest.approx(scenes.evaluation)


def test_a_prediction_is_a_map_of_classes(scenes):
    test = scenes.dataset.test
    predictions = predict(Bundle.of(scenes), test.x)
    assert predictions.values.shape == (4, 10, 12)
    assert (predictions.values == test.y).mean() == pytest.approx(scenes.evaluation["accuracy"], abs=1e-6)
    entry = json.loads(json.dumps(predictions.to_json()))[0]
    assert entry["labels"] == ["0", "1", "7"]
    np.testing.assert_array_equal(entry["classes"], predictions.values[0])
    assert entry["shares"]["7"] == pytest.approx((predictions.values[0] == 2).mean())
    assert sum(entry["shares"].values()) == pytest.approx(1)


def test_predictions_are_drawn_beside_the_masks(scenes, tmp_path):
    names = {path.name for path in run_pictures.draw(scenes, tmp_path)}
    assert names == {"curves.png", "confusion.png", "masks.png"}
    drawn = np.asarray(Image.open(tmp_path / "masks.png").convert("RGB")).reshape(-1, 3)
    for colour in ((230, 230, 230), (0, 114, 178), (213, 94, 0)):
        assert (drawn == colour).all(-1).sum() > 100, "a class in its colour"


@pytest.mark.shared_out
@pytest.mark.parametrize(
    ("function", "data"), [("logits", "scenes"), ("sigmoid", "spots"), ("sigmoid_logits", "spots")]
)
def test_logits_and_single_channels_are_learned(backend, project, function, data):
    run = train(project, function, data)
    assert run.evaluation["accuracy"] > 0.95
    predictions = predict(Bundle.of(run), run.dataset.test.x)
    assert (predictions.values == run.dataset.test.y).mean() == pytest.approx(run.evaluation["accuracy"], abs=1e-6)
    assert predictions.outputs.min() >= 0
    assert predictions.outputs.max() <= 1
    if data == "spots":
        assert run.dataset.labels == ("0", "255")
        assert set(predictions.to_json()[0]["shares"]) == {"0", "255"}


@pytest.mark.one_environment
def test_rare_classes_can_count_more(backend, project):
    even = train(project, "softmax", "scenes", epochs=1)
    balanced = train(project, "softmax", "scenes", epochs=1, class_weight="balanced")
    model, dataset = balanced.model, balanced.dataset
    assert even.history.epochs[0]["loss"] != balanced.history.epochs[0]["loss"]
    counts = np.bincount(dataset.train.y.reshape(-1))
    weights = balanced.dataset and dataset.train.y.size / (3 * counts)
    training = trainer(project, "softmax", class_weight="balanced", validation_split=0.0)
    _, prepared, _ = training.prepare(training.load(dataset))
    np.testing.assert_allclose(prepared.weight, weights[dataset.train.y], rtol=1e-6)
    outputs = model.predict(prepared.x, verbose=0)
    expected = -np.log(np.take_along_axis(outputs, prepared.y[..., None].astype(int), -1)[..., 0])
    loss = model.evaluate(prepared.x, prepared.y, sample_weight=prepared.weight, verbose=0, return_dict=True)["loss"]
    assert loss == pytest.approx((expected * prepared.weight).mean(), rel=1e-4)


@pytest.mark.one_environment
def test_what_masks_do_not_allow_is_refused(backend, project):
    import trivium

    with pytest.raises(DataError, match=r"`augment` changes the pictures of .*scenes, but not their masks: leave it"):
        train(project, "softmax", "scenes", augment={"rotation": 10})
    with pytest.raises(OptionError, match=r"`validation` stratified: .*scenes has a class for each pixel"):
        train(project, "softmax", "scenes", validation="stratified")
    with pytest.raises(DataError, match="scenes has a class for each pixel: a search takes one for each sample"):
        trivium.search(f"{project}/mine.py:softmax", {"epochs": [1]}, data=project / "scenes")
    with pytest.raises(
        DataError, match=r"one value for each position, .* class numbers from 0 to 2: give it one value"
    ):
        train(project, "sigmoid", "scenes")


@pytest.mark.one_environment
def test_size_and_fit_are_keywords_of_train(backend, project):
    import trivium

    run = trivium.train(f"{project}/mine.py:softmax", project / "scenes", epochs=1, size=(6, 8), fit="crop")
    assert run.dataset.name == f"{project / 'scenes'}:size=6,8:fit=crop"
    assert run.dataset.test.y.shape == (4, 6, 8)


@pytest.mark.one_environment
def test_a_folder_with_fewer_classes_is_evaluated_by_their_names(scenes, tmp_path):
    folder = write_scenes(tmp_path / "other", (0, 7))
    metrics = evaluate(Bundle.of(scenes), folder)
    dataset = datasets.load(folder)
    predicted = predict(Bundle.of(scenes), dataset.test.x).values
    assert metrics["accuracy"] == pytest.approx((predicted == np.array([0, 2])[dataset.test.y]).mean(), abs=1e-6)
    with pytest.raises(DataError, match="the model knows no class 9"):
        evaluate(Bundle.of(scenes), write_scenes(tmp_path / "unknown", (0, 9)))
