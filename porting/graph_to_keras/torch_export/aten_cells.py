"""Translations of PyTorch's recurrent cells: each call is a layer over a sequence of one step."""

from __future__ import annotations

from collections.abc import Iterator

from ..foreign_graph import ForeignNode, Ref
from ..recurrent_form import recurrent
from .aten_arguments import Arguments, Translation


def _cell(kind: str) -> Translation:
    def translate(arguments: Arguments) -> Iterator[ForeignNode]:
        states = arguments("hx")
        states = states if isinstance(states, tuple) else (states,)
        biases = tuple(arguments(name) for name in ("b_ih", "b_hh") if arguments(name) is not None)
        weights = (arguments("w_ih"), arguments("w_hh"), *biases)
        name, operator = arguments.outputs[0], arguments.operator
        steps, starts = f"{name}_steps", [f"{name}_start_{place}" for place in range(len(states))]
        ends = [f"{name}_end_{place}" for place in range(len(states))]
        yield ForeignNode("unsqueeze", (arguments("input"),), (steps,), {"axes": (1,)}, operator)
        for state, start in zip(states, starts, strict=True):
            yield ForeignNode("unsqueeze", (state,), (start,), {"axes": (0,)}, operator)
        attributes = recurrent(
            kind, weights, layers=1, bidirectional=False, batch_first=True, bias=bool(biases), dropout=0
        )
        inputs = (Ref(steps), *map(Ref, starts))
        yield ForeignNode("recurrent", inputs, (f"{name}_sequence", *ends), attributes, operator)
        for end, output in zip(ends, arguments.outputs, strict=False):
            yield ForeignNode("squeeze", (Ref(end),), (output,), {"axes": (0,)}, operator)

    return translate


CELLS: dict[str, Translation] = {
    "lstm_cell.default": _cell("lstm"),
    "gru_cell.default": _cell("gru"),
    "rnn_tanh_cell.default": _cell("rnn_tanh"),
    "rnn_relu_cell.default": _cell("rnn_relu"),
}
