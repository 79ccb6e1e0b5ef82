"""Source for PyTorch is text that a person would write, and what it makes learns as the Keras model learns."""

import importlib.util
import subprocess
import sys

import numpy as np
import pytest
import written_models as models
from models_for_source import MODELS

from trivium.backends.torch.source import refuses, write
from trivium.backends.torch.source.padding import same_padding
from trivium.backends.torch.source.values import Value
from trivium.backends.torch.source.writer import RESERVED
from trivium.graph.graph import Graph, Input, Layer, Node, Output, Reference, Spec
from trivium.graph.writing.layout import literal, statement
from trivium.graph.writing.windows import conv_transpose_crops

ROOM = importlib.import_module("trivium.backends.torch.source")


@pytest.fixture(scope="module")
def torch(backend):
    if backend.name != "torch":
        pytest.skip(f"runs under PyTorch, and this process has {backend.title}")
    return importlib.import_module("torch")


# --- text -----------------------------------------------------------------------------------------------------------


def test_writing_imports_no_framework():
    code = "import sys, trivium.backends.torch.source; print('torch' in sys.modules, 'keras' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.split() == ["False", "False"]


def test_a_long_statement_is_broken_as_a_formatter_breaks_it():
    short = "x = f(1, 2)"
    assert statement(short, 8) == ["        x = f(1, 2)"]
    inner = ", ".join(f"argument_{i}" for i in range(6))
    assert statement(f"value = a_function({inner})", 8) == [
        "        value = a_function(",
        " " * 12 + inner,
        " " * 8 + ")",
    ]
    many = [f'argument_{i}=(1, ", ")' for i in range(9)]
    lines = statement(f"value = a_function({', '.join(many)})", 8)
    assert lines == ["        value = a_function(", *(f"            {each}," for each in many), "        )"]


@pytest.mark.parametrize(
    ("value", "expected"),
    [(0.1, "0.1"), ((3,), "(3,)"), ((3, 5), "(3, 5)"), ("a", '"a"'), (float("-inf"), '-float("inf")'), (None, "None")],
)
def test_plain_values_are_written_as_python(value, expected):
    assert literal(value) == expected


def test_an_array_is_rearranged_only_where_its_axes_stand_otherwise():
    value = Value("x", (0, 3, 1, 2))
    assert value.arranged((0, 3, 1, 2)).text == "x"
    assert value.arranged((0, 1, 2, 3)).text == "x.permute(0, 2, 3, 1)"
    array = np.zeros((2, 7, 5, 6))
    assert array.transpose(0, 2, 3, 1).shape == (2, 5, 6, 7)
    assert value.places((1, 2)) == (2, 3)


@pytest.mark.parametrize(
    ("length", "window", "stride", "expected"),
    [
        (7, 3, 2, (1, 1)),
        (8, 3, 2, (0, 1)),
        (9, 5, 3, (1, 1)),
        (5, 2, 1, (0, 1)),
        (7, 1, 2, (0, 0)),
        (None, 3, 1, (1, 1)),
    ],
)
def test_same_padding_lets_every_stride_begin_within_the_array(length, window, stride, expected):
    assert same_padding([length], [window], [stride]).pairs == (expected,)


def test_same_padding_of_an_open_length_is_unknown_before_it_runs():
    assert not same_padding([None], [3], [2]).known


@pytest.mark.parametrize(
    ("padding", "extra", "expected"), [("valid", None, (0, 0)), ("valid", (1,), (0, -1)), ("same", None, (0, 1))]
)
def test_a_transposed_convolution_is_cut_to_the_length_that_keras_gives(padding, extra, expected):
    config = {"strides": (2,), "dilation": (1,), "padding": padding, "output_padding": extra}
    assert conv_transpose_crops((3,), config) == [expected]


def one_layer(layer, *specs, outputs=None):
    names = tuple(f"x{i}" for i in range(len(specs)))
    inputs = tuple(Input(name, spec) for name, spec in zip(names, specs, strict=True))
    node = Node(layer.name, layer, tuple(Reference(name) for name in names), (outputs or specs[0],))
    return Graph("one", inputs, (node,), (Output("out", Reference(layer.name)),))


