"""A model of a table is ported with the preparation of its rows; ONNX takes the words as text."""

import json

import numpy as np
import pytest

import trivium
from trivium.backends import catalog
from trivium.data import datasets
from trivium.data.sources import houses
from trivium.engine.prediction.evaluation import predict
from trivium.errors import OptionError, PortError
from trivium.porting import targets
from trivium.porting.port import port


@pytest.fixture(scope="module", params=["tabular/mlp", "tabular/embeddings"])
def run(request, backend, tmp_path_factory):
    folder = tmp_path_factory.mktemp("houses") / "run"
    trivium.train(request.param, "houses", out=folder, epochs=3)
    return folder


def ported(run, target, folder):
    try:
        targets.hosts(targets.find(target))
    except PortError as error:
        pytest.skip(str(error))
    report = port(run, target, folder)
    assert report.passed, report.to_json()
    return json.loads((folder / "port.json").read_text())


@pytest.mark.several_backends
def test_onnx_takes_a_raw_row_with_its_words_and_gaps(run, tmp_path):
    import onnxruntime

    note = ported(run, "onnx", tmp_path / "onnx")
    dtypes = {tensor["name"]: tensor["dtype"] for tensor in note["inputs"]}
    numbers = dict.fromkeys(("size", "rooms", "sold", "balcony"), "float32")
    assert dtypes == {**numbers, "town": "string", "heating": "string"}
    session = onnxruntime.InferenceSession(str(tmp_path / "onnx" / "model.onnx"), providers=["CPUExecutionProvider"])
    row = {"size": 80.0, "rooms": 3, "town": "Bonn", "heating": None, "sold": "2021-05-06", "balcony": True}
    new = {**row, "town": "Rom", "size": None}
    days = float((np.datetime64("2021-05-06") - np.datetime64("1970-01-01")).astype(int))
    rows = {
        "size": np.array([[80.0], [np.nan]], "float32"),
        "rooms": np.array([[3.0], [3.0]], "float32"),
        "town": np.array([["Bonn"], ["Rom"]]),
        "heating": np.array([[""], [""]]),
        "sold": np.full((2, 1), days, "float32"),
        "balcony": np.ones((2, 1), "float32"),
    }
    np.testing.assert_allclose(session.run(None, rows)[0], predict(run, [row, new]).outputs, rtol=0, atol=1e-5)


@pytest.mark.several_backends
@pytest.mark.slow
@pytest.mark.parametrize("target", [*(t.name for t in targets.FORMATS if t.name != "onnx"), "jax", "torch"])
def test_other_targets_take_a_row_of_numbers(run, tmp_path, target):
    note = ported(run, target, tmp_path / "there") if target not in ("jax", "torch") else None
    if note is None:
        assert port(run, f"source:{target}", tmp_path / "there").passed
        note = json.loads((tmp_path / "there" / "port.json").read_text())
    (tensor,) = note["inputs"]
    assert tensor["shape"] == [None, 6]
    (step,) = note["preparation"]["inputs"]
    assert [column["name"] for column in step["columns"]] == ["size", "rooms", "town", "heating", "sold", "balcony"]


@pytest.mark.one_environment
def test_a_bundle_in_memory_is_ported(run, tmp_path):
    bundle = trivium.load(run)
    with pytest.raises(OptionError, match="add `out`"):
        port(bundle, "onnx")
    assert port(bundle, catalog.selected().name, tmp_path / "there.trivium").passed
    assert (tmp_path / "there.trivium").is_file()


@pytest.mark.one_environment
def test_houses_are_drawn_alike_each_time():
    assert datasets.load("houses").checksum == houses.load("houses").checksum
    assert len(datasets.load("houses").train) == 800
