"""A method of a class is replaced in one thread, for the time of a context."""

import threading

import pytest

from trivium.backends.replaced_methods import original_method, overridden


@pytest.fixture
def keras(backend):
    import keras

    return keras


def test_an_override_holds_in_its_own_thread_and_ends_with_its_context(keras):
    layer_class = keras.layers.Layer
    keras_method = layer_class.add_weight
    here, elsewhere = [], []

    def add_weight(layer, *arguments, **keywords):
        here.append(layer.name)
        return original_method(layer_class, "add_weight")(layer, *arguments, **keywords)

    def build_elsewhere():
        elsewhere.append(keras.layers.Dense(2, name="elsewhere"))
        elsewhere[0].build((None, 3))

    with overridden([(layer_class, "add_weight", add_weight)]):
        keras.layers.Dense(2, name="here").build((None, 3))
        thread = threading.Thread(target=build_elsewhere)
        thread.start()
        thread.join()
    assert here == ["here", "here"]
    assert tuple(elsewhere[0].kernel.shape) == (3, 2)
    assert layer_class.add_weight is keras_method


def test_overrides_nest_and_an_inherited_method_is_inherited_again(keras):
    class Base:
        def answer(self):
            return "base"

    class Derived(Base):
        pass

    with overridden([(Derived, "answer", lambda self: "outer")]):
        with overridden([(Derived, "answer", lambda self: "inner")]):
            assert Derived().answer() == "inner"
        assert Derived().answer() == "outer"
        assert Base().answer() == "base"
    assert Derived().answer() == "base"
    assert "answer" not in vars(Derived)
