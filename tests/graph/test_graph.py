"""A graph knows its layers, arrays and readers, and a graph that cannot be computed is refused."""

import numpy as np
import pytest

from trivium.graph.graph import ArrayReference, Graph, GraphLayer, GraphNode, Input, Output, Spec
from trivium.graph.layer_kinds import KINDS
from trivium.graph.source import class_name, identifier

pytestmark = pytest.mark.plain

SPEC = Spec((None, 3), "float32")
RELU = GraphLayer("relu", "relu", {"negative_slope": 0.0, "max_value": None, "threshold": 0.0})


def node(name, layer, *inputs, outputs=1):
    return GraphNode(
        name, layer, tuple(ArrayReference(i) if isinstance(i, str) else i for i in inputs), (SPEC,) * outputs
    )


def graph(*nodes, outputs=("last",), inputs=("x",)):
    results = tuple(Output(f"out_{i}", ArrayReference(name)) for i, name in enumerate(outputs))
    return Graph("model", tuple(Input(name, SPEC) for name in inputs), nodes, results)


def test_a_graph_knows_its_layers_once_and_their_calls():
    shared = GraphLayer("shared", "dense", {"units": 3}, {"kernel": np.eye(3)})
    first, second = node("shared", shared, "x"), node("shared_2", shared, "shared")
    model = graph(first, second, node("last", RELU, "shared_2"))
    assert model.layers == (shared, RELU)
    assert model.calls(shared) == (first, second)


def test_the_readers_of_an_array_are_listed_once_for_each_use():
    add = GraphLayer("add", "add")
    model = graph(node("last", add, "x", "x"), outputs=("last", "last", "x"))
    assert [getattr(r, "name", r) for r in model.readers[ArrayReference("x")]] == ["last", "last", "out_2"]
    assert len(model.readers[ArrayReference("last")]) == 2


def test_a_node_may_have_numbers_among_its_inputs():
    addition = node("last", GraphLayer("add", "add"), "x", 2.0)
    assert addition.inputs == (ArrayReference("x"), 2.0)
    assert addition.references == (ArrayReference("x"),)


def test_the_config_of_a_node_joins_the_layers_config_and_the_calls_arguments():
    layer = GraphLayer("heads", "multi_head_attention", {"num_heads": 2})
    assert GraphNode("heads", layer, (), (), {"causal": True}).config == {"num_heads": 2, "causal": True}


def test_there_is_a_spec_of_every_input_and_every_output():
    model = graph(node("parts", GraphLayer("parts", "split"), "x", outputs=2), node("last", RELU, "parts"))
    assert set(model.specs) == {
        ArrayReference("x"),
        ArrayReference("parts"),
        ArrayReference("parts", 1),
        ArrayReference("last"),
    }


@pytest.mark.parametrize(
    ("nodes", "message"),
    [
        ([node("last", RELU, "later"), node("later", RELU, "x")], "last needs .*later"),
        ([node("last", RELU, ArrayReference("x", 1))], "last needs .*index=1"),
        ([node("last", RELU, "x"), node("last", RELU, "x")], "called last"),
        ([node("x", RELU, "x"), node("last", RELU, "x")], "called x"),
        ([node("other", RELU, "x")], "output out_0 is .*last.*, which nothing computes"),
        ([node("a", RELU, "x"), node("last", GraphLayer("relu", "relu"), "a")], "two layers"),
    ],
)
def test_a_graph_that_cannot_be_computed_is_refused(nodes, message):
    with pytest.raises(ValueError, match=message):
        graph(*nodes)


def test_all_names_in_the_kinds_are_python_identifiers():
    for name, kind in KINDS.items():
        assert all(word.isidentifier() for word in (name, *kind.config, *kind.weights)), name


@pytest.mark.parametrize(
    ("name", "used", "expected"),
    [
        ("block1/conv 2", (), "block1_conv_2"),
        ("2nd", (), "layer_2nd"),
        ("class", (), "class_"),
        ("match", (), "match"),
        ("dense", ("dense", "dense_2"), "dense_3"),
        ("class", ("class_",), "class_2"),
        ("λ", (), "layer"),
    ],
)
def test_any_name_becomes_an_identifier(name, used, expected):
    assert identifier(name, set(used)) == expected
    assert expected.isidentifier()


def test_a_class_name_is_written_in_camel_case():
    assert class_name("cnn/striding-batchnorm") == "CnnStridingBatchnorm"
    assert class_name("mobilenetv2_1.00_64") == "Mobilenetv2_1_00_64"
