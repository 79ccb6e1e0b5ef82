"""PyTorch modules that are rebuilt in Keras, by name, each with its example inputs."""

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812 - the usual name


def images(*shape):
    return (torch.randn(2, *(shape or (3, 12, 10))),)


class FunctionModule(nn.Module):
    """A module whose forward pass is a function, with layers as attributes."""

    def __init__(self, function, **layers):
        super().__init__()
        self.function = function
        for name, layer in layers.items():
            setattr(self, name, layer)

    def forward(self, *arrays):
        return self.function(self, *arrays)


class Residual(nn.Module):
    """A ResNet block: batch normalisation, a shortcut with a convolution, in-place activations."""

    def __init__(self, in_channels, out_channels, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, out_channels, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(out_channels)
        self.conv2 = nn.Conv2d(out_channels, out_channels, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(out_channels)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = None
        if stride != 1 or in_channels != out_channels:
            self.downsample = nn.Sequential(
                nn.Conv2d(in_channels, out_channels, 1, stride, bias=False), nn.BatchNorm2d(out_channels)
            )

    def forward(self, x):
        shortcut = x if self.downsample is None else self.downsample(x)
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        out += shortcut
        return self.relu(out)


class ResNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 8, 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(8)
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        self.layer1 = nn.Sequential(Residual(8, 8, 1), Residual(8, 8, 1))
        self.layer2 = nn.Sequential(Residual(8, 16, 2), Residual(16, 16, 1))
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(16, 5)

    def forward(self, x):
        x = self.maxpool(F.relu(self.bn1(self.conv1(x))))
        x = self.avgpool(self.layer2(self.layer1(x)))
        return self.fc(torch.flatten(x, 1))


class Transformer(nn.Module):
    """Token and learnt position embeddings, an encoder layer, and a head on its mean and first output."""

    def __init__(self):
        super().__init__()
        self.words = nn.Embedding(20, 16)
        self.places = nn.Parameter(torch.randn(1, 6, 16))
        self.first = nn.Parameter(torch.randn(1, 1, 16))
        self.encoder = nn.TransformerEncoderLayer(16, 4, 32, dropout=0.1, activation="gelu", batch_first=True)
        self.head = nn.Linear(16, 3)

    def forward(self, x):
        x = self.words(x) + self.places
        x = torch.cat([self.first.expand(x.shape[0], -1, -1), x], dim=1)
        x = self.encoder(x)
        return self.head(x[:, 0] + x.mean(dim=1))


class Tagger(nn.Module):
    """A recurrent layer with a dense head; returns the last states too."""

    def __init__(self, kind=nn.LSTM, **options):
        super().__init__()
        self.rnn = kind(4, 5, **options)
        self.head = nn.Linear(10 if options.get("bidirectional") else 5, 2)

    def forward(self, x):
        sequence, states = self.rnn(x)
        last = states[0] if isinstance(states, tuple) else states
        return self.head(sequence), last.transpose(0, 1)


def randomise(module, seed=0):
    """Return the module in eval mode with random batch statistics, scales and offsets."""
    generator = torch.Generator().manual_seed(seed)
    for layer in module.modules():
        if isinstance(layer, (nn.BatchNorm1d, nn.BatchNorm2d)):
            layer.running_mean.uniform_(-1, 1, generator=generator)
            layer.running_var.uniform_(0.5, 2, generator=generator)
            if layer.affine:
                nn.init.uniform_(layer.weight, 0.5, 1.5, generator=generator)
                nn.init.uniform_(layer.bias, -1, 1, generator=generator)
    return module.eval()


def cnn():
    return nn.Sequential(
        *(nn.Conv2d(3, 6, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 4, 3, stride=2, padding=1)),
        *(nn.BatchNorm2d(4), nn.Dropout(0.3), nn.Flatten(), nn.Linear(36, 10), nn.ReLU6(), nn.Linear(10, 3)),
    )


def sequences(*shape):
    return (torch.randn(2, *(shape or (7, 4))),)


def merged(m, x, y):
    z = torch.cat([x, y.unsqueeze(1).repeat(1, 3, 1)], dim=1)
    a, b, c = z.split([2, 1, 1], dim=1)
    return torch.stack([a.sum(1), b.squeeze(1), c[:, 0]], dim=1) * 2 - 1 / (1 + x[:, :1].abs())


def arithmetic(m, x):
    y = torch.where(x > 0.2, x.exp(), torch.sin(x)) + torch.clamp(x, -0.5, 0.5) ** 2
    y = torch.maximum(y, x / 3) - F.softplus(x) * F.mish(x) + F.hardswish(x) * F.hardsigmoid(x)
    y = y + F.elu(x, 0.7) + F.leaky_relu(x, 0.2) + F.gelu(x) + F.gelu(x, approximate="tanh") + F.selu(x) + F.silu(x)
    return F.log_softmax(y, dim=1) + F.softmax(y, dim=-1) + torch.erf(x) + F.celu(x)


def shapes(m, x):
    batch, channels, height, width = x.shape
    y = x.view(batch, channels, height * width).transpose(1, 2)
    y = m.norm(y).reshape(batch, height, width, channels).permute(0, 3, 1, 2)
    y = F.pad(y, (1, 2, 0, 1)).flip(3).roll(1, 2)
    return y[:, :, 1:-1, ::2].flatten(1, 2).unflatten(1, (channels, -1)).select(2, 0).amax(dim=-1)


def unusual_pools(m, x):
    return (
        F.avg_pool2d(x, 3, 2, padding=1),
        F.avg_pool2d(x, 3, 2, padding=1, count_include_pad=False),
        F.avg_pool2d(x, 3, 2, ceil_mode=True),
        F.max_pool2d(x, 2, 3, ceil_mode=True),
        F.adaptive_avg_pool2d(x, (4, 5)),
        F.adaptive_avg_pool2d(x, (3, 9)),
        F.adaptive_max_pool2d(x, (5, 3)),
        F.adaptive_max_pool2d(x, 1),
    )


MODULES = {
    "dense": lambda: (nn.Sequential(nn.Linear(5, 8), nn.Tanh(), nn.Linear(8, 3), nn.Softmax(-1)), images(5)),
    "cnn": lambda: (cnn(), images()),
    "resnet": lambda: (ResNet(), images(3, 32, 32)),
    "depthwise and groups": lambda: (
        nn.Sequential(
            nn.Conv2d(4, 8, 3, groups=4, padding=(0, 1)),
            nn.PReLU(8),
            nn.Conv2d(8, 6, 3, groups=2, dilation=2),
            nn.GroupNorm(3, 6),
            nn.InstanceNorm2d(6, affine=True),
        ),
        images(4, 12, 10),
    ),
    "along one axis": lambda: (
        nn.Sequential(nn.Conv1d(4, 6, 3, padding="same"), nn.BatchNorm1d(6), nn.MaxPool1d(2), nn.Conv1d(6, 2, 2, 2)),
        sequences(4, 12),
    ),
    "in space": lambda: (nn.Sequential(nn.Conv3d(2, 3, 3, padding=1), nn.AvgPool3d(2)), images(2, 4, 6, 4)),
    "autoencoder": lambda: (
        nn.Sequential(
            *(nn.Conv2d(1, 4, 4, 2, 1), nn.ReLU(), nn.ConvTranspose2d(4, 4, 4, 2, 1), nn.LeakyReLU(0.1)),
            *(nn.ConvTranspose2d(4, 4, 3, 2, 1, output_padding=1), nn.Upsample(scale_factor=2, mode="bilinear")),
            *(nn.ConvTranspose2d(4, 8, 2, 3), nn.PixelShuffle(2), nn.Upsample(scale_factor=2), nn.Sigmoid()),
        ),
        images(1, 8, 6),
    ),
    "decoder": lambda: (
        nn.Sequential(nn.Linear(4, 24), nn.Unflatten(1, (6, 2, 2)), nn.ConvTranspose2d(6, 2, 3), nn.Flatten()),
        images(4),
    ),
    "lstm": lambda: (Tagger(batch_first=True, num_layers=2, bidirectional=True), sequences()),
    "lstm, time first": lambda: (
        FunctionModule(lambda m, x: m.rnn(x.transpose(0, 1))[0][-1], rnn=nn.LSTM(4, 5)),
        sequences(),
    ),
    "gru": lambda: (Tagger(nn.GRU, batch_first=True, bidirectional=True), sequences()),
    "gru of several layers": lambda: (Tagger(nn.GRU, batch_first=True, num_layers=2, dropout=0.2), sequences()),
    "rnn": lambda: (Tagger(nn.RNN, batch_first=True, nonlinearity="relu", bias=False), sequences()),
    "transformer": lambda: (Transformer(), (torch.randint(0, 20, (2, 6)),)),
    "arithmetic": lambda: (FunctionModule(arithmetic), sequences()),
    "shapes": lambda: (FunctionModule(shapes, norm=nn.LayerNorm(3)), images()),
    "unusual pools": lambda: (FunctionModule(unusual_pools), images(3, 12, 10)),
    "merged": lambda: (FunctionModule(merged), (torch.randn(2, 1, 4), torch.randn(2, 4))),
    "shared": lambda: (
        FunctionModule(lambda m, x, y: m.dense(x) * m.dense(y) + m.scale, dense=nn.Linear(4, 4)),
        (*images(4), *images(4)),
    ),
}


def make_module(name):
    """Return a module by name, with random weights and in eval mode, and its example inputs."""
    torch.manual_seed(1)
    net, inputs = MODULES[name]()
    if name == "shared":
        net.scale = nn.Parameter(torch.randn(4))
    return randomise(net), inputs


def open_batch_shapes(net, inputs):
    shapes = torch.export.ShapesCollection()
    for array in inputs:
        shapes[array] = {0: torch.export.Dim.AUTO}
    return shapes.dynamic_shapes(net, inputs)


def export(name, path, batch="any"):
    """Write a module as a `torch.export` program; runs in a worker."""
    net, inputs = make_module(name)
    shapes = open_batch_shapes(net, inputs) if batch == "any" else None
    torch.export.save(torch.export.export(net, inputs, dynamic_shapes=shapes), path)


def export_onnx(name, path):
    """Write a module as an ONNX graph; runs in a worker."""
    net, inputs = make_module(name)
    shapes = open_batch_shapes(net, inputs)
    torch.onnx.export(net, inputs, path, dynamic_shapes=shapes, dynamo=True, external_data=False, verbose=False)
