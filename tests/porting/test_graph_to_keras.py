"""A `ForeignGraph` becomes a Keras model on the backend of this process, and trains there."""

import io
import json
import zipfile

import numpy as np
import pytest
from scipy.signal import correlate

from trivium.backends.workers import messages
from trivium.engine.bundles import keras_files
from trivium.errors import PortError
from trivium.porting.graph_to_keras.foreign_graph import ForeignGraph, ForeignNode, GraphInput, Ref, Weight, simplify
from trivium.porting.graph_to_keras.messages import from_message, to_message
from trivium.porting.graph_to_keras.windows import is_same, padding_pairs, same_pairs

RANDOM = np.random.default_rng(3)


def weights(**arrays):
    return {name: Weight(f"net.{name}", np.asarray(value, "float32"), True) for name, value in arrays.items()}


def foreign_graph(graph_inputs, nodes, arrays=None):
    """Return a network; each node is (kind, inputs, attributes), and its output is named by its number."""
    foreign_nodes = []
    for number, (kind, inputs, attributes) in enumerate(nodes):
        refs = tuple(Ref(each) if isinstance(each, str) else each for each in inputs)
        foreign_nodes.append(ForeignNode(kind, refs, (str(number),), attributes, f"operator.{kind}"))
    last = foreign_nodes[-1].outputs[-1]
    return simplify(ForeignGraph("net", "torch", graph_inputs, tuple(foreign_nodes), (last,), arrays or {}))


def images(*shape):
    return (GraphInput("x", (None, *shape), "float32"),)


def built(graph):
    from trivium.porting.graph_to_keras.network_file import build

    return build(graph)[0]


def answer(model, *arrays):
    return np.asarray(model.predict(arrays[0] if len(arrays) == 1 else list(arrays), verbose=0))


def close(actual, expected):
    np.testing.assert_allclose(actual, expected, rtol=0, atol=1e-5 * abs(expected).max())


CONV = {"strides": (1, 1), "padding": ((1, 1), (1, 1)), "dilation": (1, 1), "groups": 1}
POOL = {"window": (2, 2), "strides": (2, 2), "padding": ((0, 0),) * 2, "dilation": (1, 1), "ceil": False}
RELU = ("activation", ("0",), {"name": "relu"})
KERNEL, BIAS = RANDOM.normal(size=(4, 2, 3, 3)), RANDOM.normal(size=4)
DENSE, SHIFT = RANDOM.normal(size=(3, 4 * 3 * 2)), RANDOM.normal(size=3)


def cnn():
    """A convolution of images (2, 6, 4), halved, and a product: as `nn.Conv2d`, `nn.Flatten` and `nn.Linear`."""
    nodes = [
        ("conv", ("x", "kernel", "bias"), CONV),
        RELU,
        ("max_pool", ("1",), POOL),
        ("dropout", ("2",), {"rate": 0.2}),
        ("flatten", ("3",), {"start": 1, "end": -1}),
        ("linear", ("4", "dense", "shift"), {}),
    ]
    return foreign_graph(images(2, 6, 4), nodes, weights(kernel=KERNEL, bias=BIAS, dense=DENSE, shift=SHIFT))


def lstm():
    gates = weights(w=RANDOM.normal(size=(20, 3)), u=RANDOM.normal(size=(20, 5)), b=np.zeros(20), c=np.zeros(20))
    attributes = {"cell": "lstm", "weights": (((Ref("w"), Ref("u"), Ref("b"), Ref("c")),),)}
    rest = {"batch_first": True, "dropout": 0.0, "apart": False}
    nodes = [
        ("recurrent", ("x", None, None), {**attributes, **rest}),
        ("select", ("0",), {"axis": 1, "index": -1}),
        ("linear", ("1", "dense", None), {}),
    ]
    return foreign_graph(images(7, 3), nodes, {**gates, **weights(dense=RANDOM.normal(size=(3, 5)))})


def test_a_convolution_flattened_channels_first_is_a_keras_model_channels_last(backend):
    model, x = built(cnn()), RANDOM.normal(size=(3, 2, 6, 4)).astype("float32")
    convolved = np.stack(
        [
            [
                sum(correlate(np.pad(image[c], 1), kernel[c], "valid") for c in range(2)) + bias
                for kernel, bias in zip(KERNEL, BIAS, strict=True)
            ]
            for image in x
        ]
    )
    pooled = np.maximum(convolved, 0).reshape(3, 4, 3, 2, 2, 2).max((3, 5))
    close(answer(model, x), pooled.reshape(3, -1) @ DENSE.T + SHIFT)
    kinds = [type(layer).__name__ for layer in model.layers]
    # The images are turned once, and nothing is turned back: the product's kernel has its rows in Keras' order.
    assert kinds == ["InputLayer", "Permute", "Conv2D", "Activation", "MaxPooling2D", "Dropout", "Flatten", "Dense"]
    assert {layer.name for layer in model.layers} > {"net"} or model.get_layer("net")


