"""PyTorch source reads as if a person wrote it, and the written module trains as the Keras model does."""

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
from trivium.graph.graph import ArrayReference, Graph, GraphLayer, GraphNode, Input, Output, Spec
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
    assert lines == ["        value = a_function(", *(f"            {argument}," for argument in many), "        )"]


@pytest.mark.parametrize(
    ("value", "expected"),
    [(0.1, "0.1"), ((3,), "(3,)"), ((3, 5), "(3, 5)"), ("a", '"a"'), (float("-inf"), '-float("inf")'), (None, "None")],
)
def test_plain_values_are_written_as_python(value, expected):
    assert literal(value) == expected


def test_an_array_is_permuted_only_if_its_axes_are_in_another_order():
    value = Value("x", (0, 3, 1, 2))
    assert value.permuted((0, 3, 1, 2)).text == "x"
    assert value.permuted((0, 1, 2, 3)).text == "x.permute(0, 2, 3, 1)"
    array = np.zeros((2, 7, 5, 6))
    assert array.transpose(0, 2, 3, 1).shape == (2, 5, 6, 7)
    assert value.positions((1, 2)) == (2, 3)


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
def test_same_padding_has_the_odd_element_at_the_end(length, window, stride, expected):
    assert same_padding([length], [window], [stride]).pairs == (expected,)


def test_same_padding_of_an_unknown_length_is_not_known():
    assert not same_padding([None], [3], [2]).known


@pytest.mark.parametrize(
    ("padding", "extra", "expected"), [("valid", None, (0, 0)), ("valid", (1,), (0, -1)), ("same", None, (0, 1))]
)
def test_a_transposed_convolution_is_cropped_to_keras_output_length(padding, extra, expected):
    config = {"strides": (2,), "dilation": (1,), "padding": padding, "output_padding": extra}
    assert conv_transpose_crops((3,), config) == [expected]


def one_layer(layer, *specs, outputs=None):
    names = tuple(f"x{i}" for i in range(len(specs)))
    inputs = tuple(Input(name, spec) for name, spec in zip(names, specs, strict=True))
    node = GraphNode(layer.name, layer, tuple(ArrayReference(name) for name in names), (outputs or specs[0],))
    return Graph("one", inputs, (node,), (Output("out", ArrayReference(layer.name)),))


def test_a_layer_with_the_name_of_a_module_method_gets_another_name():
    layer = GraphLayer("forward", "dense", {"units": 2}, {"kernel": np.eye(2, dtype="float32")})
    source = write(one_layer(layer, Spec((None, 2), "float32")))
    assert "self.forward_2 = nn.Linear(2, 2, bias=False)" in source.model
    assert set(source.weights) == {"forward_2.weight"}


def test_nodes_that_pytorch_cannot_compute_are_refused():
    spec = Spec((None, None, None, 3), "float32")
    pool = {"rank": 2, "pool_size": (2, 2), "strides": (2, 2), "padding": "same"}
    backwards = {"index": (("slice", None, None, -1),)}
    layers = [
        GraphLayer("a", "sparsemax", {}),
        GraphLayer("b", "average_pool", pool),
        GraphLayer("c", "get_item", backwards),
    ]
    reasons = [refuses(one_layer(layer, spec).nodes[0]) for layer in layers]
    assert reasons == [
        "sparsemax has no form in PyTorch yet",
        "an average of padded windows needs known lengths",
        "PyTorch cannot slice backwards",
    ]


# --- the written module ---------------------------------------------------------------------------------------------


def forward_of(name):
    from trivium.porting.keras_to_graph.model import read

    text = write(read(MODELS[name]())).model
    return text.partition("def __init__(self) -> None:")[2] if "\n\nclass" not in text else text


def test_all_attributes_of_nn_module_are_reserved(torch):
    own = {name for name in {*dir(torch.nn.Module), *vars(torch.nn.Module())} if not name.startswith("_")}
    assert own <= RESERVED


def test_convolutions_stay_channels_first_and_the_dense_kernel_is_reordered(torch):
    text = forward_of("flatten after convolution")
    assert text.count("permute") == 1
    assert "nn.Conv2d(4, 5, 2)" in text
    assert "x.flatten(1)" in text


