"""Models drawn at random whose names try to become code, and whose numbers are extreme; `drawn(seed)` returns one.

A name that were executed would write a file `OWNED`.
"""

import numpy as np
from late_module import LateModule

keras, layers, ops = (LateModule(name) for name in ("keras", "keras.layers", "keras.ops"))

CODE = 'open("OWNED", "w")'
NAMES = (
    f"x\n{CODE}",
    f"x\r\n    {CODE}",
    f"x\u2028{CODE}",
    f'"; {CODE} #',
    f"'; {CODE.replace(chr(34), chr(39))} #",
    f'""" + str({CODE}) + """',
    f"'''\n{CODE}\n'''",
    f"{{{CODE}}}",
    f"\\\n{CODE}",
    f"){CODE}(",
    f"@{CODE}",
    "\\N{BULLET}\\x",
    "\\",
    "%s %(x)d ${x} {0}",
    "\x00",
    "\x1b[31m",
    "\u202e\u2066",
    "\ud800",
    "# type: ignore",
    "-*- coding: utf-7 -*-",
    *("class", "None", "True", "match", "self", "super", "len", "print", "open", "__init__", "__class__", "_"),
    *("nn", "torch", "jax", "jnp", "tf", "np", "keras", "F", "functional", "Tensor", "Array", "Path", "math"),
    *("x", "y", "weights", "params", "inputs", "outputs", "forward", "call", "apply", "predict", "training", "state"),
    *("a b", "a-b", "a.b", "a_b", "A B", "a  b", "layer_1", "layer 1", "1", "1.5e3", " ", "-"),
    *("é", "ﬁ", "ﬁn", "ª", "数", "x" * 250, "..", "<script>", "con", "model", "Model", "Block", "Residual"),
)
NUMBERS = (0.0, -0.0, 1.0, -1.0, 1e-7, 3e-38, 1e-45, 0.1, 1 / 3, -2.5, 1e4, 65504.0, 16777217.0)
ACTIVATIONS = ("relu", "tanh", "silu", "gelu", "elu", "sigmoid", "softplus", "hard_sigmoid", "linear", "softmax")
VECTOR, SEQUENCE, PICTURE = (4,), (5, 4), (6, 6, 3)


class Drawing:
    """A model that is being drawn: the tensors so far, by shape."""

    def __init__(self, seed):
        self.generator = np.random.default_rng(seed)
        self.used = set()
        self.tensors = {shape: [] for shape in (VECTOR, SEQUENCE, PICTURE)}

    def one_of(self, values):
        return values[int(self.generator.integers(len(values)))]

    def name(self):
        """Return a name that no layer has yet: Keras asks for that."""
        name = self.one_of(NAMES)
        if keras.backend.backend() == "torch":
            name = name.replace(".", "·")  # Keras makes modules of PyTorch, which take no dots in names
        if keras.backend.backend() == "tensorflow":
            name = name.replace("\ud800", "\ufffd")  # its variables have names in UTF-8
        while name in self.used:
            name += self.one_of((" ", "_", "\n", "'", '"', "1"))
        self.used.add(name)
        return name

    def number(self):
        return self.one_of(NUMBERS)

    def some(self, shape):
        """Return a tensor of this shape."""
        return self.one_of(self.tensors[shape])

    def add(self, shape, tensor):
        assert tuple(tensor.shape[1:]) == shape, (shape, tensor.shape)
        self.tensors[shape].append(tensor)

    def step(self):
        """Add a layer or an operation on some tensor."""
        shape = self.one_of([shape for shape, tensors in self.tensors.items() if tensors])
        makers = [*ANY, *OF_SHAPE[shape]]
        self.add(shape, self.one_of(makers)(self, self.some(shape)))


def constant(drawing, shape):
    values = drawing.generator.normal(size=shape)
    values.flat[:: int(drawing.generator.integers(2, 5))] = drawing.number()
    return values.astype("float32")


