"""An ONNX file is read as data: paths out of its folder and false claims are refused in one line."""

import numpy as np
import pytest

from trivium.errors import FileError, PortError, TriviumError
from trivium.porting.graph_to_keras.onnx import file
from trivium.porting.graph_to_keras.onnx.graph import to_graph

onnx = pytest.importorskip("onnx")
KERNEL = np.arange(6, dtype="float32").reshape(3, 2) / 10
BIAS = np.array([0.5, -0.5], "float32")


def tensor(array, name):
    return onnx.numpy_helper.from_array(array, name)


def value(name, *shape):
    return onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape)


def model(nodes=None, weights=None):
    """`relu(x @ kernel + bias)`, or other nodes over the same weights."""
    make = onnx.helper.make_node
    nodes = nodes or [make("Gemm", ["x", "kernel", "bias"], ["a"]), make("Relu", ["a"], ["y"])]
    weights = weights or [tensor(KERNEL, "kernel"), tensor(BIAS, "bias")]
    graph = onnx.helper.make_graph(nodes, "net", [value("x", "n", 3)], [value("y", "n", 2)], weights)
    return onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 20)])


def saved(onnx_model, folder):
    path = folder / "net.onnx"
    path.write_bytes(onnx_model if isinstance(onnx_model, bytes) else onnx_model.SerializeToString())
    return path


def refused(onnx_model, folder, match, error=FileError):
    with pytest.raises(TriviumError, match=match) as caught:
        to_graph(saved(onnx_model, folder))
    assert isinstance(caught.value, error)
    assert len(str(caught.value).splitlines()) == 1


def external(location, **entries):
    """The network with its kernel in a file of its own."""
    kernel = onnx.TensorProto(name="kernel", dims=[3, 2], data_type=onnx.TensorProto.FLOAT)
    kernel.data_location = onnx.TensorProto.EXTERNAL
    for key, entry in {"location": location, **entries}.items():
        kernel.external_data.add(key=key, value=str(entry))
    return model(weights=[kernel, tensor(BIAS, "bias")])


def test_an_honest_graph_is_read_with_its_weights_and_names(tmp_path):
    graph = to_graph(saved(model(), tmp_path))
    assert [node.kind for node in graph.nodes] == ["affine", "activation"]
    assert [(each.name, each.shape, each.batch) for each in graph.inputs] == [("x", (None, 3), 0)]
    np.testing.assert_array_equal(graph.weights["kernel"].value, KERNEL)


def test_an_array_in_a_file_beside_the_graph_is_read(tmp_path):
    (tmp_path / "weights.bin").write_bytes(b"....." + KERNEL.tobytes() + b"more")
    graph = to_graph(saved(external("weights.bin", offset=5, length=24), tmp_path))
    np.testing.assert_array_equal(graph.weights["kernel"].value, KERNEL)


@pytest.mark.parametrize("location", ["../secret", "/etc/hostname", "sub/../../secret", "..\\secret", "", "a\0b"])
def test_an_array_outside_of_the_folder_is_refused(tmp_path, location):
    (tmp_path / "secret").write_bytes(KERNEL.tobytes())
    folder = tmp_path / "inner"
    (folder / "sub").mkdir(parents=True)
    refused(external(location), folder, "outside of the model's folder: not read|which does not exist")


def test_a_link_out_of_the_folder_is_refused(tmp_path):
    (tmp_path / "secret").write_bytes(KERNEL.tobytes())
    folder = tmp_path / "inner"
    folder.mkdir()
    (folder / "weights.bin").symlink_to(tmp_path / "secret")
    refused(external("weights.bin"), folder, "outside of the model's folder")


@pytest.mark.parametrize("entries", [{"offset": 10**9}, {"length": 10**9}, {"offset": 1}, {"offset": -4}])
def test_an_array_that_reaches_beyond_its_file_is_refused(tmp_path, entries):
    (tmp_path / "weights.bin").write_bytes(KERNEL.tobytes())
    refused(external("weights.bin", **entries), tmp_path, r"which does not have them")


def test_an_array_that_is_not_there_is_refused(tmp_path):
    refused(external("weights.bin"), tmp_path, r"lies in 'weights\.bin', which does not exist")


def test_an_array_that_claims_more_than_it_has_is_refused(tmp_path):
    kernel = tensor(KERNEL, "kernel")
    del kernel.dims[:]
    kernel.dims.extend([3 * 10**6, 2 * 10**6])
    refused(model(weights=[kernel, tensor(BIAS, "bias")]), tmp_path, "'kernel' claims shape")