def test_a_flattened_array_with_other_readers_is_put_in_keras_order(torch):
    assert forward_of("flatten at the end").count("permute") == 2
    assert forward_of("flatten, then normalised").count("permute") == 2


def test_recurrent_layers_are_pytorchs_own_if_they_compute_the_same(torch):
    assert "nn.LSTM(4, 5, batch_first=True)" in forward_of("lstm")
    assert "nn.GRU(4, 5, batch_first=True)" in forward_of("gru")
    assert "class LSTM(nn.Module)" in forward_of("lstm, other activations")


# --- training -------------------------------------------------------------------------------------------------------

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
    model_inputs = inputs[0] if len(inputs) == 1 else keras.tree.pack_sequence_as(model.input, inputs)
    outputs = keras.tree.flatten(model(model_inputs, training=True))
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
def test_training_steps_change_the_weights_as_in_keras(name, torch, tmp_path):
    import keras

    model = models.build_model(MODELS[name])
    models.randomise(model)
    models.write_source(model, ROOM, tmp_path)
    net = models.import_model(tmp_path).load()
    for step in range(3):
        inputs = models.random_inputs(model, 6, seed=step)
        losses = keras_step(torch, keras, model, inputs, 0.1), native_step(torch, net, inputs, 0.1)
        assert losses[0] == pytest.approx(losses[1], rel=1e-5)
    inputs = models.random_inputs(model, 4, seed=9)
    with torch.no_grad():
        outputs = net(*(torch.from_numpy(array) for array in inputs))
    for one, other in zip(
        models.keras_answers(model, inputs), outputs if isinstance(outputs, tuple) else [outputs], strict=True
    ):
        np.testing.assert_allclose(other.numpy(), one, rtol=0, atol=2e-5 * max(1e-3, abs(one).max()))


def test_frozen_layers_do_not_train_and_frozen_normalisation_keeps_its_statistics(torch, tmp_path):
    import keras

    model = models.build_model(MODELS["batch normalisation"])
    for layer in model.layers:
        layer.trainable = False
    models.write_source(model, ROOM, tmp_path)
    net = models.import_model(tmp_path).load().train()
    assert not any(parameter.requires_grad for parameter in net.parameters())
    (inputs,) = models.random_inputs(model, 6)
    state_before = {name: value.clone() for name, value in net.state_dict().items()}
    outputs = net(torch.from_numpy(inputs)).numpy()
    np.testing.assert_allclose(outputs, keras.ops.convert_to_numpy(model(inputs, training=True)), atol=1e-5)
    assert all(torch.equal(state_before[name], value) for name, value in net.state_dict().items())


def test_spatial_dropout_drops_whole_channels_in_training(torch, tmp_path):
    import keras

    layers = keras.layers
    model = keras.Sequential([keras.Input((8, 8, 64)), layers.Conv2D(64, 1), layers.SpatialDropout2D(0.25)])
    models.randomise(model)
    models.write_source(model, ROOM, tmp_path)
    net = models.import_model(tmp_path).load()
    (inputs,) = models.random_inputs(model, 16)
    inference = net(torch.from_numpy(inputs))
    dropped = net.train()(torch.from_numpy(inputs))
    zero = (dropped == 0).reshape(16, -1, 64)
    assert torch.equal(zero.all(dim=1), zero.any(dim=1))
    assert 0.2 < zero.all(dim=1).float().mean() < 0.3
    np.testing.assert_allclose(
        dropped[dropped != 0].detach().numpy(), (inference / 0.75)[dropped != 0].detach().numpy(), rtol=1e-5
    )


def test_a_recurrent_layer_drops_the_same_inputs_at_all_steps(torch, tmp_path):
    import keras

    model = keras.Sequential([keras.Input((5, 32)), keras.layers.LSTM(3, dropout=0.5, return_sequences=True)])
    models.write_source(model, ROOM, tmp_path)
    net = models.import_model(tmp_path).load().train()
    inputs = []
    (lstm,) = net.children()
    lstm.register_forward_pre_hook(lambda module, arguments: inputs.append(arguments[0]))
    net(torch.ones(8, 5, 32))
    assert torch.equal(inputs[0], inputs[0][:, :1].expand(-1, 5, -1))
    assert set(inputs[0].unique().tolist()) == {0.0, 2.0}
