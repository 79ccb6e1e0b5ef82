"""A ported model of a time series takes windows as they were measured, and gives the forecasts of `predict`."""

import json

import numpy as np
import pytest
from series_tables import build, linear

from trivium.data import datasets
from trivium.engine.prediction.evaluation import predict
from trivium.engine.training.train import train
from trivium.errors import PortError
from trivium.porting import targets
from trivium.porting.port import port


@pytest.mark.several_backends
def test_an_onnx_graph_gives_the_forecasts_of_predict(backend, tmp_path):
    try:
        targets.hosts(targets.find("onnx"))
    except PortError as error:
        pytest.skip(str(error))
    import onnxruntime

    name = f"{linear(tmp_path / 'load.csv')}:window=4:horizon=3:time=hour"
    train(build, name, epochs=3, out=tmp_path / "run")
    report = port(tmp_path / "run", "onnx", tmp_path / "ported")
    assert report.passed
    windows = datasets.load(name).test.x
    session = onnxruntime.InferenceSession(str(report.artifact))
    (received,) = session.run(None, {session.get_inputs()[0].name: windows.astype("float32")})
    predicted = predict(tmp_path / "run", windows)
    np.testing.assert_allclose(received, predicted.outputs, atol=1e-5)
    (scale,) = json.loads((tmp_path / "ported/port.json").read_text())["preparation"]["targets"]
    np.testing.assert_allclose(received * scale["deviation"] + scale["mean"], predicted.values, rtol=1e-5)
    assert predicted.values.mean() > 100, "in the units of the load"
