"""What a loss says of the output that it is computed from."""

import pytest

from trivium.engine.keras_model.loss_names import output_kinds

pytestmark = pytest.mark.one_environment


@pytest.fixture
def model(backend):
    import keras

    inputs = keras.Input((3,))
    return keras.Model(
        inputs, [keras.layers.Dense(2, name="kind")(inputs), keras.layers.Dense(1, name="price")(inputs)]
    )


def test_the_kind_of_an_output_is_that_which_its_loss_takes(model):
    import keras

    logits = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    for loss, kinds in (
        ({"kind": logits, "price": "mse"}, ["logits", "values"]),
        (["sparse_categorical_crossentropy", keras.losses.BinaryFocalCrossentropy()], ["probabilities"] * 2),
        ({"kind": "hinge"}, ["margins", "values"]),
        (["categorical_hinge", keras.losses.SquaredHinge()], ["margins"] * 2),
        ([keras.losses.hinge, keras.losses.BinaryCrossentropy(from_logits=True)], ["margins", "logits"]),
    ):
        model.compile("sgd", loss)
        assert output_kinds(model) == kinds


def test_an_uncompiled_model_says_nothing(model):
    assert output_kinds(model) == ["values"] * 2


def test_a_loss_of_ones_own_says_by_its_values_whether_it_takes_logits(model):
    import keras
    from keras import ops

    def sparse(y, scores):
        return keras.losses.sparse_categorical_crossentropy(y, scores, from_logits=True)

    def binary(y, scores):
        return ops.mean(ops.softplus(scores) - y * scores, axis=-1)

    def rows(y, scores):
        return -ops.sum(y * ops.log_softmax(scores), axis=-1)

    def squares(y, scores):
        return ops.mean(ops.square(y - scores), axis=-1)

    def raises(y, scores):
        raise ValueError("not for these")

    for loss, kinds in (
        ([sparse, binary], ["logits", "logits"]),
        ([rows, squares], ["logits", "values"]),
        ([squares, raises], ["values", "values"]),
        ([raises, keras.losses.binary_crossentropy], ["values", "probabilities"]),
    ):
        model.compile("sgd", loss)
        assert output_kinds(model) == kinds


def test_logarithms_of_probabilities_are_logits(backend):
    import keras

    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3, "log_softmax")])
    model.compile("sgd", lambda y, scores: -keras.ops.mean(y * scores))
    assert output_kinds(model) == ["logits"]