@pytest.mark.parametrize(
    ("kind", "attributes", "expected"),
    [
        ("cumsum", {"axis": 1}, lambda flat: flat.cumsum(1)),
        ("argmax", {"axes": (1,), "keepdims": False}, lambda flat: flat.argmax(1)),
        ("sum", {"axes": (-1,), "keepdims": True}, lambda flat: flat.sum(1, keepdims=True)),
        ("activation", {"name": "softmax", "axis": -1}, lambda flat: np.exp(flat) / np.exp(flat).sum(1, keepdims=True)),
    ],
)
def test_operations_along_a_flattened_axis_use_the_order_of_the_file(backend, kind, attributes, expected):
    nodes = [
        ("max_pool", ("x",), POOL),
        ("flatten", ("0",), {"start": 1, "end": -1}),
        (kind, ("1",), attributes),
    ]
    x = RANDOM.normal(size=(3, 2, 6, 4)).astype("float32")
    flat = x.reshape(3, 2, 3, 2, 2, 2).max((3, 5)).reshape(3, -1)
    close(answer(built(foreign_graph(images(2, 6, 4), nodes)), x), expected(flat))


@pytest.mark.parametrize("network", [cnn, lstm])
def test_a_rebuilt_network_trains(backend, network):
    import keras

    keras.utils.set_random_seed(0)
    model = built(network())
    x = RANDOM.normal(size=(64, *model.input_shape[1:])).astype("float32")
    y = np.eye(3, dtype="float32")[(x.reshape(64, -1)[:, -5:].sum(1) > 0).astype(int)]
    loss = keras.losses.CategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(0.02), loss)
    before = [np.array(each) for each in model.get_weights()]
    losses = model.fit(x, y, batch_size=16, epochs=6, verbose=0).history["loss"]
    assert losses[-1] < 0.8 * losses[0]
    assert all((after != old).any() for after, old in zip(model.get_weights(), before, strict=True))


def test_a_rebuilt_network_is_saved_as_plain_keras_without_code(backend, tmp_path):
    model = built(cnn())
    model.save(tmp_path / "model.keras")
    content = keras_files.examine(tmp_path / "model.keras")
    assert content.code == ()
    with zipfile.ZipFile(io.BytesIO((tmp_path / "model.keras").read_bytes())) as archive:
        assert "trivium" not in json.dumps(json.loads(archive.read("config.json")))
    x = RANDOM.normal(size=(2, 2, 6, 4)).astype("float32")
    np.testing.assert_array_equal(answer(keras_files.load_model(tmp_path / "model.keras"), x), answer(model, x))


def test_a_batch_at_another_axis_comes_first_in_keras(backend):
    inputs = (GraphInput("x", (5, None, 3), "float32", batch=1),)
    model = built(foreign_graph(inputs, [("sum", ("x",), {"axes": (0,), "keepdims": False})]))
    x = RANDOM.normal(size=(4, 5, 3)).astype("float32")
    assert model.input_shape == (None, 5, 3)
    close(answer(model, x), x.sum(1))


def test_a_weight_that_no_layer_owns_belongs_to_the_model_and_trains(backend):
    scale = RANDOM.normal(size=(4, 1))
    nodes = [("multiply", ("x", "scale"), {}), ("sum", ("0",), {"axes": (2,), "keepdims": False})]
    model = built(foreign_graph(images(4, 5), nodes, weights(scale=scale)))
    x = RANDOM.normal(size=(3, 4, 5)).astype("float32")
    close(answer(model, x), (x * scale).sum(2))
    assert [variable.shape for variable in model.trainable_variables] == [(1, 4)]
    assert model.get_layer("net_scale").trainable


def test_a_weight_that_is_computed_with_is_trained(backend):
    nodes = [("exp", ("w",), {}), ("multiply", ("x", "0"), {})]
    model = built(foreign_graph(images(3), nodes, weights(w=[0, 1, 2])))
    x = RANDOM.normal(size=(5, 3)).astype("float32")
    close(answer(model, x), x * np.exp([0, 1, 2]))
    assert [variable.shape for variable in model.trainable_variables] == [(3, 1)]


def test_a_constant_that_is_added_to_a_product_is_not_trained(backend):
    constant = {"c": Weight("net.c", np.ones(2, "float32"), False)}
    nodes = [("matmul", ("x", "w"), {}), ("add", ("0", "c"), {})]
    model = built(foreign_graph(images(3), nodes, {**weights(w=RANDOM.normal(size=(3, 2))), **constant}))
    assert [variable.shape for variable in model.trainable_variables] == [(3, 2)]


