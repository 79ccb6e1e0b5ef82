"""Operators of ONNX, rebuilt in Keras: each answers as ONNX' own evaluator does, or is refused in one line."""

import numpy as np
import pytest

import trivium
from trivium.errors import PortError

onnx = pytest.importorskip("onnx")

helper = onnx.helper

# The reference evaluator of the package onnx lacks versions of some operators, and computes a loop otherwise: ONNX
# Runtime is where all backends are.
WITH_ITS_RUNTIME = pytest.mark.several_backends


def saved(nodes, outputs, folder, arrays=(), shape=(None, 3, 4), name="net.onnx"):
    """Write a graph from `x` of a shape to outputs, each of a name and a rank, and return its path."""
    x = helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, shape)
    results = [helper.make_tensor_value_info(n, onnx.TensorProto.FLOAT, [None] * rank) for n, rank in outputs]
    weights = [onnx.numpy_helper.from_array(np.asarray(array), key) for key, array in dict(arrays).items()]
    graph = helper.make_graph(nodes, "net", [x], results, weights)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9), folder / name)
    return folder / name


AXIS, COUNT, TWO = {"axis": np.array([1])}, {"count": np.array([2])}, {"two": np.array(2)}
ONE_NODE = {
    "TopK": (["x", "count"], {"axis": 1, "largest": 0}, COUNT),
    "CumSum": (["x", "two"], {}, TWO),
    "Trilu": (["x"], {"upper": 0}, {}),
    "ReduceL1": (["x", "axis"], {}, AXIS),
    "ReduceL2": (["x", "axis"], {}, AXIS),
    "ReduceSumSquare": (["x", "axis"], {}, AXIS),
    "ReduceLogSumExp": (["x", "axis"], {}, AXIS),
    **{name: (["x"], {}, {}) for name in ("Sinh", "Cosh", "Atan", "Asinh")},
}


@pytest.mark.parametrize("name", ONE_NODE)
def test_an_operator_answers_as_in_onnx(backend, shared_worker, tmp_path, name):
    inputs, attributes, arrays = ONE_NODE[name]
    outputs = ["y", "places"] if name == "TopK" else ["y"]
    path = saved([helper.make_node(name, inputs, outputs, **attributes)], [("y", 3)], tmp_path, arrays)
    report = trivium.port(path, "keras", tmp_path / "net.keras")
    assert report.passed, report.to_json()


def test_elements_are_gathered_by_the_places_of_the_largest(backend, shared_worker, tmp_path):
    nodes = [
        helper.make_node("TopK", ["x", "count"], ["values", "places"], axis=2),
        helper.make_node("GatherElements", ["x", "places"], ["y"], axis=2),
    ]
    report = trivium.port(saved(nodes, [("y", 3)], tmp_path, COUNT), "keras", tmp_path / "net.keras")
    assert report.passed, report.to_json()


def quantized(folder, **changes):
    """A convolution with stored integers for its kernel, between two roundings."""
    generator = np.random.default_rng(0)
    arrays = {
        "kernel": generator.integers(-127, 128, (2, 3, 2)).astype("int8"),
        "kernel_scale": np.array([0.01, 0.02], "float32"),
        "kernel_zero": np.zeros(2, "int8"),
        "scale": np.array(0.05, "float32"),
        "zero": np.array(128, "uint8"),
        **changes,
    }
    around = ["scale", "zero"]
    nodes = [
        helper.make_node("QuantizeLinear", ["x", *around], ["q"]),
        helper.make_node("DequantizeLinear", ["q", *around], ["rounded"]),
        helper.make_node("DequantizeLinear", ["kernel", "kernel_scale", "kernel_zero"], ["weight"], axis=0),
        helper.make_node("Conv", ["rounded", "weight"], ["y"]),
    ]
    return saved(nodes, [("y", 3)], folder, arrays)


@WITH_ITS_RUNTIME
def test_a_quantised_graph_becomes_floats_that_are_rounded_as_it_rounds(backend, shared_worker, tmp_path):
    import keras

    report = trivium.port(quantized(tmp_path), "keras", tmp_path / "net.keras")
    assert report.passed, report.to_json()
    (kernel,) = (layer.kernel for layer in keras.saving.load_model(report.artifact).layers if layer.weights)
    steps = keras.ops.convert_to_numpy(kernel) / [0.01, 0.02]
    np.testing.assert_allclose(steps, np.round(steps), atol=1e-3)


