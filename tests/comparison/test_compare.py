"""Two models that people wrote independently are compared: the map of their weights, the verdict, the command."""

import json
from pathlib import Path

import numpy as np
import pytest

from trivium.comparison.compare import compare
from trivium.errors import FileError, OptionError, OutputError
from trivium.functions import load_function

HELPERS = Path(__file__).parents[1] / "helpers"
TORCH, KERAS = HELPERS / "networks_in_torch.py", HELPERS / "networks_in_keras.py"
NETWORKS = (
    *("mlp", "lenet", "resnet18", "mobilenet_block", "unet", "lstm_tagger", "gru_forecaster"),
    *("transformer_encoder", "vit", "vae", "siamese", "dcgan_generator"),
)
DAILY = ("dcgan_generator", "transformer_encoder", "vit")

ONE = pytest.mark.one_environment


@pytest.fixture
def networks(backend):
    """One of each two networks is written in PyTorch."""
    pytest.importorskip("torch", reason="needs PyTorch")


@pytest.fixture
def dense(backend):
    """Return a function that builds a model of two dense layers, over inputs of four numbers."""
    import keras

    def build(units=6, **settings):
        layers = [keras.layers.Dense(units, activation="relu", name="first"), keras.layers.Dense(2, **settings)]
        return keras.Sequential([keras.Input((4,)), *layers])

    return build


def files(tmp_path, **lines):
    """Write one function for each name into a file of Python; return the names of the functions."""
    path = tmp_path / "models.py"
    text = [f"def {name}():\n    import keras\n    {body}\n" for name, body in lines.items()]
    path.write_text("\n".join(text))
    return [f"{path}:{name}" for name in lines]


@ONE
@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=() if name in DAILY else pytest.mark.slow) for name in NETWORKS]
)
def test_network_in_pytorch_is_the_same_as_in_keras(networks, name):
    report = compare(f"{TORCH}:{name}", f"{KERAS}:{name}", float64=True)
    assert report.passed, report.finding
    assert not report.map.only_mine
    assert not report.map.only_others
    losses = next(check for check in report.checks if check.what == "loss curve")
    assert losses.difference < 1e-10


@ONE
@pytest.mark.slow
def test_map_says_how_the_layouts_differ(networks):
    report = compare(f"{TORCH}:vit", f"{KERAS}:vit", steps=1)
    layouts = {".".join(piece.others): piece.how for piece in report.map.pieces}
    assert layouts["multi_head_attention.key_kernel"] == "the key of three"
    assert layouts["multi_head_attention.output_kernel"] == "reshaped"
    assert layouts["positions_table.weight"] == "transposed"


@ONE
def test_module_without_example_inputs_takes_those_of_the_other_side(networks, dense):
    import torch

    module = torch.nn.Sequential(torch.nn.Linear(4, 6), torch.nn.ReLU(), torch.nn.Linear(6, 2))
    assert compare(module, dense(), steps=2).passed


@pytest.mark.several_backends
def test_function_of_jax_against_keras(backend, dense):
    jax = pytest.importorskip("jax", reason="needs JAX")

    def network(params, x):
        return jax.numpy.maximum(x @ params["a"] + params["b"], 0) @ params["c"]

    draw = np.random.default_rng(0).standard_normal
    params = {name: draw(shape, "float32") for name, shape in (("a", (4, 6)), ("b", (6,)), ("c", (6, 2)))}
    report = compare((network, params, (draw((3, 4), "float32"),)), dense(use_bias=False), steps=2)
    assert report.passed, report.finding


@ONE
def test_copy_has_the_weights_of_the_first(dense, here):
    first, second = dense(), dense()
    before = second.get_weights()
    assert compare(first, second, copy="copied.keras", steps=1).other_weights == 2  # the biases are zero in both
    report = compare(first, "copied.keras", copy=False, steps=1)
    assert report.passed
    assert report.other_weights == 0
    assert all(np.array_equal(a, b) for a, b in zip(before, second.get_weights(), strict=True))


@ONE
def test_weights_as_they_are(dense):
    first, second = dense(), dense()
    second.set_weights([3 * array for array in first.get_weights()])
    report = compare(first, second, copy=False, steps=1)
    assert not report.passed
    assert report.checks[0].what == "weights as they are"
    assert "first.kernel is the first model's, multiplied by 3" in report.causes


@ONE
def test_other_width_has_no_counterpart(dense):
    report = compare(dense(), dense(units=7), steps=1)
    assert not report.passed
    assert "first.kernel (4, 6) of the first" in report.checks[0].where
    assert "first.kernel (4, 7) of the second" in report.checks[0].where


