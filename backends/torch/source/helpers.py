"""Classes that a written module contains where PyTorch has no layer that computes exactly the same as Keras."""

from __future__ import annotations

from .recurrent_helpers import RECURRENT_HELPERS

HELPERS = {
    "BatchNorm": '''
class BatchNorm(nn.Module):
    """Batch normalisation over axis 1.

    `nn.BatchNorm2d` updates its running variance with the unbiased variance of a batch;
    Keras uses the biased variance, by which it also divides.
    """

    running_mean: Tensor
    running_var: Tensor

    def __init__(
        self, channels: int, *, eps: float, momentum: float, frozen: bool = False
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))
        self.register_buffer("running_mean", torch.zeros(channels))
        self.register_buffer("running_var", torch.ones(channels))
        self.eps = eps
        self.momentum = momentum
        self.frozen = frozen

    def forward(self, x: Tensor) -> Tensor:
        mean, variance = self.running_mean, self.running_var
        if not self.training or self.frozen:
            return F.batch_norm(x, mean, variance, self.weight, self.bias, eps=self.eps)
        with torch.no_grad():
            axes = [axis for axis in range(x.dim()) if axis != 1]
            batch_variance, batch_mean = torch.var_mean(x, dim=axes, correction=0)
            mean.lerp_(batch_mean, self.momentum)
            variance.lerp_(batch_variance, self.momentum)
        return F.batch_norm(
            x, None, None, self.weight, self.bias, training=True, eps=self.eps
        )
''',
    "EinsumDense": '''
class EinsumDense(nn.Module):
    """A product with a kernel by an einsum equation, plus a bias."""

    def __init__(
        self, equation: str, kernel: tuple[int, ...], bias: tuple[int, ...] | None
    ) -> None:
        super().__init__()
        self.equation = equation
        self.weight = nn.Parameter(torch.empty(kernel))
        self.bias = None if bias is None else nn.Parameter(torch.empty(bias))

    def forward(self, x: Tensor) -> Tensor:
        result = torch.einsum(self.equation, x, self.weight)
        return result if self.bias is None else result + self.bias
''',
    "Normalization": '''
class Normalization(nn.Module):
    """Standardises by a mean and a variance that were measured before training."""

    mean: Tensor
    variance: Tensor

    def __init__(self, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(shape))
        self.register_buffer("variance", torch.ones(shape))

    def forward(self, x: Tensor) -> Tensor:
        return (x - self.mean) / self.variance.sqrt().clamp(min=1e-7)
''',
    "Denormalization": '''
class Denormalization(nn.Module):
    """Undoes `Normalization`: multiplies by the deviation and adds the mean."""

    mean: Tensor
    variance: Tensor

    def __init__(self, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(shape))
        self.register_buffer("variance", torch.ones(shape))

    def forward(self, x: Tensor) -> Tensor:
        return self.mean + x * self.variance.sqrt().clamp(min=1e-7)
''',
    "PReLU": '''
class PReLU(nn.Module):
    """Multiplies negative values by learnt slopes, one for each position."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(shape))

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(x) - self.weight * F.relu(-x)
''',
    "GaussianNoise": '''
class GaussianNoise(nn.Module):
    """Adds normal noise in training."""

    def __init__(self, stddev: float) -> None:
        super().__init__()
        self.stddev = stddev

    def forward(self, x: Tensor) -> Tensor:
        return x + self.stddev * torch.randn_like(x) if self.training else x
''',
    "GaussianDropout": '''
class GaussianDropout(nn.Module):
    """Multiplies by normal noise of mean 1 in training."""

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.stddev = (rate / (1 - rate)) ** 0.5

    def forward(self, x: Tensor) -> Tensor:
        return x * (1 + self.stddev * torch.randn_like(x)) if self.training else x
''',
    "SharedDropout": '''
class SharedDropout(nn.Module):
    """Dropout that drops or keeps all values along some axes together."""

    def __init__(self, rate: float, axes: tuple[int, ...]) -> None:
        super().__init__()
        self.rate = rate
        self.axes = axes

    def forward(self, x: Tensor) -> Tensor:
        shape = [1 if axis in self.axes else x.shape[axis] for axis in range(x.dim())]
        return x * F.dropout(x.new_ones(shape), self.rate, self.training)
''',
    **RECURRENT_HELPERS,
    "MultiHeadAttention": '''
class MultiHeadAttention(nn.Module):
    """Multi-head attention, also with fewer heads of keys and values than of queries.

    Takes query (batch, T, …), value and key (batch, S, …), and a mask (batch, T, S) that
    is true where attention is allowed; a query of which all keys are masked gets the
    mean of the values, or `zeros`. Returns (batch, T, …) and the scores
    (batch, heads, T, S).
    """

    def __init__(
        self,
        features: tuple[int, int, int],
        result: int,
        *,
        heads: int,
        key_heads: int,
        key_dim: int,
        value_dim: int,
        bias: bool,
        dropout: float,
    ) -> None:
        super().__init__()
        query, key, value = features
        self.query = nn.Linear(query, heads * key_dim, bias=bias)
        self.key = nn.Linear(key, key_heads * key_dim, bias=bias)
        self.value = nn.Linear(value, key_heads * value_dim, bias=bias)
        self.output = nn.Linear(heads * value_dim, result, bias=bias)
        self.heads = heads
        self.key_heads = key_heads
        self.dropout = dropout

    def forward(
        self,
        query: Tensor,
        value: Tensor,
        key: Tensor,
        mask: Tensor | None = None,
        causal: bool = False,
        zeros: bool = False,
    ) -> tuple[Tensor, Tensor]:
        q = self.query(query).unflatten(-1, (self.heads, -1)).transpose(1, 2)
        k = self.key(key).unflatten(-1, (self.key_heads, -1)).transpose(1, 2)
        v = self.value(value).unflatten(-1, (self.key_heads, -1)).transpose(1, 2)
        k = k.repeat_interleave(self.heads // self.key_heads, dim=1)
        v = v.repeat_interleave(self.heads // self.key_heads, dim=1)
        scores = q @ k.transpose(-1, -2) * q.shape[-1] ** -0.5
        masked = torch.zeros_like(scores, dtype=torch.bool)
        if causal:
            masked |= torch.ones_like(scores[0, 0], dtype=torch.bool).triu(1)
        if mask is not None:
            masked |= mask.logical_not()[:, None]
        scores = scores.masked_fill(masked, -1e9).softmax(dim=-1)
        scores = scores.masked_fill(masked, 0.0) if zeros else scores
        result = F.dropout(scores, self.dropout, self.training) @ v
        return self.output(result.transpose(1, 2).flatten(2)), scores
''',
    "Attention": '''
class Attention(nn.Module):
    """Dot-product or additive attention.

    Takes query (batch, T, d), value and key (batch, S, d). Returns (batch, T, d) and
    the scores (batch, T, S).
    """

    def __init__(self, mode: str, scale: tuple[int, ...] | None, dropout: float) -> None:
        super().__init__()
        self.mode = mode
        self.scale = None if scale is None else nn.Parameter(torch.ones(scale))
        self.weight = nn.Parameter(torch.ones(())) if mode == "concat" else None
        self.dropout = dropout

    def forward(
        self, query: Tensor, value: Tensor, key: Tensor, causal: bool = False
    ) -> tuple[Tensor, Tensor]:
        scale = 1.0 if self.scale is None else self.scale
        if self.mode == "dot":
            scores = scale * (query @ key.transpose(-1, -2))
        else:
            pairs = query.unsqueeze(-2) + key.unsqueeze(-3)
            if self.mode == "concat":
                scores = self.weight * torch.tanh(scale * pairs).sum(dim=-1)
            else:
                scores = (scale * torch.tanh(pairs)).sum(dim=-1)
        if causal:
            masked = torch.ones_like(scores[0], dtype=torch.bool).tril().logical_not()
            scores = scores - 1e9 * masked
        scores = F.dropout(scores.softmax(dim=-1), self.dropout, self.training)
        return scores @ value, scores
''',
    "same_padding": '''
def same_padding(
    x: Tensor, window: Sequence[int], strides: Sequence[int], value: float = 0.0
) -> Tensor:
    """Pad for ceil(length / stride) windows along the last axes, the odd one at the end."""
    widths: list[int] = []
    lengths = x.shape[-len(window) :]
    for length, size, stride in zip(lengths, window, strides, strict=True):
        total = max((-(-length // stride) - 1) * stride + size - length, 0)
        widths = [total // 2, total - total // 2, *widths]
    return F.pad(x, widths, value=value)
''',
    "run_masked": '''
def run_masked(
    layer: nn.Module, x: Tensor, mask: Tensor, states: Any = None
) -> tuple[Tensor, Any]:
    """Run a recurrent layer over (batch, time, features).

    Where the mask (batch, time) is false, a step changes nothing.
    """
    outputs = []
    for t in range(x.shape[1]):
        _, new = layer(x[:, t : t + 1], states)
        parts = new if isinstance(new, tuple) else (new,)
        old = states if isinstance(states, tuple) else (states,) * len(parts)
        after = tuple(
            torch.where(mask[:, t, None], n, torch.zeros_like(n) if o is None else o)
            for n, o in zip(parts, old, strict=True)
        )
        outputs.append(after[0][0])
        states = after if isinstance(new, tuple) else after[0]
    return torch.stack(outputs, dim=1), states
''',
}
