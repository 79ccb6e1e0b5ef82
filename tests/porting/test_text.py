"""A model of sentences is ported to ONNX with its reading of words: the file takes sentences."""

import json

import numpy as np
import pytest

import trivium
from trivium.engine.prediction import inputs
from trivium.engine.prediction.evaluation import predict
from trivium.errors import PortError
from trivium.porting import targets
from trivium.porting.port import port

SENTENCES = [
    'The "for" statement is used to iterate over the elements of a sequence.',
    "A (short) TUPLE, a list; and what else?",
    "",
    "Ein Satz, dessen Wörter es nicht gibt…    for   for",
    " ".join(["while"] * 300),
]


@pytest.fixture(scope="module")
def run(backend, tmp_path_factory):
    folder = tmp_path_factory.mktemp("topics") / "run"
    trivium.train("text/classes", out=folder, epochs=3)
    return folder


@pytest.mark.several_backends
def test_onnx_takes_sentences(run, tmp_path):
    import onnxruntime

    try:
        targets.hosts(targets.find("onnx"))
    except PortError as error:
        pytest.skip(str(error))
    report = port(run, "onnx", tmp_path / "onnx")
    assert report.passed, report.to_json()
    note = json.loads((tmp_path / "onnx" / "port.json").read_text())
    assert [(tensor["name"], tensor["dtype"]) for tensor in note["inputs"]] == [("paragraph", "string")]
    assert note["raw_inputs"]
    session = onnxruntime.InferenceSession(str(tmp_path / "onnx" / "model.onnx"), providers=["CPUExecutionProvider"])
    answers = session.run(None, {"paragraph": np.array(SENTENCES)})[0]
    np.testing.assert_allclose(answers, predict(run, SENTENCES).outputs, rtol=0, atol=1e-5)


@pytest.mark.one_environment
def test_sentences_are_predicted_from_a_list_a_table_and_a_frame(run, tmp_path):
    import polars

    frame = polars.DataFrame({"about": ["?"] * len(SENTENCES), "paragraph": SENTENCES})
    frame.write_parquet(tmp_path / "new.parquet")
    expected = predict(run, SENTENCES).to_json()
    assert predict(run, frame).to_json() == expected
    assert predict(run, inputs.read(trivium.load(run), tmp_path / "new.parquet")).to_json() == expected


@pytest.mark.one_environment
def test_other_targets_take_the_numbers_of_words(run, tmp_path):
    from trivium.backends import catalog

    assert port(run, f"source:{catalog.selected().name}", tmp_path / "source").passed
