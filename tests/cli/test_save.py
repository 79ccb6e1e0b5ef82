"""`trivium save`: each part of a trained model is a file that plain Keras reads."""

import importlib
import json

import numpy as np
import pytest

from trivium.engine.bundles import bundle as bundles

pytestmark = pytest.mark.one_environment


def test_architecture_and_weights_together_are_the_model(cli, here, saved_runs):
    import keras

    assert cli("save", saved_runs["striding"], "m.json", "m.weights.h5").out == "kept m.json, m.weights.h5\n"
    model = keras.models.model_from_json((here / "m.json").read_text())
    x = np.random.default_rng(0).normal(size=(4, 28, 28, 1)).astype("float32")
    trained = bundles.load(saved_runs["striding"]).model
    assert not np.allclose(model.predict(x, verbose=0), trained.predict(x, verbose=0))
    model.load_weights("m.weights.h5")
    np.testing.assert_array_equal(model.predict(x, verbose=0), trained.predict(x, verbose=0))


def test_the_whole_model_is_the_keras_file(cli, here, saved_runs):
    files = json.loads(cli("save", saved_runs["lstm"], "m.keras", "--json").out)["files"]
    assert files == ["m.keras"]
    assert (here / "m.keras").read_bytes() == bundles.load(saved_runs["lstm"]).keras_file


def test_yaml_is_written_where_there_is_a_library_for_it(cli, here, saved_runs, monkeypatch):
    original = importlib.import_module

    def without_yaml(name, *rest):
        if name == "yaml":
            raise ImportError(name)
        return original(name, *rest)

    monkeypatch.setattr(importlib, "import_module", without_yaml)
    refused = cli("save", saved_runs["lstm"], "m.yaml")
    assert refused.code == 2
    assert refused.complaint == "trivium: m.yaml: to write YAML: pip install pyyaml; or name it .json"


def test_the_same_architecture_as_yaml(cli, here, saved_runs):
    yaml = pytest.importorskip("yaml")
    assert cli("save", saved_runs["lstm"], "m.yaml", "m.json").code == 0
    assert yaml.safe_load((here / "m.yaml").read_text()) == json.loads((here / "m.json").read_text())


def test_another_name_is_refused(refused, saved_runs):
    assert "m.txt: expected a name that ends in .weights.h5" in refused("save", saved_runs["lstm"], "m.txt")