def test_a_product_over_several_axes_is_one_layer(backend):
    kernel, bias, x = (RANDOM.normal(size=shape).astype("float32") for shape in ((4, 2, 5), (5,), (3, 6, 4, 2)))
    nodes = [("einsum_dense", ("x", "w", "b"), {"terms": ("abcd", "cde", "abe")})]
    model = built(foreign_graph(images(6, 4, 2), nodes, weights(w=kernel, b=bias)))
    close(answer(model, x), np.einsum("abcd,cde->abe", x, kernel) + bias)
    assert [type(layer).__name__ for layer in model.layers] == ["InputLayer", "EinsumDense"]


def test_a_graph_survives_the_message_to_a_worker():
    graph, stream = cnn(), io.BytesIO()
    messages.write(stream, messages.pack(to_message(graph)))
    stream.seek(0)
    returned = from_message(messages.read(stream))
    assert returned.nodes[0].attributes == graph.nodes[0].attributes
    assert [vars(node) for node in returned.nodes] == [vars(node) for node in graph.nodes]
    assert (returned.inputs, returned.outputs) == (graph.inputs, graph.outputs)
    assert returned.weights.keys() == graph.weights.keys()


def test_a_layer_that_is_called_twice_is_one_layer(backend):
    nodes = [("linear", ("x", "w", None), {}), ("linear", ("0", "w", None), {})]
    model = built(foreign_graph(images(4), nodes, weights(w=np.eye(4) * 2)))
    assert model.count_params() == 16
    close(answer(model, np.ones((1, 4), "float32")), np.full((1, 4), 4.0))


def test_a_product_and_a_sum_with_weights_are_one_layer(backend):
    nodes = [("matmul", ("x", "w"), {}), ("add", ("b", "0"), {})]
    graph = foreign_graph(images(3), nodes, weights(w=np.arange(6).reshape(3, 2), b=[1, 2]))
    assert [node.kind for node in graph.nodes] == ["affine"]
    close(answer(built(graph), np.ones((1, 3), "float32")), np.array([[7.0, 11.0]]))


def test_padding_is_keras_own_only_where_it_is_the_same():
    assert same_pairs((6,), (3,), (1,)) == ((1, 1),)
    assert same_pairs((6,), (3,), (2,)) == ((0, 1),)
    assert same_pairs((7,), (3,), (2,)) == ((1, 1),)
    assert same_pairs((None,), (3,), (2,)) is None
    assert is_same(((1, 1),), (7,), (3,), (2,))
    assert not is_same(((1, 1),), (6,), (3,), (2,))
    assert not is_same(((0, 0),), (6,), (1,), (1,))
    assert padding_pairs("same_lower", (6,), (3,), (2,)) == ((1, 0),)
    assert padding_pairs("same_upper", (6,), (3,), (2,)) is None


@pytest.mark.parametrize(
    ("kind", "attributes", "why"),
    [
        ("select", {"axis": 0, "index": 0}, "it picks single samples out of a batch"),
        ("reshape", {"shape": (-1, -1, 2)}, "a shape of several open lengths"),
        ("upsample", {"size": None, "factors": (1.5, 1.5), "mode": "nearest"}, "only whole numbers are covered"),
        ("max_pool", {**POOL, "dilation": (2, 2)}, "its window has gaps"),
        ("cast", {"dtype": "float16"}, "computes in float16"),
    ],
)
def test_a_node_without_a_counterpart_is_refused_by_its_name(backend, kind, attributes, why):
    with pytest.raises(PortError, match=rf"operator\.{kind} \(0\) cannot be rebuilt in Keras: .*{why}") as caught:
        built(foreign_graph(images(2, 6, 5), [(kind, ("x",), attributes)]))
    assert len(str(caught.value).splitlines()) == 1


def test_an_output_that_depends_on_no_input_is_refused(backend):
    graph = foreign_graph(images(2), [("full", (), {"shape": (3,), "value": 1})])
    with pytest.raises(PortError, match="does not depend on the inputs"):
        built(graph)


@pytest.mark.one_environment
@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        ("exp", 0.5, 1.6487213),
        ("log", 2.0, 0.6931472),
        ("rsqrt", 4.0, 0.5),
        ("erf", 0.5, 0.5204999),
        ("round", 2.5, 2.0),
        ("negative", 2.0, -2.0),
        ("reciprocal", 4.0, 0.25),
    ],
)
@pytest.mark.parametrize("is_vector", [False, True])
def test_a_function_of_a_constant_is_computed_once(backend, kind, value, expected, is_vector):
    constant = np.array([value, value, value] if is_vector else value, "float32")
    graph = foreign_graph(images(3), [(kind, [constant], {}), ("multiply", ["x", "0"], {})])
    np.testing.assert_allclose(built(graph).predict(np.ones((2, 3)), verbose=0), np.full((2, 3), expected), rtol=1e-6)
