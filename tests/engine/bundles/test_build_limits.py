"""A model that would become larger than its file and the memory is refused before memory is taken for it."""

import io
import json
import time
import zipfile
from pathlib import Path

import pytest

from trivium.engine.bundles import architecture_file, build_limits, keras_files
from trivium.engine.keras_model.model_bytes import keras_bytes
from trivium.errors import FileError
from trivium.functions import load_function

pytestmark = pytest.mark.one_environment

HOSTILE = Path(__file__).parents[2] / "helpers" / "hostile.py"
layer, with_config = (load_function(f"{HOSTILE}:{name}") for name in ("layer", "with_config"))
SOON = 5  # seconds


@pytest.fixture(scope="module")
def content(backend):
    import keras

    return keras_bytes(keras.Sequential([keras.Input((4, 3)), keras.layers.Dense(3, name="dense")]))


def planted(content, added):
    return with_config(content, lambda config: config["config"]["layers"].insert(1, added))


DECLARED = {
    "n": layer("RepeatVector", n=10**12),
    "num_tokens": layer("CategoryEncoding", num_tokens=10**10, output_mode="multi_hot"),
    "size": layer("UpSampling1D", size=10**10),
    "padding": layer("ZeroPadding1D", padding=[3, 10**10]),
    "kernel_size": layer("Conv1D", filters=3, kernel_size={"class_name": "__tuple__", "items": [10**9]}),
    "output_shape": layer("EinsumDense", equation="abc,cd->abd", output_shape=[None, 10**10]),
    "target_shape": layer("Reshape", target_shape=[10**9, 12]),
    "power_iterations": layer("SpectralNormalization", layer=layer("Dense", units=3), power_iterations=10**9),
    "num_heads": layer("MultiHeadAttention", num_heads=10**8, key_dim=3),
    "lora_rank": layer("Dense", units=3, lora_rank=10**9),
}


@pytest.mark.parametrize("name", DECLARED)
def test_a_size_beyond_every_plausible_one_is_refused_without_building(content, name):
    with pytest.raises(FileError, match=rf"it: a layer declares {name} 1\d?\d?,000"):
        keras_files.examine(planted(content, DECLARED[name]), "it")


BUILT = {
    "a dense layer": layer("Dense", units=9_000_000),
    "an embedding": layer("Embedding", input_dim=9_000_000, output_dim=9_000_000),
    "a convolution": layer("Conv1D", filters=10_000, kernel_size=[9_000_000], padding="same"),
    "an equation": layer("EinsumDense", equation="abc,cd->abd", output_shape=[None, 9_000_000]),
    "a recurrent layer": layer("LSTM", units=8_000_000, return_sequences=True),
    "a layer within one": layer("TimeDistributed", layer=layer("Dense", units=9_000_000)),
}


@pytest.mark.parametrize("name", BUILT)
def test_more_weights_than_the_file_holds_are_not_built(content, name):
    began = time.monotonic()
    with pytest.raises(FileError, match="has more weights than the file holds"):
        keras_files.load_model(planted(content, BUILT[name]), "it")
    assert time.monotonic() - began < SOON


def test_what_a_layer_computes_for_a_sample_is_compared_with_the_memory(content, monkeypatch):
    padded = with_config(
        content, lambda config: config["config"]["layers"].append(layer("ZeroPadding1D", padding=10**6))
    )
    assert keras_files.load_model(padded, "it").output_shape == (None, 2_000_004, 3)
    monkeypatch.setattr(build_limits, "memory_size", lambda: 20_000_000)
    with pytest.raises(FileError, match=r"it: a layer gives 0\.024 GB for each sample, of shape \(None, 2000004, 3\)"):
        keras_files.load_model(padded, "it")


def test_an_architecture_may_take_the_memory_and_no_more(content, tmp_path, monkeypatch):
    with zipfile.ZipFile(io.BytesIO(planted(content, layer("Dense", units=50_000)))) as archive:
        (tmp_path / "m.json").write_bytes(archive.read("config.json"))
    monkeypatch.setattr(build_limits, "memory_size", lambda: 100_000)
    with pytest.raises(FileError, match="'planted' has more weights than the memory holds"):
        architecture_file.build(tmp_path / "m.json")


def test_a_model_that_is_as_large_as_its_file_is_built(content):
    assert keras_files.load_model(content, "it").count_params() == 12
    assert json.loads(zipfile.ZipFile(io.BytesIO(content)).read("config.json"))["class_name"] == "Sequential"
