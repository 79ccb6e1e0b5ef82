"""Keras models are read as graphs of known node kinds, and unsupported layers are refused by name."""

import numpy as np
import pytest
from models_for_source import MODELS
from written_models import build_model

from trivium.errors import PortError
from trivium.graph.layer_kinds import KINDS


@pytest.fixture(scope="module")
def graphs(backend):
    """Return the graph of every model."""
    from trivium.porting.keras_to_graph.model import read

    return {name: read(build_model(make)) for name, make in MODELS.items()}


def test_every_node_is_of_a_known_kind_with_exactly_its_configuration(graphs):
    for name, graph in graphs.items():
        for node in graph.nodes:
            kind = KINDS[node.kind]
            assert sorted(node.config) == sorted(kind.config), (name, node.kind)
            assert set(node.layer.weights) <= set(kind.weights), (name, node.kind)


def test_configuration_is_plain_python(graphs):
    def is_plain(value):
        if isinstance(value, tuple):
            return all(map(is_plain, value))
        return value is None or type(value) in (bool, int, float, str)

    for name, graph in graphs.items():
        for node in graph.nodes:
            assert all(map(is_plain, node.config.values())), (name, node.kind, node.config)


def test_every_weight_of_the_model_is_in_the_graph(graphs):
    for name, graph in graphs.items():
        if name.startswith("normalisation"):
            continue  # Keras stores given statistics as plain arrays
        in_graph = sum(
            array.size for layer in graph.layers if layer.kind != "constant" for array in layer.weights.values()
        )
        model = build_model(MODELS[name])
        in_model = sum(int(np.prod(v.shape)) for v in model.weights if "seed" not in v.path and "count" not in v.path)
        assert in_graph == in_model, name


def test_shapes_and_dtypes_are_those_of_keras(graphs):
    for name, graph in graphs.items():
        model = build_model(MODELS[name])
        expected = [(tuple(tensor.shape), tensor.dtype) for tensor in model.outputs]
        specs = [graph.specs[output.reference] for output in graph.outputs]
        assert [(spec.shape, spec.dtype) for spec in specs] == expected, name


def test_layers_are_numbered_as_in_the_first_model_of_a_process(backend):
    import keras

    from trivium.porting.keras_to_graph.model import read

    layers = keras.layers
    for _ in range(2):
        model = keras.Sequential(
            [keras.Input((4, 4, 1)), layers.Conv2D(2, 2), layers.Conv2D(2, 2), layers.Dense(1, name="dense_7")]
        )
        assert [layer.name for layer in read(model).layers] == ["conv2d", "conv2d_1", "dense"]


def test_a_shared_layer_is_one_layer_with_several_calls(graphs):
    graph = graphs["shared layers and nested models"]
    layers = {layer.name: layer for layer in graph.layers}
    assert [node.name for node in graph.calls(layers["encoder_deep"])] == ["encoder_deep", "encoder_deep_2"]
    assert len(graph.calls(layers["class_"])) == 2
    first, *others = [output.name for output in graph.outputs]
    assert first.startswith("absolute")  # Keras appends a number that counts within the process
    assert others == ["class_", "for_", "class_2"]


def test_an_activation_is_its_own_node_unless_it_is_linear(graphs):
    assert [node.kind for node in graphs["dense"].nodes] == ["dense", "relu", "dense"]


def test_channels_first_becomes_channels_last_between_transpositions(backend):
    import keras

    from trivium.porting.keras_to_graph.model import read

    if backend.name == "tensorflow":
        pytest.skip("TensorFlow builds no such convolution on a CPU")
    layer = keras.layers.Conv2D(4, 3, data_format="channels_first")
    graph = read(keras.Sequential([keras.Input((3, 8, 9)), layer]))
    assert [node.kind for node in graph.nodes] == ["transpose", "conv", "transpose"]
    assert [node.outputs[0].shape for node in graph.nodes] == [(None, 8, 9, 3), (None, 6, 7, 4), (None, 4, 6, 7)]


