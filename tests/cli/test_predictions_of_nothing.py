"""A model that gives NaN has its predictions printed as JSON, which has no NaN, and the command says so."""

import json

import numpy as np
import pytest

pytestmark = pytest.mark.one_environment


@pytest.mark.parametrize("activation", ["softmax", "sigmoid", None])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_what_is_no_number_is_null_and_told(backend, cli, tmp_path, activation, value):
    import keras

    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, activation)])
    model.set_weights([np.array([[value, 1], [0, 1], [0, 1]], "float32"), np.zeros(2, "float32")])
    model.save(tmp_path / "m.keras")
    np.save(tmp_path / "x.npy", np.zeros((5, 3), "float32"))  # infinity times nothing is NaN
    shown = cli("predict", str(tmp_path / "m.keras"), str(tmp_path / "x.npy"), "--json")
    predictions = json.loads(shown.out, parse_constant=pytest.fail)["predictions"]
    assert (shown.code, len(predictions)) == (0, 5)
    assert "gives NaN or infinite numbers for 5 of 5 samples: null in JSON" in shown.err
