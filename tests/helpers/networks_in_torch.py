"""Twelve networks as a person writes them in PyTorch; `networks_in_keras.py` has the same architectures in Keras.

Each function returns the module and its example inputs.
"""

import torch
from torch import nn
from torch.nn import functional


class Mlp(nn.Module):
    def __init__(self):
        super().__init__()
        self.hidden = nn.Linear(20, 32)
        self.second = nn.Linear(32, 16)
        self.out = nn.Linear(16, 3)

    def forward(self, x):
        x = functional.relu(self.hidden(x))
        x = torch.tanh(self.second(x))
        return self.out(x)


def mlp():
    return Mlp(), (torch.randn(4, 20),)


class LeNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, 6, 5, padding=2), nn.Tanh(), nn.AvgPool2d(2), nn.Conv2d(6, 16, 5), nn.Tanh(), nn.AvgPool2d(2)
        )
        self.classifier = nn.Sequential(
            nn.Flatten(), nn.Linear(400, 120), nn.Tanh(), nn.Linear(120, 84), nn.Tanh(), nn.Linear(84, 10)
        )

    def forward(self, x):
        return self.classifier(self.features(x))


def lenet():
    return LeNet(), (torch.randn(2, 1, 28, 28),)


class BasicBlock(nn.Module):
    def __init__(self, channels, filters, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, filters, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(filters)
        self.conv2 = nn.Conv2d(filters, filters, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(filters)
        self.shortcut = None
        if stride > 1 or channels != filters:
            self.shortcut = nn.Sequential(nn.Conv2d(channels, filters, 1, stride, bias=False), nn.BatchNorm2d(filters))

    def forward(self, x):
        y = functional.relu(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(y))
        return functional.relu(y + (x if self.shortcut is None else self.shortcut(x)))


class ResNet18(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 16, 7, 2, 3, bias=False)
        self.bn = nn.BatchNorm2d(16)
        blocks, channels = [], 16
        for filters, stride in ((16, 1), (32, 2), (64, 2), (128, 2)):
            blocks += [BasicBlock(channels, filters, stride), BasicBlock(filters, filters, 1)]
            channels = filters
        self.blocks = nn.Sequential(*blocks)
        self.fc = nn.Linear(128, 10)

    def forward(self, x):
        x = functional.max_pool2d(functional.relu(self.bn(self.conv(x))), 3, 2, 1)
        return self.fc(self.blocks(x).mean((2, 3)))


def resnet18():
    return ResNet18(), (torch.randn(2, 3, 64, 64),)


class InvertedResidual(nn.Module):
    def __init__(self):
        super().__init__()
        self.expand = nn.Sequential(nn.Conv2d(8, 48, 1, bias=False), nn.BatchNorm2d(48), nn.ReLU6())
        self.depthwise = nn.Sequential(
            nn.Conv2d(48, 48, 3, padding=1, groups=48, bias=False), nn.BatchNorm2d(48), nn.ReLU6()
        )
        self.project = nn.Sequential(nn.Conv2d(48, 8, 1, bias=False), nn.BatchNorm2d(8))

    def forward(self, x):
        return x + self.project(self.depthwise(self.expand(x)))


def mobilenet_block():
    return InvertedResidual(), (torch.randn(2, 8, 12, 12),)


def double_conv(channels, filters):
    return nn.Sequential(
        nn.Conv2d(channels, filters, 3, padding=1), nn.ReLU(), nn.Conv2d(filters, filters, 3, padding=1), nn.ReLU()
    )


class UNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.down1 = double_conv(1, 8)
        self.down2 = double_conv(8, 16)
        self.bottom = double_conv(16, 32)
        self.up2 = nn.ConvTranspose2d(32, 16, 2, 2)
        self.dec2 = double_conv(32, 16)
        self.up1 = nn.ConvTranspose2d(16, 8, 2, 2)
        self.dec1 = double_conv(16, 8)
        self.head = nn.Conv2d(8, 2, 1)

    def forward(self, x):
        first = self.down1(x)
        second = self.down2(functional.max_pool2d(first, 2))
        x = self.bottom(functional.max_pool2d(second, 2))
        x = self.dec2(torch.cat([second, self.up2(x)], 1))
        x = self.dec1(torch.cat([first, self.up1(x)], 1))
        return self.head(x)


def unet():
    return UNet(), (torch.randn(2, 1, 16, 16),)


class LstmTagger(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(50, 12)
        self.lstm = nn.LSTM(12, 10, batch_first=True, bidirectional=True)
        self.tags = nn.Linear(20, 5)

    def forward(self, tokens):
        states, _ = self.lstm(self.embedding(tokens))
        return self.tags(states)


def lstm_tagger():
    return LstmTagger(), (torch.randint(0, 50, (2, 7)),)


class GruForecaster(nn.Module):
    def __init__(self):
        super().__init__()
        self.gru = nn.GRU(3, 12, num_layers=2, batch_first=True)
        self.out = nn.Linear(12, 1)

    def forward(self, series):
        _, state = self.gru(series)
        return self.out(state[-1])


def gru_forecaster():
    return GruForecaster(), (torch.randn(2, 9, 3),)


class TransformerEncoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.tokens = nn.Embedding(40, 16)
        self.positions = nn.Parameter(torch.randn(1, 6, 16) * 0.02)
        block = nn.TransformerEncoderLayer(16, 4, 32, dropout=0.0, batch_first=True, norm_first=True)
        self.encoder = nn.TransformerEncoder(block, 2, nn.LayerNorm(16), enable_nested_tensor=False)
        self.classifier = nn.Linear(16, 3)

    def forward(self, tokens):
        x = self.encoder(self.tokens(tokens) + self.positions)
        return self.classifier(x.mean(1))


def transformer_encoder():
    return TransformerEncoder(), (torch.randint(0, 40, (2, 6)),)


class Attention(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)

    def forward(self, x):
        batch, length, width = x.shape
        qkv = self.qkv(x).reshape(batch, length, 3, self.heads, width // self.heads).permute(2, 0, 3, 1, 4)
        q, k, v = qkv.unbind(0)
        scores = (q @ k.transpose(-2, -1)) * (width // self.heads) ** -0.5
        x = scores.softmax(-1) @ v
        return self.proj(x.transpose(1, 2).reshape(batch, length, width))


class ViTBlock(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.norm1 = nn.LayerNorm(width, eps=1e-6)
        self.attention = Attention(width, heads)
        self.norm2 = nn.LayerNorm(width, eps=1e-6)
        self.mlp = nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width))

    def forward(self, x):
        x = x + self.attention(self.norm1(x))
        return x + self.mlp(self.norm2(x))


class ViT(nn.Module):
    def __init__(self):
        super().__init__()
        self.patches = nn.Conv2d(3, 24, 4, 4)
        self.positions = nn.Parameter(torch.randn(1, 16, 24) * 0.02)
        self.blocks = nn.ModuleList([ViTBlock(24, 3) for _ in range(3)])
        self.norm = nn.LayerNorm(24, eps=1e-6)
        self.head = nn.Linear(24, 5)

    def forward(self, x):
        x = self.patches(x).flatten(2).transpose(1, 2) + self.positions
        for block in self.blocks:
            x = block(x)
        return self.head(self.norm(x).mean(1))


def vit():
    return ViT(), (torch.randn(2, 3, 16, 16),)


class Vae(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = nn.Linear(30, 16)
        self.mean = nn.Linear(16, 4)
        self.log_variance = nn.Linear(16, 4)
        self.decoder = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 30), nn.Sigmoid())

    def forward(self, x):
        x = functional.relu(self.encoder(x))
        mean, log_variance = self.mean(x), self.log_variance(x)
        return self.decoder(mean), mean, log_variance


def vae():
    return Vae(), (torch.randn(2, 30),)


class Siamese(nn.Module):
    def __init__(self):
        super().__init__()
        self.tower = nn.Sequential(nn.Linear(10, 24), nn.ReLU(), nn.Linear(24, 8))
        self.score = nn.Linear(8, 1)

    def forward(self, left, right):
        return torch.sigmoid(self.score(torch.abs(self.tower(left) - self.tower(right))))


def siamese():
    return Siamese(), (torch.randn(2, 10), torch.randn(2, 10))


class Generator(nn.Module):
    def __init__(self):
        super().__init__()
        self.project = nn.Linear(16, 32 * 4 * 4)
        self.norm0 = nn.BatchNorm2d(32)
        self.up1 = nn.ConvTranspose2d(32, 16, 4, 2, 1, bias=False)
        self.norm1 = nn.BatchNorm2d(16)
        self.up2 = nn.ConvTranspose2d(16, 1, 4, 2, 1)

    def forward(self, z):
        x = self.project(z).view(-1, 32, 4, 4)
        x = functional.leaky_relu(self.norm0(x), 0.2)
        x = functional.leaky_relu(self.norm1(self.up1(x)), 0.2)
        return torch.tanh(self.up2(x))


def dcgan_generator():
    return Generator(), (torch.randn(2, 16),)
