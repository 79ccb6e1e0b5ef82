"""A model of masks, ported to ONNX, takes raw pictures and gives the probabilities that `predict` gives."""

import json

import numpy as np
import pytest
from drawn_pictures import MODELS, write_scenes

from trivium.engine.bundles.bundle import Bundle
from trivium.engine.prediction.evaluation import predict
from trivium.engine.training.trainer import Trainer
from trivium.porting.port import port


@pytest.mark.several_backends
@pytest.mark.parametrize(("function", "values"), [("softmax", (0, 1, 7)), ("sigmoid", (0, 255))])
def test_onnx_gives_the_probabilities_of_each_pixel(backend, tmp_path, function, values):
    onnxruntime = pytest.importorskip("onnxruntime", reason="needs ONNX Runtime: pip install 'trivium[onnx]'")
    (tmp_path / "mine.py").write_text(MODELS)
    trainer = Trainer(f"{tmp_path}/mine.py:{function}", epochs=4, batch_size=4, learning_rate=0.05)
    run = trainer.fit(trainer.load(write_scenes(tmp_path / "scenes", values)))
    bundle = Bundle.of(run)
    bundle.save(tmp_path / "bundle.trivium")
    report = port(tmp_path / "bundle.trivium", "onnx", tmp_path / "model.onnx")
    assert report.passed, report.to_json()
    session = onnxruntime.InferenceSession(str(tmp_path / "model.onnx"))
    (raw,) = session.get_inputs()
    assert raw.type == "tensor(uint8)"
    assert json.loads(session.get_modelmeta().custom_metadata_map["labels"]) == list(map(str, values))
    pictures = run.dataset.test.x
    (outputs,) = session.run(None, {raw.name: pictures})
    predictions = predict(bundle, pictures)
    np.testing.assert_allclose(outputs, predictions.outputs, atol=1e-6)
    classes = outputs.argmax(-1) if outputs.shape[-1] > 1 else outputs[..., 0] > 0.5
    np.testing.assert_array_equal(classes, predictions.values)