@ONE
def test_map_can_be_written_corrected_and_read(backend, here):
    import keras

    def build():
        x = inputs = keras.Input((3,))
        for name in "ab":
            x = keras.layers.Dense(3, name=name)(x)
        return keras.Model(inputs, x)

    compare(build(), build(), map_out="map.yaml", steps=1)
    assert Path("map.yaml").read_text().splitlines() == ["# layer of A: layer of B", "a: a", "b: b"]
    Path("map.yaml").write_text("a: b\nb: a\n")
    report = compare(build(), build(), known_pairs="map.yaml", steps=1)
    assert [(piece.mine[0], piece.others[0]) for piece in report.map.pieces[::2]] == [("a", "b"), ("b", "a")]
    assert not report.passed


@ONE
@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("first: nosuch\n", "'nosuch', which is no layer with weights of B"),
        ("one two\n", "line 1: expected `layer of A"),
    ],
)
def test_map_that_cannot_be_used(dense, here, text, message):
    Path("map.yaml").write_text(text)
    with pytest.raises((OptionError, FileError), match=message):
        compare(dense(), dense(), known_pairs="map.yaml")


@ONE
def test_inputs_that_differ(dense, backend):
    import keras

    other = keras.Sequential([keras.Input((5,)), keras.layers.Dense(2)])
    with pytest.raises(OptionError, match=r"inputs differ: the first model has \(…, 4\) and the second \(…, 5\)"):
        compare(dense(), other)


@ONE
def test_what_is_no_model(dense):
    with pytest.raises(OptionError, match="dict gives a dict: compare takes"):
        compare(dense(), {})
    with pytest.raises(OptionError, match="steps must be 1 or more"):
        compare(dense(), dense(), steps=0)
    with pytest.raises(OutputError):
        compare(dense(), dense(), copy="/dev/null/copied.keras")


@ONE
def test_two_modules_without_example_inputs(networks):
    import torch

    with pytest.raises(OptionError, match="neither side tells example inputs"):
        compare(torch.nn.Linear(2, 2), torch.nn.Linear(2, 2))


@ONE
def test_command(cli, tmp_path):
    same, other = files(
        tmp_path,
        same="return keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, activation='gelu', name='hidden')])",
        other="return keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, activation='silu', name='hidden')])",
    )
    assert cli("compare", same, same, "--steps", "1", "--write-map", "map.yaml").code == 0
    outcome = cli("compare", same, other, "--json")
    report = json.loads(outcome.out)
    assert outcome.code == 1
    assert report["verdict"] == "different"
    assert report["map"][0] == {
        "a": "hidden.kernel",
        "a_shape": [4, 3],
        "b": "hidden.kernel",
        "b_shape": [4, 3],
        "layout": "",
    }
    assert "hidden_gelu (gelu, approximate False) against hidden_silu (silu)" in report["causes"]
    outcome = cli("compare", same, other, "--as-they-are", "--copy", "x.keras")
    assert outcome.code == 2
    assert not Path("x.keras").exists()


@ONE
def test_weights_of_pytorch_are_transferred(networks, cli):
    import keras
    import torch
    from safetensors.torch import save_file

    module = load_function(f"{TORCH}:vae")()[0]
    for name, state in (("w.safetensors", save_file), ("w.pt", lambda state, path: torch.save({"model": state}, path))):
        state(module.state_dict(), name)
        outcome = cli("transfer", name, f"{KERAS}:vae", "--like", f"{TORCH}:vae", "--out", "vae.keras", "--json")
        assert outcome.code == 0, outcome.err
    x = np.random.default_rng(0).standard_normal((3, 30), "float32")
    expected = [output.detach().numpy() for output in module(torch.from_numpy(x))]
    received = keras.saving.load_model("vae.keras").predict(x, verbose=0)
    assert all(np.allclose(a, b, atol=1e-6) for a, b in zip(expected, received, strict=True))


@ONE
@pytest.mark.parametrize("content", ["nothing", "others"])
def test_weights_that_are_not_those_of_the_module(networks, cli, content):
    import torch

    Path("w.pt").write_bytes(b"nothing")
    if content == "others":
        torch.save(torch.nn.Linear(2, 2).state_dict(), "w.pt")
    outcome = cli("transfer", "w.pt", f"{KERAS}:vae", "--like", f"{TORCH}:vae", "--out", "vae.keras")
    assert outcome.code == 2
    assert "w.pt" in outcome.complaint
    assert not Path("vae.keras").exists()