def test_a_layer_called_as_a_method_of_modules_gets_another_name():
    layer = Layer("forward", "dense", {"units": 2}, {"kernel": np.eye(2, dtype="float32")})
    source = write(one_layer(layer, Spec((None, 2), "float32")))
    assert "self.forward_2 = nn.Linear(2, 2, bias=False)" in source.model
    assert set(source.weights) == {"forward_2.weight"}


def test_what_has_no_form_in_pytorch_is_refused():
    spec = Spec((None, None, None, 3), "float32")
    pool = {"rank": 2, "pool_size": (2, 2), "strides": (2, 2), "padding": "same"}
    backwards = {"index": (("slice", None, None, -1),)}
    refused = [Layer("a", "sparsemax", {}), Layer("b", "average_pool", pool), Layer("c", "get_item", backwards)]
    reasons = [refuses(one_layer(layer, spec).nodes[0]) for layer in refused]
    assert reasons == [
        "sparsemax has no form in PyTorch yet",
        "an average of padded windows needs known lengths",
        "PyTorch cannot slice backwards",
    ]


# --- what is written ------------------------------------------------------------------------------------------------


def forward_of(name):
    from trivium.porting.keras_to_graph.model import read

    text = write(read(MODELS[name]())).model
    return text.partition("def __init__(self) -> None:")[2] if "\n\nclass" not in text else text


def test_names_of_modules_own_attributes_are_all_known(torch):
    own = {name for name in {*dir(torch.nn.Module), *vars(torch.nn.Module())} if not name.startswith("_")}
    assert own <= RESERVED


def test_convolutions_stay_channels_first_and_the_dense_kernel_is_arranged_to_fit(torch):
    text = forward_of("flatten after convolution")
    assert text.count("permute") == 1
    assert "nn.Conv2d(4, 5, 2)" in text
    assert "x.flatten(1)" in text


def test_a_flattened_array_that_somebody_else_reads_is_put_in_order(torch):
    assert forward_of("flatten at the end").count("permute") == 2
    assert forward_of("flatten, then normalised").count("permute") == 2


def test_recurrent_layers_are_pytorchs_own_where_they_compute_the_same(torch):
    assert "nn.LSTM(4, 5, batch_first=True)" in forward_of("lstm")
    assert "nn.GRU(4, 5, batch_first=True)" in forward_of("gru")
    assert "class LSTM(nn.Module)" in forward_of("lstm, other activations")


# --- learning -------------------------------------------------------------------------------------------------------

DETERMINISTIC = (
    *("dense", "einsum dense", "conv same 3 by 2", "conv in groups", "depthwise multiplier", "separable 1d"),
    *("transposed same 3 by 2", "transposed valid 2 by 3", "batch normalisation", "batch normalisation, dense"),
    *("batch normalisation, sequences", "batch normalisation, other axis", "layer normalisation, images"),
    *("layer normalisation, axes", "rms normalisation", "group normalisation", "prelu", "lstm", "gru, reset before"),
    *("lstm, other activations", "simple rnn", "simple rnn, other activation", "bidirectional", "time distributed"),
    *("embedding", "a residual block with squeeze and excitation", "shared layers and nested models", "states"),
    *("a convolution of two sizes", "a flattening that is read twice", "flatten, then normalised"),
)


def keras_step(torch, keras, model, inputs, rate):
    given = inputs[0] if len(inputs) == 1 else keras.tree.pack_sequence_as(model.input, inputs)
    outputs = keras.tree.flatten(model(given, training=True))
    variables = [v for v in model.trainable_variables if v.trainable]
    loss = sum(output.square().mean() for output in outputs)
    gradients = torch.autograd.grad(loss, [v.value for v in variables], allow_unused=True, materialize_grads=True)
    with torch.no_grad():
        for variable, gradient in zip(variables, gradients, strict=True):
            variable.assign(variable.value - rate * gradient)
    return loss.item()


