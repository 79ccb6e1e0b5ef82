"""Models with layers that a user writes with `keras.ops`, one for each habit. `models()` imports Keras."""


def models():  # noqa: C901 - one class after the other
    """Return functions that build them, by name."""
    import keras
    from keras import ops

    class Scale(keras.layers.Layer):
        """Computes from its weight alone before it meets the input."""

        def build(self, shape):
            self.gamma = self.add_weight(shape=(shape[-1],), name="gamma")
            self.beta = self.add_weight(shape=(shape[-1],), name="beta")

        def call(self, x):
            return ops.softplus(self.gamma) * x + self.beta

    class Linear(keras.layers.Layer):
        def __init__(self, units, product):
            super().__init__()
            self.units, self.product = units, product

        def build(self, shape):
            self.w = self.add_weight(shape=(shape[-1], self.units), name="w")
            self.b = self.add_weight(shape=(self.units,), name="b")

        def call(self, x):
            return ops.relu(self.product(x, self.w) + self.b.value)

    class Listed(keras.layers.Layer):
        """Keeps weights and layers in lists and dictionaries."""

        def build(self, shape):
            self.factors = [self.add_weight(shape=(shape[-1],), name=f"factor_{n}") for n in range(2)]
            self.parts = {"a": keras.layers.Dense(4), "b": Scale()}
            for part in self.parts.values():
                part.build(shape)

        def call(self, x):
            return self.parts["b"](self.parts["a"](x * self.factors[0])) * self.factors[1]

    class Positions(keras.layers.Layer):
        """Calls a layer with a constant array."""

        def __init__(self, length, width):
            super().__init__()
            self.length = length
            self.tokens, self.places = keras.layers.Embedding(9, width), keras.layers.Embedding(length, width)

        def call(self, x):
            return self.tokens(x) + self.places(ops.arange(self.length))

    class Block(keras.layers.Layer):
        def __init__(self, width):
            super().__init__()
            self.attention = keras.layers.MultiHeadAttention(2, width // 2)
            self.dense = keras.Sequential([keras.layers.Dense(2 * width, activation="relu"), keras.layers.Dense(width)])
            self.norms = [keras.layers.LayerNormalization(), keras.layers.LayerNormalization()]
            self.dropout = keras.layers.Dropout(0.1)

        def call(self, x, training=None):
            x = self.norms[0](x + self.dropout(self.attention(x, x), training=training))
            return self.norms[1](x + self.dense(x))

    class Encoder(keras.layers.Layer):
        """Calls own layers of one class one after another."""

        def __init__(self):
            super().__init__()
            self.blocks = [Scaled(4), Scaled(3)]

        def call(self, x):
            for block in self.blocks:
                x = block(x)
            return ops.relu(x)

    class Scaled(keras.layers.Layer):
        def __init__(self, units):
            super().__init__()
            self.dense, self.scale = keras.layers.Dense(units), Scale()

        def call(self, x):
            return self.scale(self.dense(x))

    class Attention(keras.layers.Layer):
        def __init__(self, width, heads):
            super().__init__()
            self.width, self.heads = width, heads
            self.inputs = [keras.layers.Dense(width) for _ in range(3)]
            self.result = keras.layers.Dense(width)

        def divided(self, x, batch):
            x = ops.reshape(x, (batch, -1, self.heads, self.width // self.heads))
            return ops.transpose(x, (0, 2, 1, 3))

        def call(self, x):
            batch = ops.shape(x)[0]
            query, key, value = (self.divided(layer(x), batch) for layer in self.inputs)
            scores = ops.matmul(query, ops.transpose(key, (0, 1, 3, 2))) / (self.width // self.heads) ** 0.5
            mixed = ops.transpose(ops.matmul(ops.softmax(scores), value), (0, 2, 1, 3))
            return self.result(ops.reshape(mixed, (batch, -1, self.width)))

    class ClassToken(keras.layers.Layer):
        def __init__(self, repeated):
            super().__init__()
            self.repeated = repeated

        def build(self, shape):
            self.token = self.add_weight(shape=(1, 1, shape[-1]), name="token")

        def call(self, x):
            return ops.concatenate([self.repeated(self.token, ops.shape(x)[0]), x], axis=1)

    class Tied(keras.layers.Layer):
        """Answers with the table that it reads with."""

        def __init__(self):
            super().__init__()
            self.table, self.dense = keras.layers.Embedding(9, 4), keras.layers.Dense(4)

        def call(self, x):
            return ops.matmul(self.dense(self.table(x)), ops.transpose(self.table.embeddings))

    class Norms(keras.layers.Layer):
        def call(self, x):
            lengths = ops.norm(x, axis=-1, keepdims=True) + ops.norm(x, ord=1, axis=-1, keepdims=True)
            return ops.normalize(x, axis=-1) * lengths + ops.expand_dims(ops.logsumexp(x, axis=1), 1)

    class Gate(keras.layers.Layer):
        """Takes and returns several arrays, and has an own layer within it."""

        def __init__(self):
            super().__init__()
            self.dense, self.scale = keras.layers.Dense(4), Scale()

        def call(self, inputs):
            x, y = inputs
            return [self.scale(self.dense(x)) * y, x - y]

    class Average(keras.layers.Layer):
        """Keeps a number that only training changes."""

        def build(self, shape):
            self.seen = self.add_weight(shape=(shape[-1],), name="seen", trainable=False)

        def call(self, x, training=None):
            if training:
                self.seen.assign(ops.mean(x, axis=0))
            return x - self.seen

    class Patches(keras.layers.Layer):
        def call(self, x):
            patches = ops.image.extract_patches(x, 2)
            return ops.reshape(patches, (ops.shape(patches)[0], -1, patches.shape[-1]))

    class CutPositions(keras.layers.Layer):
        """Takes the first rows of a longer table of positions, as KerasHub's `PositionEmbedding`."""

        def build(self, shape):
            self.positions = self.add_weight(shape=(9, shape[-1]), name="positions")

        def call(self, x):
            table = ops.slice(ops.convert_to_tensor(self.positions), (1, 0), (x.shape[1], x.shape[2]))
            return x + ops.broadcast_to(table, ops.shape(x))

    class Moved(keras.layers.Layer):
        def call(self, x):
            chosen = ops.where(x > 0, x, ops.take(x, ops.array([1, 0, 3, 2]), axis=-1)) + ops.tril(ops.ones((4, 4)))[2]
            return ops.moveaxis(chosen, 1, 2)

    class CachedAttention(keras.layers.MultiHeadAttention):
        """Takes an argument that the method of Keras by which its shape is computed does not know, as KerasHub's."""

        def call(self, query, value, attention_mask=None, cache=None):
            return super().call(query, value, attention_mask=attention_mask)

    class Causal(keras.layers.Layer):
        """Makes a mask by the length of its input."""

        def build(self, shape):
            self.attention = CachedAttention(2, 2, dropout=0.1)
            self.attention.build(shape, shape)

        def call(self, x):
            batch, length, _ = ops.shape(x)
            places = ops.arange(length)
            mask = ops.broadcast_to((places[:, None] >= places)[None], (batch, length, length))
            return x + self.attention(x, x, attention_mask=mask, cache=None)

    class Masked(keras.layers.Layer):
        """Computes with a constant of truth values that is too long for a line."""

        def build(self, shape):
            self.scale = self.add_weight(shape=(shape[-1],), name="scale")

        def call(self, x):
            return ops.where(ops.arange(80) ** 2 % 7 < 3, x * self.scale, -1.0)

    class Shifted(keras.layers.Layer):
        def __init__(self, shape):
            super().__init__()
            self.shift_shape = shape

        def build(self, shape):
            self.shift = self.add_weight(shape=self.shift_shape, name="shift")

        def call(self, x):
            return ops.tanh(x + self.shift)

    class AttentionOperation(keras.layers.Layer):
        def call(self, x):
            heads = ops.reshape(x, (-1, 5, 2, 2))
            return ops.dot_product_attention(heads, heads, ops.tanh(heads))

    def of_any_length_within():
        x, y = keras.Input((None, 4)), keras.Input((5, 4))
        return keras.Model(y, keras.Model(x, Causal()(x))(y))

    def over(layer, *shapes, dtype="float32"):
        def build():
            inputs = [keras.Input(shape, dtype=dtype) for shape in shapes]
            taken = inputs if len(inputs) > 1 else inputs[0]
            return keras.Model(taken, layer()(taken))

        return build

    def of_three_ranks():
        x = y = keras.Input((2, 3, 4))
        for shape in ((2, 3, 4), (3, 4), (4,)):
            y = Shifted(shape)(y)
        return keras.Model(x, y)

    def called_twice():
        x, scale = keras.Input((4,)), Scale()
        return keras.Model(x, scale(scale(x)))

    return {
        "scale": over(Scale, (4,)),
        "matmul": over(lambda: Linear(3, ops.matmul), (5,)),
        "operator": over(lambda: Linear(3, lambda x, w: x @ w), (5,)),
        "dot": over(lambda: Linear(3, ops.dot), (2, 5)),
        "tensordot": over(lambda: Linear(3, lambda x, w: ops.tensordot(x, w, axes=[[2], [0]])), (2, 5)),
        "einsum": over(lambda: Linear(3, lambda x, w: ops.einsum("bti,io->bto", x, w)), (2, 5)),
        "listed": over(Listed, (4,)),
        "positions": over(lambda: Positions(5, 4), (5,), dtype="int32"),
        "block": over(lambda: Block(4), (5, 4)),
        "attention": over(lambda: Attention(8, 2), (5, 8)),
        "attention over any length": over(lambda: Attention(8, 2), (None, 8)),
        "class token, broadcast": over(
            lambda: ClassToken(lambda token, batch: ops.broadcast_to(token, (batch, 1, 4))), (5, 4)
        ),
        "class token, repeated": over(
            lambda: ClassToken(lambda token, batch: ops.repeat(token, batch, axis=0)), (5, 4)
        ),
        "class token, tiled": over(lambda: ClassToken(lambda token, batch: ops.tile(token, (batch, 1, 1))), (5, 4)),
        "cut positions": over(CutPositions, (5, 4)),
        "tied": over(Tied, (5,), dtype="int32"),
        "norms": over(Norms, (3, 4)),
        "gate": over(Gate, (4,), (4,)),
        "average": over(Average, (4,)),
        "patches": over(Patches, (6, 4, 3)),
        "moved": over(Moved, (3, 4)),
        "called twice": called_twice,
        "of three ranks": of_three_ranks,
        "encoder": over(Encoder, (4,)),
        "of any length within": of_any_length_within,
        "long mask": over(Masked, (80,)),
        "attention operation": over(AttentionOperation, (5, 4)),
    }


NAMES = (
    *("scale", "matmul", "operator", "dot", "tensordot", "einsum", "listed", "positions", "block", "attention"),
    *("attention over any length", "class token, broadcast", "class token, repeated", "class token, tiled", "tied"),
    *("norms", "gate", "average", "patches", "moved", "called twice", "cut positions"),
    *("encoder", "of three ranks"),
    *("of any length within", "attention operation", "long mask"),
)


def refused():
    """Return layers that cannot be traced, each with what the error says."""
    import keras
    from keras import ops

    class Odd(keras.layers.Layer):
        def compute_output_spec(self, x):
            return keras.KerasTensor(x.shape, x.dtype)

    class Sampling(Odd):
        def __init__(self):
            super().__init__()
            self.seed = keras.random.SeedGenerator(1)

        def call(self, x):
            return x + keras.random.normal(ops.shape(x), seed=self.seed)

    class Branching(Odd):
        def call(self, x):
            return x if ops.sum(x) > 0 else -x

    class Foreign(Odd):
        def call(self, x):
            return keras.ops.convert_to_tensor(keras.ops.convert_to_numpy(x) + 1)

    class Counting(Odd):
        def build(self, shape):
            self.count = self.add_weight(shape=(), name="count", trainable=False)

        def call(self, x):
            self.count.assign_add(1.0)
            return x

    class Constant(Odd):
        def call(self, x):
            return ops.ones((3, 4))

    return {
        Sampling: "draws random numbers whenever it is called",
        Branching: "Branching is not covered, and cannot be traced: ",
        Foreign: "Foreign is not covered, and cannot be traced: ",
        Counting: "changes its weight count whenever it is called",
        Constant: "Constant returns something that does not depend on what it is given",
    }
