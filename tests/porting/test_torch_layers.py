"""Layers of PyTorch that take more than one layer or weight of Keras: each answers and trains as in PyTorch."""

import pytest

import trivium

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402


class OverSteps(nn.Module):
    """Calls a cell at three steps, from zeros."""

    def __init__(self, cell):
        super().__init__()
        self.cell, self.head = cell, nn.Linear(5, 2)

    def forward(self, x):
        zeros = x.new_zeros(x.shape[0], 5)
        state = (zeros, zeros) if isinstance(self.cell, nn.LSTMCell) else zeros
        for step in range(3):
            state = self.cell(x[:, step], state)
        return self.head(state[0] if isinstance(state, tuple) else state)


class Attention(nn.Module):
    """Attends from one array to others."""

    def __init__(self, **sizes):
        super().__init__()
        self.attention, self.head = nn.MultiheadAttention(8, 2, batch_first=True, **sizes), nn.Linear(8, 3)

    def forward(self, query, key, value):
        return self.head(self.attention(query, key, value)[0])


class Resized(nn.Module):
    def __init__(self, **options):
        super().__init__()
        self.resize, self.conv = nn.Upsample(mode="nearest-exact", **options), nn.Conv2d(3, 2, 1)

    def forward(self, x):
        return self.conv(self.resize(x))


def drawn(*shapes):
    torch.manual_seed(1)
    return tuple(torch.randn(shape) for shape in shapes)


SERIES, PICTURES = drawn((4, 3, 4)), drawn((2, 4, 5, 6))
LAYERS = {
    "lstm cell": (lambda: OverSteps(nn.LSTMCell(4, 5)), SERIES),
    "gru cell": (lambda: OverSteps(nn.GRUCell(4, 5)), SERIES),
    "relu cell without biases": (lambda: OverSteps(nn.RNNCell(4, 5, bias=False, nonlinearity="relu")), SERIES),
    "transposed in groups": (lambda: nn.ConvTranspose2d(4, 6, 3, stride=(2, 3), groups=2, padding=1), PICTURES),
    "transposed in groups, cropped": (lambda: nn.ConvTranspose2d(4, 4, 1, stride=2, padding=1, groups=2), PICTURES),
    "transposed by channel": (
        lambda: nn.ConvTranspose2d(4, 4, 3, stride=2, padding=1, output_padding=1, groups=4, bias=False),
        PICTURES,
    ),
    "transposed in groups, dilated": (lambda: nn.ConvTranspose1d(4, 6, 3, dilation=2, groups=2), drawn((2, 4, 7))),
    "cross-attention": (lambda: Attention(), drawn((2, 3, 8), (2, 5, 8), (2, 5, 8))),
    "cross-attention of other sizes": (lambda: Attention(kdim=6, vdim=5), drawn((2, 3, 8), (2, 5, 6), (2, 5, 5))),
    "decoder": (lambda: nn.TransformerDecoderLayer(8, 2, 16, batch_first=True), drawn((2, 3, 8), (2, 5, 8))),
    "nearest-exact": (lambda: Resized(scale_factor=1.5), drawn((2, 3, 5, 6))),
}


@pytest.mark.parametrize("name", LAYERS)
def test_a_layer_is_rebuilt_and_trained_the_same(backend, shared_worker, tmp_path, name):
    make, inputs = LAYERS[name]
    torch.manual_seed(0)
    report = trivium.port_from_torch(make(), inputs, tmp_path / "net.keras")
    assert report.passed, report.to_json()
    (step,) = report.training
    assert step.passed
    if name == "lstm cell":  # one layer for all steps
        import keras

        model = keras.saving.load_model(report.artifact)
        assert sum(isinstance(layer, keras.layers.LSTM) for layer in model.layers) == 1


def test_a_transposed_convolution_in_groups_over_an_open_length_is_refused(backend):
    import keras

    from trivium.porting.graph_to_keras.builder import UnsupportedNodeError
    from trivium.porting.graph_to_keras.stuffing import with_zeros_between

    with pytest.raises(UnsupportedNodeError, match="over an open length is not covered"):
        with_zeros_between(keras.Input((None, 4)), (2,), ((0, 0),))