def test_frozen_layers_are_marked_as_not_trainable(backend):
    import keras

    from trivium.porting.keras_to_graph.model import read

    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, name="a"), keras.layers.Dense(2, name="b")])
    model.layers[0].trainable = False
    assert {layer.name: layer.trainable for layer in read(model).layers} == {"a": False, "b": True}


def test_layers_that_cannot_be_read_and_nodes_that_are_refused_are_named_in_one_error(backend):
    import keras

    from trivium.porting.keras_to_graph.model import read

    class Own(keras.layers.Layer):
        def call(self, x):
            return keras.ops.fft((x, x))[0]

    layers = [
        Own(name="mine"),
        keras.layers.Dense(2, activation=lambda x: keras.ops.cumprod(x), name="odd"),
        keras.layers.Dense(2, name="half", dtype="float16"),
        keras.layers.Softmax(name="last"),
    ]
    model = keras.Sequential([keras.Input((3,)), *layers])
    with pytest.raises(PortError) as raised:
        read(model, lambda node: "not here" if node.kind == "softmax" else None)
    text = str(raised.value)
    assert "mine_fft: FFT is not covered" in text
    assert "odd: its activation" in text
    assert "half: computes in float16" in text
    assert "last: not here" in text


def test_a_model_that_is_not_a_layer_graph_is_refused(backend):
    import keras

    from trivium.porting.keras_to_graph.model import read

    class Own(keras.Model):
        def call(self, x):
            return x

    x = keras.Input((2,))
    with pytest.raises(PortError, match="a `call` of its own, which may differ"):
        read(Own(x, keras.layers.Dense(2)(x)))
    with pytest.raises(PortError, match="the shapes of its inputs are not known"):
        read(keras.Sequential([keras.layers.Dense(2)]))


def test_a_users_own_functional_class_is_read_when_it_computes_as_keras_does(backend):
    import keras

    from trivium.porting.keras_to_graph.model import read

    class Own(keras.Model):
        def train_step(self, *arguments):
            return super().train_step(*arguments)

    inputs = keras.Input((3,))
    assert [node.kind for node in read(Own(inputs, keras.layers.Dense(2)(inputs))).nodes] == ["dense"]


def test_calls_between_inputs_and_outputs_come_in_topological_order(backend):
    import keras

    from trivium.porting.keras_to_graph.calls import ordered_calls

    inputs = keras.Input((3,))
    first = keras.layers.Dense(3, name="first")(inputs)
    second = keras.layers.Dense(3, name="second")(first)
    keras.layers.Dense(3, name="beside")(first)
    last = keras.layers.Add(name="last")([second, first])
    names = [call.operation.name for call in ordered_calls([first], [last])]
    assert names == ["second", "last"]
    assert [call.operation.name for call in ordered_calls([inputs], [last])] == ["first", "second", "last"]


def test_keras_still_has_every_operation_and_layer_that_is_read_by_name(backend):
    import importlib

    import keras

    from trivium.porting.keras_to_graph.layers import LAYERS
    from trivium.porting.keras_to_graph.operations import OPERATIONS
    from trivium.porting.keras_to_graph.wrappers import WRAPPERS

    assert [name for name in (*LAYERS, *WRAPPERS) if not hasattr(keras.layers, name)] == []
    places = [
        importlib.import_module(f"keras.src.ops.{name}") for name in ("numpy", "nn", "core", "math", "linalg", "image")
    ]
    places.append(importlib.import_module("keras.src.activations.activations"))
    assert [name for name in OPERATIONS if not any(hasattr(place, name) for place in places)] == []


def test_keys_of_slices_are_read_as_they_were_before_the_model_was_saved(backend, tmp_path):
    import keras

    from trivium.porting.keras_to_graph.model import read

    x = keras.Input((5, 8))
    model = keras.Model(x, [x[:, 0], x[:, 1:3, ::2], x[..., -1], x[:, None], x[[0, 0]]])
    before = [node.config["index"] for node in read(keras.Model(x, model.outputs[:4])).nodes]
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    functional = keras.Model(loaded.inputs, loaded.outputs[:4])
    assert [node.config["index"] for node in read(functional).nodes] == before
    with pytest.raises(PortError, match="is indexed by something other than numbers and slices"):
        read(loaded)
