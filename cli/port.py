"""`trivium port`: move a trained model to another backend or format, and verify the result."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..engine.keras_model.loss_names import LOGITS, MARGINS, PROBABILITIES, VALUES
from .common import common_options, console, print_json, table, trust_option
from .progress import progress

if TYPE_CHECKING:
    from ..porting.port import PortReport
    from ..porting.quantization.result import Quantization

_SINGULAR = {PROBABILITIES: "probability", LOGITS: "logit", MARGINS: "margin", VALUES: "value"}
_IN_PROBABILITIES = {LOGITS: " ({} gives probabilities)"}


@click.command()
@click.argument("source", type=click.Path(path_type=Path))
@click.option(
    "--to",
    "target",
    required=True,
    metavar="TARGET",
    help="tensorflow, jax, torch; savedmodel, onnx, openvino, litert, torch-export; source:BACKEND; "
    "or keras, for a .pt2 or .onnx file.",
)
@click.option("--out", type=click.Path(path_type=Path), help="Output file or folder. Default: beside the source.")
@click.option(
    "--raw-inputs/--prepared-inputs",
    "raw_inputs",
    default=None,
    help="Whether the exported model takes raw data, such as pixels from 0 to 255, or data prepared as for training.  "
    "[default: raw where layers can prepare the data]",
)
@click.option(
    "--quantize",
    metavar="METHOD",
    help="Make an artifact of onnx, openvino or litert smaller: int8 (8-bit weights and activations), int8-dynamic "
    "(8-bit weights), float16.",
)
@click.option(
    "--max-drop",
    type=float,
    metavar="POINTS",
    help="The percentage points of accuracy that --quantize may lose on the test data; of values, of the RMS error "
    "relative to the spread of the targets.  [default: 0.5]",
)
@click.option(
    "--opset",
    type=click.IntRange(min=7),
    help="Version of the operators of an ONNX graph.  [default: that of the exporter]",
)
@click.option(
    "--converters",
    type=click.Path(path_type=Path),
    metavar="FILE.py",
    help="A file of yours that teaches layers (to source:BACKEND) or operators (to keras) by @trivium.converter. "
    "It is run.",
)
@trust_option
@common_options
@click.pass_context
def command(
    ctx: click.Context,
    source: Path,
    target: str,
    out: Path | None,
    raw_inputs: bool | None,
    quantize: str | None,
    max_drop: float | None,
    opset: int | None,
    converters: Path | None,
    as_json: bool,
) -> None:
    """Move a trained model to another backend or format, verified.

    A format may be source code. SOURCE is a run folder, a bundle file, or a Keras model file (.keras, .h5). A
    torch.export program (.pt2) or an ONNX graph (.onnx) can be ported --to keras: it becomes a Keras model that trains
    on any backend. If predictions differ, or --quantize loses too much, nothing is written and the exit code is 1. If
    rounding alone moves the model about as far, it is ill-conditioned: the port is written, and the figures are shown.

    \b
    Example:
      trivium port runs/digits --to jax
      trivium port runs/digits --to onnx --out digits.onnx
      trivium port runs/digits --to litert --quantize int8
      trivium port net.pt2 --to keras
    """
    from ..porting.port import port

    with progress(f"port to {target}") as listener:
        report = port(
            source,
            target,
            out,
            raw_inputs=raw_inputs,
            quantize=quantize,
            max_drop=max_drop,
            opset=opset,
            converters=converters,
            listener=listener,
        )
    if as_json:
        print_json(report.to_json())
    else:
        _show(report)
    if not report.passed:
        ctx.exit(1)


def _show(report: PortReport) -> None:
    screen = console()
    numbers = ("samples", "difference", "allowed", "same class")
    shown = table("inputs", "samples", "against", "difference", "allowed", "same class", right=numbers)
    for check in report.checks:
        difference, same = check.difference, "" if check.agreement is None else f"{check.agreement:.0%}"
        sizes = f"{difference.relative:.1e}", f"{check.tolerance:.0e}"
        shown.add_row(check.inputs, str(difference.samples), check.against, *sizes, same)
    for step in report.training:
        shown.add_row(step.what, "", step.backends[0], f"{step.difference:.1e}", f"{step.tolerance:.0e}", "")
    screen.print(shown)
    facts = report.facts
    for reason in facts.get("passed_over", ()):
        screen.print(f"passed over: {reason}")
    if facts.get("left_out"):
        screen.print(f"left out {', '.join(facts['left_out'])}: only training calls them")
    for tensor in facts.get("inputs", ()):
        screen.print(f"takes {_describe_tensor(tensor)}")
    outputs = facts.get("outputs", ())
    for tensor, kind in zip(outputs, facts.get("output_kinds", [VALUES] * len(outputs)), strict=True):
        screen.print(f"gives {_describe_tensor(tensor)}{_classes(facts.get('labels') or [], tensor, kind)}")
    if report.quantization:
        _show_quantization(report.quantization)
    screen.print(str(report))


def _show_quantization(result: Quantization) -> None:
    """Show the size, the latency and the scores of the artifact before and after quantising."""
    shown = table("", "before", result.method, right=("before", result.method))
    shown.add_row("bytes", *(f"{size:,}" for size in result.sizes))
    shown.add_row("ms per sample", *(f"{milliseconds:.3g}" for milliseconds in result.latencies))
    for score in result.scores:
        name = score.measure.replace("_", " ") + (f" of {score.output}" if len(result.scores) > 1 else "")
        shown.add_row(name, *(f"{value:.4g}" for value in (score.before, score.after)))
    screen = console()
    screen.print(shown)
    if result.calibration:
        screen.print(f"calibrated on {result.calibration}")
    screen.print(f"measured on {result.test}")
    if not result.is_smaller:
        screen.print(f"{result.method} makes this artifact no smaller: better leave --quantize out")


def _describe_tensor(tensor: dict[str, Any]) -> str:
    """Describe a tensor: `raw (any, 28, 28) uint8`."""
    shape = ", ".join("any" if length is None else str(length) for length in tensor["shape"])
    return f"{tensor['name']} ({shape}) {tensor['dtype']}"


def _classes(labels: list[str] | dict[str, list[str]], tensor: dict[str, Any], kind: str) -> str:
    """Name the classes whose probabilities, logits or values an output holds; empty for an output without classes."""
    names = labels.get(tensor["name"], []) if isinstance(labels, dict) else labels
    length = tensor["shape"][-1]
    if names and length == len(names):
        return f", the {kind} of {', '.join(names)}{_IN_PROBABILITIES.get(kind, '').format('softmax')}"
    if length == 1 and len(names) == 2:
        return f", the {_SINGULAR[kind]} of {names[1]}{_IN_PROBABILITIES.get(kind, '').format('sigmoid')}"
    return ""