def test_a_scale_for_each_channel_of_what_is_computed_is_refused(backend, shared_worker, tmp_path):
    changes = {"scale": np.full(3, 0.05, "float32"), "zero": np.full(3, 128, "uint8")}
    with pytest.raises(PortError, match=r"QuantizeLinear .* a scale for each channel") as caught:
        trivium.port(quantized(tmp_path, **changes), "keras", tmp_path / "net.keras")
    assert len(str(caught.value).splitlines()) == 1


def body(name, nodes, inputs, outputs):
    """A graph within a graph; inputs and outputs are of a name, a dtype and a shape."""
    dtypes = {"float": onnx.TensorProto.FLOAT, "int": onnx.TensorProto.INT64, "bool": onnx.TensorProto.BOOL}
    values = [
        [helper.make_tensor_value_info(n, dtypes[dtype], shape) for n, dtype, shape in side]
        for side in (inputs, outputs)
    ]
    return helper.make_graph(nodes, name, *values)


def branches(condition):
    one, other = (
        body(kind, [helper.make_node(kind, ["x"], ["result"])], [], [("result", "float", [None, 3, 4])])
        for kind in ("Relu", "Neg")
    )
    return helper.make_node("If", [condition], ["y"], then_branch=one, else_branch=other)


def loop(nodes, **attributes):
    """Rounds that double an array and add the number of the round."""
    steps = body(
        "body",
        [
            *nodes,
            helper.make_node("Add", ["before", "before"], ["twice"]),
            helper.make_node("Cast", ["round"], ["number"], to=onnx.TensorProto.FLOAT),
            helper.make_node("Add", ["twice", "number"], ["after"]),
        ],
        [("round", "int", []), ("on", "bool", []), ("before", "float", [None, 3, 4])],
        [("next", "bool", []), ("after", "float", [None, 3, 4])],
    )
    return helper.make_node("Loop", ["rounds", "", "x"], ["y"], body=steps, **attributes)


GOES_ON = [helper.make_node("Identity", ["on"], ["next"])]


@pytest.mark.parametrize(
    ("node", "arrays"),
    [
        (branches("yes"), {"yes": np.array(True)}),
        (branches("yes"), {"yes": np.array(False)}),
        pytest.param(loop(GOES_ON), {"rounds": np.array(3)}, marks=WITH_ITS_RUNTIME),
    ],
    ids=["if", "else", "loop"],
)
def test_control_flow_that_does_not_depend_on_values_is_written_out(backend, shared_worker, tmp_path, node, arrays):
    report = trivium.port(saved([node], [("y", 3)], tmp_path, arrays), "keras", tmp_path / "net.keras")
    assert report.passed, report.to_json()


STOPS = [
    helper.make_node("ReduceMax", ["before"], ["top"], keepdims=0),
    helper.make_node("Cast", ["top"], ["next"], to=onnx.TensorProto.BOOL),
]


@pytest.mark.parametrize(
    ("nodes", "arrays", "name"),
    [
        ([loop(STOPS)], {"rounds": np.array(3)}, "Loop"),
        ([loop(GOES_ON)], {"rounds": np.array(1000)}, "Loop"),
        (
            [
                helper.make_node("ReduceMax", ["x"], ["top"], keepdims=0),
                helper.make_node("Cast", ["top"], ["yes"], to=onnx.TensorProto.BOOL),
                branches("yes"),
            ],
            {},
            "If",
        ),
    ],
    ids=["stops by values", "long", "if by values"],
)
def test_control_flow_by_values_is_refused_by_its_name(backend, tmp_path, nodes, arrays, name):
    from trivium.porting.graph_to_keras.onnx.graph import to_graph

    with pytest.raises(PortError, match=f"cannot be rebuilt in Keras: {name}$"):
        to_graph(saved(nodes, [("y", 3)], tmp_path, arrays))
