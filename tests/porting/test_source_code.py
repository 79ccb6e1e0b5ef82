"""Native source predicts what the Keras model predicts, for every layer, on every backend that can write source."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import written_models as models
from models_for_source import MODELS

from trivium.backends import catalog, runtime
from trivium.backends.workers import worker
from trivium.engine.verification import parity
from trivium.errors import PortError
from trivium.models import recipe as recipes
from trivium.porting.port import port

HELPERS = Path(__file__).parents[1] / "helpers"


@pytest.fixture(scope="module")
def room(backend):
    return models.room_of(backend)


@pytest.mark.shared_out
@pytest.mark.parametrize("name", MODELS)
def test_the_source_of_a_model_predicts_what_the_model_predicts(name, backend, room, tmp_path):
    model = models.build_model(MODELS[name])
    models.randomise(model)
    source = models.write_source(model, room, tmp_path)
    models.require_same_answers(model, source, tmp_path)


def test_the_comparison_fails_for_other_weights(backend, room, tmp_path):
    model = models.build_model(MODELS["lstm"])
    models.randomise(model)
    source = models.write_source(model, room, tmp_path)
    models.randomise(model, seed=1)
    inputs = models.random_inputs(model)
    with pytest.raises(AssertionError, match="Difference"):
        models.compare(models.keras_answers(model, inputs), models.source_answers(source, tmp_path, inputs))


@pytest.mark.shared_out
@pytest.mark.parametrize("name", sorted(recipes.registry()))
def test_every_recipe_becomes_source_or_is_refused_with_the_reason(name, backend, room, tmp_path):
    model = models.build_model(recipes.find(name))
    if name == "rnn/stateful":
        with pytest.raises(PortError, match="stateful: a state that is carried from batch to batch is not covered"):
            models.write_source(model, room, tmp_path)
        return
    models.randomise(model)
    source = models.write_source(model, room, tmp_path)
    # Integers for models whose first layer takes tokens; halves for the others.
    inputs = [np.round(abs(array) * 2) / (1 if name == "text/words" else 2) for array in models.random_inputs(model)]
    inputs = [array.astype(tensor.dtype) for array, tensor in zip(inputs, model.inputs, strict=True)]
    models.compare(models.keras_answers(model, inputs), models.source_answers(source, tmp_path, inputs))


@pytest.fixture(scope="module")
def ported(saved_runs, backend, room, tmp_path_factory):
    """Return the report of `cnn/striding` ported to source for this backend."""
    out = tmp_path_factory.mktemp("source") / "digits"
    return port(saved_runs["striding"], f"source:{backend.name}", out)


def test_a_port_to_source_is_verified_on_raw_inputs_in_several_batch_sizes(ported, backend):
    assert ported.passed
    assert ported.target == f"source:{backend.name}"
    assert [check.inputs for check in ported.checks] == ["recorded", "random", "single", "extreme"]
    assert [check.difference.samples for check in ported.checks] == [32, 33, 1, 3]
    assert ported.facts["inputs"][0]["dtype"] == "uint8"


def test_the_folder_has_all_files_and_describes_itself(ported):
    files = {path.name for path in ported.artifact.iterdir()}
    expected = {"README.md", "check.py", "model.py", "port.json", "recorded.npz", "weights.safetensors"}
    assert files == expected
    note = json.loads((ported.artifact / "port.json").read_text())
    assert {*note["files"], "port.json"} == expected
    assert note["labels"] == [str(digit) for digit in range(10)]
    assert "cnn_striding, as it was trained in Keras" in (ported.artifact / "model.py").read_text()
    assert "cnn/striding" in (ported.artifact / "README.md").read_text()


def test_its_own_check_passes_and_fails_when_a_weight_changes(ported, tmp_path):
    from safetensors.numpy import load_file, save_file

    for path in ported.artifact.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    run = [sys.executable, "-B", "check.py"]
    good = subprocess.run(run, cwd=tmp_path, capture_output=True, text=True)
    assert good.returncode == 0, good.stderr
    weights = load_file(tmp_path / "weights.safetensors")
    last = max(weights, key=lambda name: (weights[name].size == 10, name))
    weights[last] = weights[last] + np.float32(0.5) * np.arange(10, dtype="float32")
    save_file(weights, tmp_path / "weights.safetensors")
    bad = subprocess.run(run, cwd=tmp_path, capture_output=True, text=True)
    assert bad.returncode == 1, bad.stderr
    assert "largest difference" in bad.stdout


def test_source_with_different_predictions_is_not_kept(saved_runs, backend, room, tmp_path):
    from trivium.engine.bundles import bundle as bundles
    from trivium.engine.bundles.bundle import Bundle

    bundle = bundles.load(saved_runs["lstm"])
    fields = {name: getattr(bundle, name) for name in Bundle.__dataclass_fields__}
    Bundle(**{**fields, "recorded_outputs": bundle.recorded_outputs + np.float32(1e-3)}).save(tmp_path / "a.trivium")
    report = port(tmp_path / "a.trivium", f"source:{backend.name}", tmp_path / "out")
    assert not report.passed
    assert report.artifact is None
    assert [path.name for path in tmp_path.iterdir()] == ["a.trivium"]


def test_every_unsupported_layer_is_named_before_anything_is_written(backend, room, tmp_path):
    import keras

    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((4, 3), batch_size=2),
            layers.LSTM(3, stateful=True, return_sequences=True, name="remembering"),
            layers.TimeDistributed(layers.BatchNormalization(), name="bins"),
            layers.TimeDistributed(layers.BatchNormalization(), name="counts"),
            layers.Dense(2, name="fine"),
        ]
    )
    model.save(tmp_path / "model.keras")
    with pytest.raises(PortError) as raised:
        port(tmp_path / "model.keras", f"source:{backend.name}", tmp_path / "out")
    for part in (
        "counts: BatchNormalization in Time",
        "remembering: stateful",
        "bins: BatchNormalization in TimeDistributed",
    ):
        assert part in str(raised.value)
    assert "fine" not in str(raised.value)
    assert not (tmp_path / "out").exists()


def test_a_vocabulary_of_numbers_is_written_and_one_of_words_is_refused(backend, room, tmp_path):
    pytest.importorskip("tensorflow", reason="Keras looks words and numbers up by TensorFlow")
    import keras

    layers = keras.layers
    x = keras.Input((3,), dtype="int32")
    known = [layers.IntegerLookup(vocabulary=[4, 1, 3], output_mode=mode)(x) for mode in ("multi_hot", "count")]
    masked = layers.Embedding(6, 2)(layers.IntegerLookup(vocabulary=[4, 1, 3], mask_token=0)(x))
    model = keras.Model(x, [masked, *map(layers.Dense(2), known)])
    models.randomise(model)
    models.require_same_answers(model, models.write_source(model, room, tmp_path), tmp_path)
    words = keras.Input((1,), dtype="string")
    for layer, reason in (
        (layers.StringLookup(vocabulary=["a"]), "works on strings, which JAX and PyTorch have no arrays of"),
        (layers.TextVectorization(vocabulary=["a"]), "works on strings"),
        (layers.Hashing(3), "hashes as TensorFlow alone does: prepare the data by it"),
    ):
        with pytest.raises(PortError, match=reason):
            models.write_source(keras.Model(words, layer(words)), room, tmp_path)


@pytest.mark.one_environment
def test_attention_to_what_has_a_mask_is_refused(backend, room, tmp_path):
    import keras

    layers = keras.layers
    tokens = keras.Input((5,), dtype="int32")
    x = layers.LayerNormalization()(layers.Embedding(9, 4, mask_zero=True)(tokens))
    model = keras.Model(tokens, layers.MultiHeadAttention(2, 2, name="heads")(x, x))
    with pytest.raises(PortError, match=r"heads: attends to what has a mask .* call it with attention_mask instead"):
        models.write_source(model, room, tmp_path)


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("dropout", [0.0, 0.1])
def test_a_query_of_which_all_keys_are_masked_gets_what_keras_gives_it(backend, room, tmp_path, dropout, causal):
    """Keras gives the mean of the values, but zeros where it computes the scores for a dropout."""
    import keras

    def build():
        x, mask = keras.Input((5, 4)), keras.Input((5,), dtype="int32")
        attention = keras.layers.MultiHeadAttention(2, 3, dropout=dropout)
        rows = attention(x, x, attention_mask=keras.ops.expand_dims(mask, 1), use_causal_mask=causal)
        return keras.Model([x, mask], rows)

    model = models.build_model(build)
    models.randomise(model)
    source = models.write_source(model, room, tmp_path)
    rows, _ = models.random_inputs(model)
    inputs = [rows, np.array([[0, 0, 0, 0, 0], [0, 0, 1, 1, 0], [1, 1, 1, 1, 1]], "int32")]
    with runtime.current().corrected_operations():
        expected = models.keras_answers(model, inputs)
    models.compare(expected, models.source_answers(source, tmp_path, inputs))


def test_an_unknown_framework_is_refused(saved_runs):
    with pytest.raises(PortError, match="no source can be written for 'theano'"):
        port(saved_runs["lstm"], "source:theano")


@pytest.mark.several_backends
@pytest.mark.parametrize("target", [backend.name for backend in catalog.BACKENDS if backend.writes_source])
def test_a_model_of_any_backend_becomes_source_for_any(saved_runs, backend, target, tmp_path):
    models.room_of(catalog.find(target))
    for name in ("striding", "lstm"):
        report = port(saved_runs[name], f"source:{target}", tmp_path / name)
        assert report.passed, report.to_json()
        assert report.host == backend.name


APPLICATIONS = (
    *("VGG16", "ResNet50", "ResNet50V2", "MobileNet", "MobileNetV2", "MobileNetV3Small", "DenseNet169"),
    *("ResNet101", "InceptionV3", "Xception", "EfficientNetB0", "EfficientNetV2B0", "NASNetMobile", "ConvNeXtTiny"),
)

# The longest `model.py` that is allowed: its blocks are written once.
LONGEST = {
    "DenseNet169": {"torch": 250, "jax": 350, "tensorflow": 250},
    "ResNet101": {"torch": 200, "jax": 450, "tensorflow": 200},
}


@pytest.mark.slow
@pytest.mark.several_backends
@pytest.mark.parametrize("target", [backend.name for backend in catalog.BACKENDS if backend.writes_source])
@pytest.mark.parametrize("name", APPLICATIONS)
def test_applications_of_keras_become_source_within_twenty_seconds(name, target, tmp_path):
    from trivium.porting.source_code import run_isolated

    models.room_of(catalog.find(target))
    # Keras 3.15 cannot build NASNet under PyTorch.
    host = next(backend for backend in catalog.trainers() if backend.name != "torch")
    function = f"{HELPERS / 'functions_for_source.py'}:write_application"
    seconds = worker.get(host.name).call(function, name, target, str(tmp_path))
    assert seconds < 20
    assert (tmp_path / "model.py").read_text().count("\n") <= LONGEST.get(name, {}).get(target, 10_000)
    with np.load(tmp_path / "recorded.npz") as recorded:
        expected = recorded["random/output_0"]
    assert expected.std() > 1e-3  # outputs that differ between inputs and classes
    received, _ = run_isolated(tmp_path, catalog.find(target))
    models.compare([expected], received["random"], 1e-4)
    print(name, target, f"{seconds:.1f} s", parity.difference(expected, received["random"][0]).relative)


@pytest.mark.several_backends
def test_a_plain_model_file_for_jax_is_read_by_a_backend_that_does_not_compile_it_first(backend, tmp_path):
    import keras

    keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)]).save(tmp_path / "net.keras")
    hosts = {target: port(tmp_path / "net.keras", f"source:{target}").host for target in ("jax", "tensorflow")}
    assert hosts == {"jax": "torch", "tensorflow": "tensorflow"}