ANY = [
    lambda d, x: layers.Activation(d.one_of(ACTIVATIONS), name=d.name())(x),
    lambda d, x: layers.Dense(x.shape[-1], activation=d.one_of(ACTIVATIONS), name=d.name())(x),
    lambda d, x: layers.Dropout(0.5, name=d.name())(x),
    lambda d, x: layers.LeakyReLU(negative_slope=abs(d.number()), name=d.name())(x),
    lambda d, x: layers.ReLU(max_value=abs(d.number()), threshold=abs(d.number()), name=d.name())(x),
    lambda d, x: layers.Rescaling(d.number(), offset=d.number(), name=d.name())(x),
    lambda d, x: layers.BatchNormalization(epsilon=abs(d.number()) + 1e-7, name=d.name())(x),
    lambda d, x: layers.LayerNormalization(epsilon=1e-3, name=d.name())(x),
    lambda d, x: layers.Add(name=d.name())([x, d.some(tuple(x.shape[1:]))]),
    lambda d, x: layers.Maximum(name=d.name())([x, d.some(tuple(x.shape[1:]))]),
    lambda d, x: x * d.number(),
    lambda d, x: d.number() - x,
    lambda d, x: x + constant(d, x.shape[1:]),
    lambda d, x: ops.tanh(x) / (ops.abs(d.some(tuple(x.shape[1:]))) + 0.5),
    lambda d, x: ops.clip(x, -abs(d.number()), 1.5),
    lambda d, x: ops.where(x > d.number(), x, constant(d, x.shape[1:])),
]
OF_SHAPE = {
    VECTOR: [
        lambda d, x: layers.Reshape((4,), name=d.name())(layers.RepeatVector(1, name=d.name())(x)),
        lambda d, x: ops.concatenate([x[:, 2:], x[:, :2]], axis=1),
    ],
    SEQUENCE: [
        lambda d, x: layers.LSTM(4, return_sequences=True, name=d.name())(x),
        lambda d, x: layers.GRU(4, return_sequences=True, name=d.name())(x),
        lambda d, x: layers.Conv1D(4, 3, padding=d.one_of(("same", "causal")), name=d.name())(x),
        lambda d, x: layers.MultiHeadAttention(2, 2, name=d.name())(x, d.some(SEQUENCE)),
        lambda d, x: layers.TimeDistributed(layers.Dense(4, name=d.name()), name=d.name())(x),
        lambda d, x: ops.flip(x, axis=1),
    ],
    PICTURE: [
        lambda d, x: layers.Conv2D(3, 3, padding="same", activation=d.one_of(ACTIVATIONS), name=d.name())(x),
        lambda d, x: layers.DepthwiseConv2D(3, padding="same", name=d.name())(x),
        lambda d, x: layers.MaxPooling2D(3, strides=1, padding="same", name=d.name())(x),
        lambda d, x: layers.UpSampling2D(2, name=d.name())(layers.AveragePooling2D(2, name=d.name())(x)),
        lambda d, x: layers.Cropping2D(1, name=d.name())(layers.ZeroPadding2D(1, name=d.name())(x)),
    ],
}
VECTOR_OF = {
    VECTOR: lambda d, x: x,
    SEQUENCE: lambda d, x: layers.LSTM(4, name=d.name())(x),
    PICTURE: lambda d, x: layers.Dense(4, name=d.name())(layers.Flatten(name=d.name())(x)),
}


def drawn(seed):
    """Return a model of one to three inputs, up to fourteen steps, and one to three outputs."""
    drawing = Drawing(seed)
    shapes = [drawing.one_of((VECTOR, SEQUENCE, PICTURE)) for _ in range(drawing.generator.integers(1, 4))]
    inputs = [keras.Input(shape, name=drawing.name()) for shape in shapes]
    for shape, tensor in zip(shapes, inputs, strict=True):
        drawing.add(shape, tensor)
    for _ in range(drawing.generator.integers(3, 15)):
        drawing.step()
    ends = [VECTOR_OF[shape](drawing, tensors[-1]) for shape, tensors in drawing.tensors.items() if tensors]
    return keras.Model(inputs if len(inputs) > 1 else inputs[0], ends, name=drawing.name())