@pytest.mark.parametrize("length", [0, 1, 20, 100, -1, -30])
def test_a_truncated_graph_is_refused(tmp_path, length):
    refused(model().SerializeToString()[:length], tmp_path, "is no ONNX file")


def test_other_bytes_are_refused(tmp_path):
    refused(b"PK\x03\x04 and so on", tmp_path, "is no ONNX file")


def test_unknown_operators_are_named_all_at_once(tmp_path):
    make = onnx.helper.make_node
    nodes = [
        *(make("Gemm", ["x", "kernel", "bias"], ["a"]), make("Hardmax", ["a"], ["b"])),
        *(make("Thing", ["b"], ["c"], domain="acme"), make("Hardmax", ["c"], ["y"])),
    ]
    refused(model(nodes), tmp_path, r"Keras: Hardmax \(2\), acme\.Thing; teach it by @.*\"onnx:Hardmax\"", PortError)


def test_pooling_over_everything_is_read(tmp_path, backend):
    from trivium.porting.graph_to_keras import network_file

    make = onnx.helper.make_node
    nodes = [
        make("GlobalMaxPool", ["x"], ["a"]),
        make("Flatten", ["a"], ["b"]),
        make("Gemm", ["b", "kernel", "bias"], ["y"]),
    ]
    graph = onnx.helper.make_graph(
        *(nodes, "net", [value("x", "n", 3, 4, 5)], [value("y", "n", 2)]),
        [tensor(KERNEL, "kernel"), tensor(BIAS, "bias")],
    )
    keras_model, _ = network_file.build(to_graph(saved(onnx.helper.make_model(graph), tmp_path)))
    x = np.random.default_rng(0).normal(size=(2, 3, 4, 5)).astype("float32")
    np.testing.assert_allclose(keras_model.predict(x, verbose=0), x.max((2, 3)) @ KERNEL + BIAS, rtol=1e-5, atol=1e-6)


def test_a_loop_is_refused_by_its_name(tmp_path):
    body = onnx.helper.make_graph([], "body", [], [])
    nodes = [onnx.helper.make_node("Loop", ["", "", "x"], ["y"], body=body)]
    refused(model(nodes), tmp_path, "cannot be rebuilt in Keras: Loop$", PortError)


def test_damage_anywhere_is_refused_in_one_line_or_is_another_graph(tmp_path):
    generator = np.random.default_rng(0)
    content, read = model().SerializeToString(), 0
    for _ in range(200):
        damaged = bytearray(content)
        for place in generator.integers(0, len(content), generator.integers(1, 4)):
            damaged[place] = generator.integers(0, 256)
        message = ""
        try:
            read += bool(to_graph(saved(bytes(damaged), tmp_path)).nodes)
        except TriviumError as error:
            message = str(error)
        assert len(message.splitlines()) <= 1
    assert 0 < read < 200


def test_an_undefined_name_is_refused(tmp_path, backend):
    from trivium.porting.graph_to_keras import network_file

    path = saved(model([onnx.helper.make_node("Relu", ["nowhere"], ["y"])]), tmp_path)
    with pytest.raises(PortError, match="Relu \\(y\\) cannot be rebuilt"):
        network_file.build(to_graph(path))


def doubling(levels, recursive=False):
    """A model of functions, each of which calls the one before it twice."""
    helper, opsets = onnx.helper, [onnx.helper.make_opsetid("", 17), onnx.helper.make_opsetid("own", 1)]
    functions = []
    for level in range(levels):
        called = ("f0" if recursive else f"f{level - 1}", "own") if level or recursive else ("Relu", "")
        nodes = [helper.make_node(called[0], [source], [result], domain=called[1]) for source, result in ("xt", "ty")]
        functions.append(helper.make_function("own", f"f{level}", ["x"], ["y"], nodes, opsets))
    ends = [helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [1, 4]) for name in "ab"]
    node = helper.make_node(f"f{levels - 1}", ["a"], ["b"], domain="own")
    return helper.make_model(
        helper.make_graph([node], "g", ends[:1], ends[1:]), functions=functions, opset_imports=opsets
    )


@pytest.mark.parametrize(
    ("model", "message"),
    [((30,), "its functions become 1,073,741,824 nodes"), ((1, True), "calls itself"), ((200,), "nested too deeply")],
)
def test_functions_that_grow_without_limit_are_not_inlined(tmp_path, model, message):
    onnx.save(doubling(*model), tmp_path / "bomb.onnx")
    with pytest.raises(FileError, match=message):
        file.load(tmp_path / "bomb.onnx")


def test_functions_of_a_plain_size_are_inlined(tmp_path):
    onnx.save(doubling(3), tmp_path / "small.onnx")
    assert len(file.load(tmp_path / "small.onnx").graph.node) == 8
