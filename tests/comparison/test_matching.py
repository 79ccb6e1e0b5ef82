"""Units of two graphs are matched by their weights and surroundings; weights are carried over in their layouts."""

import numpy as np
import pytest

from trivium.comparison.matching import match
from trivium.comparison.units import units_of
from trivium.comparison.weight_map import weight_map
from trivium.comparison.weight_orders import relation
from trivium.graph.graph import ArrayReference, Graph, GraphLayer, GraphNode, Input, Output, Spec

pytestmark = pytest.mark.plain


def dense(name, source, depth, width, generator):
    """Return a node that multiplies by a matrix, without a bias."""
    layer = GraphLayer(name, "dense", {"units": width}, {"kernel": generator.standard_normal((depth, width))})
    return GraphNode(name, layer, (ArrayReference(source),), (Spec((None, width), "float32"),))


def plain(name, kind, sources, lengths, **config):
    return GraphNode(
        name, GraphLayer(name, kind, config), tuple(map(ArrayReference, sources)), (Spec(lengths, "float32"),)
    )


def graph(*nodes, width=4):
    return Graph(
        "net", (Input("x", Spec((None, width), "float32")),), nodes, (Output("y", ArrayReference(nodes[-1].name)),)
    )


def names(matching):
    return {(pair.mine[0].name, pair.others[0].name) for pair in matching.pairs}


def test_equal_layers_are_told_apart_by_what_surrounds_them():
    draw = np.random.default_rng(0)
    # x → a → b → add(b, c(x)); the other graph has the branch first, and all three kernels are of one shape.
    one = graph(
        *(dense("a", "x", 4, 4, draw), dense("b", "a", 4, 4, draw), dense("c", "x", 4, 4, draw)),
        *(plain("relu", "relu", ["b"], (None, 4)), plain("sum", "add", ["relu", "c"], (None, 4))),
    )
    two = graph(
        *(dense("short", "x", 4, 4, draw), dense("first", "x", 4, 4, draw), dense("second", "first", 4, 4, draw)),
        *(plain("act", "relu", ["second"], (None, 4)), plain("out", "add", ["short", "act"], (None, 4))),
    )
    assert names(match(units_of(one), units_of(two))) == {("a", "first"), ("b", "second"), ("c", "short")}


def test_rows_follow_the_order_in_which_an_image_was_flattened():
    draw = np.random.default_rng(0)
    first, second = (dense("out", "flat", 12, 2, draw) for _ in range(2))
    image = plain("image", "reshape", ["x"], (None, 2, 2, 3), shape=(None, 2, 2, 3))
    turned = plain("turned", "transpose", ["image"], (None, 3, 2, 2), axes=(0, 3, 1, 2))
    pooled = plain("pooled", "max_pool", ["image"], (None, 2, 2, 3))
    one = graph(image, pooled, plain("flat", "flatten", ["pooled"], (None, 12)), first, width=12)
    turned = plain("turned", "transpose", ["pooled"], (None, 3, 2, 2), axes=(0, 3, 1, 2))
    two = graph(image, pooled, turned, plain("flat", "flatten", ["turned"], (None, 12)), second, width=12)
    mapped = weight_map(one, two, match(units_of(one), units_of(two)))
    key = ("out", "kernel")
    carried = mapped.carry_over({key: first.layer.weights["kernel"]}, {key: second.layer.weights["kernel"]})[key]
    picture = np.arange(12).reshape(2, 2, 3)
    assert np.allclose(
        picture.reshape(-1) @ first.layer.weights["kernel"], picture.transpose(2, 0, 1).reshape(-1) @ carried
    )
    assert mapped.pieces[0].how == "rows in another order"


def test_one_array_of_query_key_and_value():
    draw = np.random.default_rng(0)
    packed = dense("qkv", "x", 4, 12, draw)
    one = graph(packed, plain("y", "relu", ["qkv"], (None, 12)))
    parts = [dense(name, "x", 4, 4, draw) for name in ("q", "k", "v")]
    two = graph(*parts, plain("y", "concatenate", ["q", "k", "v"], (None, 12), axis=1))
    for mine, others in ((one, two), (two, one)):
        mapped = weight_map(mine, others, match(units_of(mine), units_of(others)))
        assert not mapped.only_mine
        assert not mapped.only_others
        keys = {(node.name, "kernel"): node.layer.weights["kernel"] for node in (packed, *parts)}
        own = {key: array for key, array in keys.items() if key[0] in {n.name for n in mine.nodes}}
        other = {key: array for key, array in keys.items() if key not in own}
        carried = mapped.carry_over(own, other)
        assert np.array_equal(np.hstack(list(carried.values())), np.hstack(list(own.values())))


@pytest.mark.parametrize(
    ("kind", "change", "words"),
    [
        ("dense", lambda w: w.T, "transposed"),
        (
            "gru",
            lambda w: np.hstack([np.split(w, 3, 1)[i] for i in (1, 0, 2)]),
            "order reset, update, new",
        ),
        ("lstm", lambda w: np.hstack([np.split(w, 4, 1)[i] for i in (0, 1, 3, 2)]), "input, forget, output, cell"),
        ("dense", lambda w: -w, "negated"),
        ("dense", lambda w: 0.5 * w, "multiplied by 0.5"),
        ("dense", lambda w: w + 1, None),
    ],
)
def test_what_was_done_to_a_weight(kind, change, words):
    weight = np.random.default_rng(0).standard_normal((12, 12))
    changed = change(weight) if kind == "dense" else np.asarray(change(weight))
    description = relation(weight, changed, kind)
    assert description == words or words in description
