"""Classes of recurrent layers that a written module contains where PyTorch has none that computes the same as Keras."""

from __future__ import annotations

RECURRENT_HELPERS = {
    "LSTM": '''
class LSTM(nn.Module):
    """An LSTM with activations or dropout that `nn.LSTM` does not have.

    Takes (batch, time, features). The gates are input, forget, cell, output.
    """

    def __init__(
        self,
        features: int,
        units: int,
        *,
        bias: bool,
        activation: Callable[[Tensor], Tensor],
        gate: Callable[[Tensor], Tensor],
        recurrent_dropout: float,
    ) -> None:
        super().__init__()
        self.weight_ih = nn.Parameter(torch.empty(4 * units, features))
        self.weight_hh = nn.Parameter(torch.empty(4 * units, units))
        self.bias = nn.Parameter(torch.empty(4 * units)) if bias else None
        self.units = units
        self.activation = activation
        self.gate = gate
        self.recurrent_dropout = recurrent_dropout

    def forward(
        self, x: Tensor, states: tuple[Tensor, Tensor] | None = None
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        zeros = x.new_zeros(x.shape[0], self.units)
        hidden, memory = (zeros, zeros) if states is None else (s[0] for s in states)
        mask = F.dropout(torch.ones_like(zeros), self.recurrent_dropout, self.training)
        outputs = []
        for step in F.linear(x, self.weight_ih, self.bias).unbind(1):
            gates = step + F.linear(hidden * mask, self.weight_hh)
            i, f, c, o = gates.chunk(4, dim=-1)
            memory = self.gate(f) * memory + self.gate(i) * self.activation(c)
            hidden = self.gate(o) * self.activation(memory)
            outputs.append(hidden)
        return torch.stack(outputs, dim=1), (hidden[None], memory[None])
''',
    "GRU": '''
class GRU(nn.Module):
    """A GRU with activations, dropout or a reset that `nn.GRU` does not have.

    Takes (batch, time, features). The gates are update, reset, new.
    """

    def __init__(
        self,
        features: int,
        units: int,
        *,
        bias: bool,
        activation: Callable[[Tensor], Tensor],
        gate: Callable[[Tensor], Tensor],
        recurrent_dropout: float,
        reset_after: bool,
    ) -> None:
        super().__init__()
        self.weight_ih = nn.Parameter(torch.empty(3 * units, features))
        self.weight_hh = nn.Parameter(torch.empty(3 * units, units))
        self.bias_ih = nn.Parameter(torch.empty(3 * units)) if bias else None
        both = bias and reset_after
        self.bias_hh = nn.Parameter(torch.empty(3 * units)) if both else None
        self.units = units
        self.activation = activation
        self.gate = gate
        self.recurrent_dropout = recurrent_dropout
        self.reset_after = reset_after

    def forward(self, x: Tensor, state: Tensor | None = None) -> tuple[Tensor, Tensor]:
        zeros = x.new_zeros(x.shape[0], self.units)
        hidden = zeros if state is None else state[0]
        mask = F.dropout(torch.ones_like(zeros), self.recurrent_dropout, self.training)
        outputs = []
        for step in F.linear(x, self.weight_ih, self.bias_ih).unbind(1):
            z, r, n = step.chunk(3, dim=-1)
            gates = F.linear(hidden * mask, self.weight_hh, self.bias_hh)
            hidden_z, hidden_r, hidden_n = gates.chunk(3, dim=-1)
            z, r = self.gate(z + hidden_z), self.gate(r + hidden_r)
            if self.reset_after:
                hidden_n = r * hidden_n
            else:
                weight = self.weight_hh[2 * self.units :]
                hidden_n = F.linear(r * hidden * mask, weight)
            hidden = z * hidden + (1 - z) * self.activation(n + hidden_n)
            outputs.append(hidden)
        return torch.stack(outputs, dim=1), hidden[None]
''',
    "SimpleRNN": '''
class SimpleRNN(nn.Module):
    """A simple RNN with an activation or dropout that `nn.RNN` does not have.

    Takes (batch, time, features).
    """

    def __init__(
        self,
        features: int,
        units: int,
        *,
        bias: bool,
        activation: Callable[[Tensor], Tensor],
        recurrent_dropout: float,
    ) -> None:
        super().__init__()
        self.weight_ih = nn.Parameter(torch.empty(units, features))
        self.weight_hh = nn.Parameter(torch.empty(units, units))
        self.bias = nn.Parameter(torch.empty(units)) if bias else None
        self.units = units
        self.activation = activation
        self.recurrent_dropout = recurrent_dropout

    def forward(self, x: Tensor, state: Tensor | None = None) -> tuple[Tensor, Tensor]:
        zeros = x.new_zeros(x.shape[0], self.units)
        hidden = zeros if state is None else state[0]
        mask = F.dropout(torch.ones_like(zeros), self.recurrent_dropout, self.training)
        outputs = []
        for step in F.linear(x, self.weight_ih, self.bias).unbind(1):
            hidden = self.activation(step + F.linear(hidden * mask, self.weight_hh))
            outputs.append(hidden)
        return torch.stack(outputs, dim=1), hidden[None]
''',
    "ConvLSTM": '''
class ConvLSTM(nn.Module):
    """A convolutional LSTM over the gates of its inputs: input, forget, cell, output.

    Takes (batch, time, 4 * filters, …).
    """

    def __init__(
        self,
        filters: int,
        window: tuple[int, ...],
        *,
        bias: bool,
        activation: Callable[[Tensor], Tensor],
        gate: Callable[[Tensor], Tensor],
    ) -> None:
        super().__init__()
        convolution = (nn.Conv1d, nn.Conv2d, nn.Conv3d)[len(window) - 1]
        self.recurrent = convolution(
            filters, 4 * filters, window, padding="same", bias=bias
        )
        self.activation = activation
        self.gate = gate

    def forward(
        self, gates: Tensor, states: tuple[Tensor, Tensor] | None = None
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        zeros = torch.zeros_like(gates[:, 0].chunk(4, dim=1)[0])
        hidden, memory = (zeros, zeros) if states is None else states
        outputs = []
        for step in gates.unbind(1):
            i, f, c, o = (step + self.recurrent(hidden)).chunk(4, dim=1)
            memory = self.gate(f) * memory + self.gate(i) * self.activation(c)
            hidden = self.gate(o) * self.activation(memory)
            outputs.append(hidden)
        return torch.stack(outputs, dim=1), (hidden, memory)
''',
}