def native_step(torch, net, inputs, rate):
    net.train()
    optimizer = torch.optim.SGD([p for p in net.parameters() if p.requires_grad], lr=rate)
    outputs = net(*(torch.from_numpy(array) for array in inputs))
    loss = sum(output.square().mean() for output in (outputs if isinstance(outputs, tuple) else (outputs,)))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    net.eval()
    return loss.item()


@pytest.mark.parametrize("name", DETERMINISTIC)
def test_training_steps_change_the_weights_as_they_change_in_keras(name, torch, tmp_path):
    import keras

    model = models.built(MODELS[name])
    models.randomise(model)
    models.written(model, ROOM, tmp_path)
    net = models.module_in(tmp_path).load()
    for step in range(3):
        inputs = models.inputs_of(model, 6, seed=step)
        losses = keras_step(torch, keras, model, inputs, 0.1), native_step(torch, net, inputs, 0.1)
        assert losses[0] == pytest.approx(losses[1], rel=1e-5)
    inputs = models.inputs_of(model, 4, seed=9)
    with torch.no_grad():
        found = net(*(torch.from_numpy(array) for array in inputs))
    for one, other in zip(
        models.keras_answers(model, inputs), found if isinstance(found, tuple) else [found], strict=True
    ):
        np.testing.assert_allclose(other.numpy(), one, rtol=0, atol=2e-5 * max(1e-3, abs(one).max()))


def test_frozen_layers_do_not_learn_and_frozen_normalisation_keeps_its_statistics(torch, tmp_path):
    import keras

    model = models.built(MODELS["batch normalisation"])
    for layer in model.layers:
        layer.trainable = False
    models.written(model, ROOM, tmp_path)
    net = models.module_in(tmp_path).load().train()
    assert not any(parameter.requires_grad for parameter in net.parameters())
    (inputs,) = models.inputs_of(model, 6)
    held = {name: value.clone() for name, value in net.state_dict().items()}
    answered = net(torch.from_numpy(inputs)).numpy()
    np.testing.assert_allclose(answered, keras.ops.convert_to_numpy(model(inputs, training=True)), atol=1e-5)
    assert all(torch.equal(held[name], value) for name, value in net.state_dict().items())


def test_dropout_drops_in_training_whole_channels_where_keras_does(torch, tmp_path):
    import keras

    layers = keras.layers
    model = keras.Sequential([keras.Input((8, 8, 64)), layers.Conv2D(64, 1), layers.SpatialDropout2D(0.25)])
    models.randomise(model)
    models.written(model, ROOM, tmp_path)
    net = models.module_in(tmp_path).load()
    (inputs,) = models.inputs_of(model, 16)
    kept = net(torch.from_numpy(inputs))
    dropped = net.train()(torch.from_numpy(inputs))
    zero = (dropped == 0).reshape(16, -1, 64)
    assert torch.equal(zero.all(dim=1), zero.any(dim=1))
    assert 0.2 < zero.all(dim=1).float().mean() < 0.3
    np.testing.assert_allclose(
        dropped[dropped != 0].detach().numpy(), (kept / 0.75)[dropped != 0].detach().numpy(), rtol=1e-5
    )


def test_a_recurrent_layer_drops_the_same_inputs_at_every_step(torch, tmp_path):
    import keras

    model = keras.Sequential([keras.Input((5, 32)), keras.layers.LSTM(3, dropout=0.5, return_sequences=True)])
    models.written(model, ROOM, tmp_path)
    net = models.module_in(tmp_path).load().train()
    seen = []
    (lstm,) = net.children()
    lstm.register_forward_pre_hook(lambda module, arguments: seen.append(arguments[0]))
    net(torch.ones(8, 5, 32))
    assert torch.equal(seen[0], seen[0][:, :1].expand(-1, 5, -1))
    assert set(seen[0].unique().tolist()) == {0.0, 2.0}
