"""A tuning replaces a method of the layers that compute as Keras' own do, for the time of a context."""

import pytest

from trivium.backends.tuned_layers import computes_as, tuned_layers

pytestmark = pytest.mark.plain


class Own:
    def call(self):
        return "slow"

    def other(self):
        return "other"


class Derived(Own):
    pass


class Changed(Own):
    def other(self):
        return "changed"


def test_a_layer_computes_as_a_class_whose_methods_it_has():
    replaced = Own()
    replaced.call = lambda: "replaced"
    assert computes_as(Derived(), Own, "call", "other")
    assert computes_as(Changed(), Own, "call")
    assert not computes_as(Changed(), Own, "call", "other")
    assert not computes_as(replaced, Own, "call")
    assert not computes_as(object(), Own, "call")


def test_methods_are_replaced_within_the_context_only():
    layer, left_alone = Derived(), Changed()
    tuning = (lambda layer: computes_as(layer, Own, "call", "other"), "call", lambda layer, call: lambda: "fast")
    with tuned_layers([layer, left_alone], [tuning]):
        assert (layer.call(), left_alone.call()) == ("fast", "slow")
    assert layer.call() == "slow"
    assert not vars(layer)
