"""Operations counted from shapes, against numbers worked out by hand."""

import pytest


@pytest.fixture(scope="module")
def layers(backend):
    import keras

    return keras.layers


def cost_of(shape, *layers):
    """The costs of a chain of layers over inputs of one shape."""
    import keras

    from trivium.benchmarks.flops import count

    return count(keras.Sequential([keras.Input(shape), *layers]))


def forward(shape, *layers):
    return [cost.forward for cost in cost_of(shape, *layers)]


def test_a_dense_layer(layers):
    # 4 → 3: 12 multiplications, 12 additions, 3 biases, 3 relus; 3 → 2: 12, 2 biases, softmax of 2.
    assert forward((4,), layers.Dense(3, activation="relu"), layers.Dense(2, activation="softmax")) == [30, 12 + 2 + 10]
    assert forward((4,), layers.Dense(3, use_bias=False)) == [24]
    assert forward((5, 4), layers.Dense(3, use_bias=False)) == [5 * 24], "at each of five steps"


def test_a_convolution(layers):
    # 6×6×2 → 4×4×3 by 3×3: 48 values of 18 products each.
    assert forward((6, 6, 2), layers.Conv2D(3, 3)) == [48 * 36 + 48]
    # Striding: 3×3×3 = 27 values.
    assert forward((6, 6, 2), layers.Conv2D(3, 3, strides=2, padding="same", activation="relu")) == [27 * 36 + 27 + 27]
    # Two groups: each value sees one channel.
    assert forward((6, 6, 2), layers.Conv2D(4, 3, groups=2, use_bias=False)) == [64 * 18]
    assert forward((10, 2), layers.Conv1D(4, 3, use_bias=False)) == [8 * 4 * 12]


def test_other_convolutions(layers):
    # Depthwise 3×3 over 2 channels: 4×4×2 values of 9 products.
    assert forward((6, 6, 2), layers.DepthwiseConv2D(3, use_bias=False)) == [32 * 18]
    # Then 5 filters of 1×1 over 2 channels: 80 values of 2 products.
    assert forward((6, 6, 2), layers.SeparableConv2D(5, 3, use_bias=False)) == [32 * 18 + 80 * 4]
    # Each of 9 pixels with 2 channels spread over 2×2 places of 4 filters.
    assert forward((3, 3, 2), layers.Conv2DTranspose(4, 2, strides=2, use_bias=False)) == [9 * 2 * 2 * 2 * 2 * 4]


def test_pooling(layers):
    # 3×3×5 = 45 values: three comparisons each; three additions and a division.
    assert forward((6, 6, 5), layers.MaxPooling2D(2)) == [135]
    assert forward((6, 6, 5), layers.AveragePooling2D(2)) == [180]
    assert forward((6, 6, 5), layers.GlobalAveragePooling2D()) == [180]


def test_recurrent_layers(layers):
    # A step of LSTM 3 over 2 features: 4·3·(2+3) products, 12 biases, 12 activations, f·c + i·g, tanh, o·tanh: 15.
    assert forward((7, 2), layers.LSTM(3)) == [7 * (2 * 60 + 12 + 12 + 15)]
    # GRU: 3 gates, two biases each; r·h, z·h, 1 - z, their product and sum: 15.
    assert forward((7, 2), layers.GRU(3)) == [7 * (2 * 45 + 18 + 9 + 15)]
    assert forward((7, 2), layers.SimpleRNN(3)) == [7 * (2 * 15 + 3 + 3)]
    assert forward((7, 2), layers.Bidirectional(layers.LSTM(3))) == [2 * 7 * 159]
    assert forward((7, 4), layers.TimeDistributed(layers.Dense(3, use_bias=False))) == [7 * 24]
    assert forward((7, 2), layers.RNN([layers.LSTMCell(3), layers.LSTMCell(1)])) == [7 * (159 + 2 * 16 + 4 + 9)]


def test_attention(layers):
    import keras

    from trivium.benchmarks.flops import count

    sequence = keras.Input((5, 4))
    heads = layers.MultiHeadAttention(num_heads=2, key_dim=3, use_bias=False)
    (cost,) = (c for c in count(keras.Model(sequence, heads(sequence, sequence))) if c.kind == "MultiHeadAttention")
    # Three projections and one back of 5 × 4 × 6 products; scores and their use 2 × 25 × 6; scaling; softmax.
    assert cost.forward == 2 * (4 * 120 + 300) + 30 + 5 * 50
    (cost,) = (
        c for c in count(keras.Model(sequence, layers.Attention()([sequence, sequence]))) if c.kind == "Attention"
    )
    assert cost.forward == 2 * 25 * 8 + 5 * 25


def test_normalisation_activation_and_data_movement(layers):
    assert forward((6, 5), layers.BatchNormalization(), layers.LayerNormalization()) == [120, 240]
    assert forward((6, 5), layers.Activation("relu"), layers.ReLU(), layers.Softmax()) == [30, 30, 150]
    assert forward((6, 5), layers.Flatten(), layers.Reshape((5, 6)), layers.Dropout(0.5)) == [0, 0, 0]
    assert forward((6,), layers.Embedding(10, 4)) == [0]


def test_training_adds_the_gradients_of_weights_and_inputs_where_needed(layers):
    first, drop, second = cost_of((4,), layers.Dense(3), layers.Dropout(0.5), layers.Dense(2))
    assert (first.forward, first.training) == (27, 2 * 27), "nothing before it trains"
    assert (second.forward, second.training) == (14, 3 * 14)
    assert (drop.forward, drop.training) == (0, 9), "compare, multiply, multiply the gradient"
    frozen = layers.Dense(3)
    frozen.trainable = False
    first, second = cost_of((4,), frozen, layers.Dense(2))
    assert (first.training, second.training) == (27, 2 * 14)


def test_traffic_is_the_least_number_of_bytes_moved(backend, layers):
    import keras

    from trivium.benchmarks.flops import count

    model = keras.Sequential([keras.Input((4,)), layers.Dense(3)])
    # Twice (forwards and for the weights) 4 inputs and 3 outputs of 4 bytes, and 15 weights over 5 samples.
    assert count(model, batch_size=5)[0].traffic == 2 * 4 * (4 + 3 + 15 / 5)


def test_nested_models_are_counted_and_unknown_layers_named(layers):
    import keras

    from trivium.benchmarks.flops import count, total

    inner = keras.Sequential([keras.Input((4,)), layers.Dense(3, use_bias=False)])
    costs = count(keras.Sequential([keras.Input((4,)), inner, layers.Lambda(lambda x: x, name="mine")]))
    assert total(costs)["forward"] == 24
    assert total(costs)["unknown"] == ["mine"]


def test_a_recipe_of_the_book(backend):
    """dense/one-hidden: an epoch of 12,800 images is 47 GFLOP, design and prototype agree."""
    from trivium.benchmarks.flops import count, total
    from trivium.models import recipe as recipes

    totals = total(count(recipes.find("dense/one-hidden")()))
    assert totals["forward"] == 2 * 784 * 784 + 784 + 784 + 2 * 784 * 10 + 10 + 50
    assert totals["unknown"] == []
    assert totals["training"] * 12_800 / 1e9 == pytest.approx(32, rel=0.02)


def test_every_layer_of_the_book_is_known(backend):
    from trivium.benchmarks.flops import count
    from trivium.models import recipe as recipes

    for name in ("cnn/striding-batchnorm", "rnn/time-distributed"):
        assert all(cost.known for cost in count(recipes.find(name)())), name
