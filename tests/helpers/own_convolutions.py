"""Models of layers that call a convolution of `keras.ops` by weights of their own, or by what they compute of them."""


def models():
    """Return the builders of the models by name; Keras is imported first."""
    import keras
    import numpy as np
    from keras import ops

    class Convolution(keras.layers.Layer):
        """Calls a function of its input and of weights of these shapes."""

        def __init__(self, function, *shapes):
            super().__init__()
            self.function, self.shapes = function, shapes

        def build(self, shape):
            self.kernels = [
                self.add_weight(shape=shape, initializer="glorot_uniform", name=f"kernel_{index}")
                for index, shape in enumerate(self.shapes)
            ]
            super().build(shape)

        def call(self, x):
            return self.function(x, *self.kernels)

    def standardised(x, kernel):
        mean, spread = ops.mean(kernel, axis=(0, 1, 2), keepdims=True), ops.std(kernel, axis=(0, 1, 2), keepdims=True)
        return ops.relu(ops.conv(x, (kernel - mean) / (spread + 1e-3), strides=2, padding="same"))

    binomial = np.tile(np.outer([1, 2, 1], [1, 2, 1]).astype("float32")[:, :, None, None] / 16, (1, 1, 3, 1))

    def blurred(x):
        return ops.depthwise_conv(x, binomial, strides=2, padding="same")

    def modulated(x, kernel):
        styles = 1 + ops.mean(x, axis=(1, 2), keepdims=True)
        return ops.conv(x * styles, kernel, dilation_rate=(1, 2)) + x[:, 1:-1, 2:-2, :1]

    def over(shape, function, *shapes):
        def build():
            x = keras.Input(shape)
            return keras.Model(x, Convolution(function, *shapes)(x))

        return build

    def transposed(**options):
        return lambda x, kernel: ops.conv_transpose(x, kernel, **options)

    return {
        "standardised": over((7, 6, 3), standardised, (3, 2, 3, 4)),
        "of any size": over((None, None, 3), standardised, (3, 3, 3, 4)),
        "blurred": over((7, 6, 3), blurred),
        "modulated": over((6, 9, 3), modulated, (3, 3, 3, 4)),
        "one axis": over((9, 3), lambda x, k: ops.conv(x, k, padding="same", dilation_rate=2), (2, 3, 4)),
        "volumes": over((4, 5, 6, 2), lambda x, k: ops.conv(x, k, strides=(1, 2, 1), padding="same"), (2, 3, 2, 2, 4)),
        "depthwise": over((6, 6, 3), lambda x, k: ops.depthwise_conv(x, k, padding="same"), (3, 3, 3, 2)),
        "depthwise, one axis": over((8, 3), lambda x, k: ops.depthwise_conv(x, k, strides=2), (3, 3, 2)),
        "separable": over(
            (7, 6, 3),
            lambda x, k, p: ops.separable_conv(x, k, p, strides=2, padding="same"),
            *((3, 3, 3, 2), (1, 1, 6, 4)),
        ),
        "transposed": over((4, 5, 3), transposed(strides=2), (3, 3, 4, 3)),
        "transposed, same": over((4, 5, 3), transposed(strides=(2, 3), padding="same"), (3, 2, 4, 3)),
        "transposed, longer": over((4, 5, 3), transposed(strides=2, output_padding=1), (3, 3, 4, 3)),
        "transposed, one axis": over((5, 3), transposed(strides=3), (2, 4, 3)),
    }


NAMES = (
    *("standardised", "of any size", "blurred", "modulated", "one axis", "volumes", "depthwise"),
    *("depthwise, one axis", "separable", "transposed", "transposed, same", "transposed, longer"),
    "transposed, one axis",
)
