"""A graph is refused when it could not be computed, and tells who uses what."""

import numpy as np
import pytest

from trivium.graph.graph import Graph, Input, Layer, Node, Output, Reference, Spec
from trivium.graph.layer_kinds import KINDS
from trivium.graph.source import class_name, identifier

pytestmark = pytest.mark.plain

SPEC = Spec((None, 3), "float32")
RELU = Layer("relu", "relu", {"negative_slope": 0.0, "max_value": None, "threshold": 0.0})


def node(name, layer, *inputs, outputs=1):
    return Node(name, layer, tuple(Reference(i) if isinstance(i, str) else i for i in inputs), (SPEC,) * outputs)


def graph(*nodes, outputs=("last",), inputs=("x",)):
    results = tuple(Output(f"out_{i}", Reference(name)) for i, name in enumerate(outputs))
    return Graph("model", tuple(Input(name, SPEC) for name in inputs), nodes, results)


def test_a_graph_knows_its_layers_once_and_their_calls():
    shared = Layer("shared", "dense", {"units": 3}, {"kernel": np.eye(3)})
    first, second = node("shared", shared, "x"), node("shared_2", shared, "shared")
    found = graph(first, second, node("last", RELU, "shared_2"))
    assert found.layers == (shared, RELU)
    assert found.calls(shared) == (first, second)


def test_who_reads_an_array_is_known_once_for_each_use():
    add = Layer("add", "add")
    found = graph(node("last", add, "x", "x"), outputs=("last", "last", "x"))
    assert [getattr(r, "name", r) for r in found.readers[Reference("x")]] == ["last", "last", "out_2"]
    assert len(found.readers[Reference("last")]) == 2


def test_numbers_stand_among_the_inputs_of_a_node():
    found = node("last", Layer("add", "add"), "x", 2.0)
    assert found.inputs == (Reference("x"), 2.0)
    assert found.references == (Reference("x"),)


def test_what_a_call_says_goes_before_nothing_of_the_layer():
    layer = Layer("heads", "multi_head_attention", {"num_heads": 2})
    assert Node("heads", layer, (), (), {"causal": True}).config == {"num_heads": 2, "causal": True}


def test_specs_tell_of_inputs_and_of_every_output():
    found = graph(node("parts", Layer("parts", "split"), "x", outputs=2), node("last", RELU, "parts"))
    assert set(found.specs) == {Reference("x"), Reference("parts"), Reference("parts", 1), Reference("last")}


@pytest.mark.parametrize(
    ("nodes", "message"),
    [
        ([node("last", RELU, "later"), node("later", RELU, "x")], "last needs .*later"),
        ([node("last", RELU, Reference("x", 1))], "last needs .*index=1"),
        ([node("last", RELU, "x"), node("last", RELU, "x")], "called last"),
        ([node("x", RELU, "x"), node("last", RELU, "x")], "called x"),
        ([node("other", RELU, "x")], "output out_0 is .*last.*, which nothing computes"),
        ([node("a", RELU, "x"), node("last", Layer("relu", "relu"), "a")], "two layers"),
    ],
)
def test_a_graph_that_could_not_be_computed_is_refused(nodes, message):
    with pytest.raises(ValueError, match=message):
        graph(*nodes)


def test_every_kind_has_names_that_are_python_identifiers():
    for name, kind in KINDS.items():
        assert all(word.isidentifier() for word in (name, *kind.config, *kind.weights)), name


@pytest.mark.parametrize(
    ("name", "taken", "expected"),
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
def test_any_name_becomes_an_identifier(name, taken, expected):
    assert identifier(name, set(taken)) == expected
    assert expected.isidentifier()


def test_a_class_is_named_as_classes_are():
    assert class_name("cnn/striding-batchnorm") == "CnnStridingBatchnorm"
