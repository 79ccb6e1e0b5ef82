"""The ways to quantise an artifact, the formats that have a tool for them, and the packages that this tool needs.

Each format's own project has the tool. Nothing is quantised here by hand.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from ...errors import OptionError, PortError
from ...functions import suggest
from ..targets import Package
from . import litert_model, onnx_graph, openvino_model
from .names import FLOAT16 as FLOAT16
from .names import INT8 as INT8
from .names import INT8_DYNAMIC as INT8_DYNAMIC
from .names import METHODS as METHODS

# Percentage points.
DEFAULT_MAX_DROP = 0.5
_WORST_DROP = 100.0
_NNCF = Package("nncf", "nncf")


@dataclass(frozen=True)
class QuantizationTool:
    """The tool that quantises artifacts of a format.

    Attributes:
        function: writes the quantised artifact; it runs in the worker of the host (see `onnx_graph.quantize`).
        packages: the packages that a method needs beside those of the format.
    """

    function: Callable[..., dict[str, str]]
    packages: Mapping[str, tuple[Package, ...]] = field(default_factory=dict)


TOOLS = {
    "onnx": QuantizationTool(onnx_graph.quantize),
    "openvino": QuantizationTool(openvino_model.quantize, {INT8: (_NNCF,), INT8_DYNAMIC: (_NNCF,)}),
    "litert": QuantizationTool(litert_model.quantize),
}


@dataclass(frozen=True)
class QuantizationOptions:
    """How to quantise an artifact.

    Attributes:
        method: `int8`, `int8-dynamic` or `float16`.
        max_drop: the percentage points of accuracy that may be lost.
    """

    method: str
    max_drop: float


def resolve_options(target: str, method: str | None, max_drop: float | None) -> QuantizationOptions | None:
    """Return how to quantise the artifact of a target; None if it is not to be quantised.

    Raises:
        OptionError: there is no such method, or the drop is no number of percentage points; or no method, and a drop.
        PortError: no tool quantises this target, or the tool is not installed.
    """
    if method is None:
        if max_drop is not None:
            raise OptionError("`max_drop` limits what quantising may lose: add `quantize`, or leave it out")
        return None
    if method not in METHODS:
        raise OptionError(
            f"`quantize` {method!r} is no method{suggest(method, list(METHODS))}: choose one of {', '.join(METHODS)}"
        )
    max_drop = DEFAULT_MAX_DROP if max_drop is None else max_drop
    if not 0 <= max_drop <= _WORST_DROP:
        raise OptionError(f"`max_drop` must be from 0 to 100 percentage points, received {max_drop:g}")
    if target not in TOOLS:
        raise PortError(f"a port to {target} cannot be quantised: port to {', '.join(TOOLS)}, or leave `quantize` out")
    _require_packages(target, method)
    return QuantizationOptions(method, max_drop)


def _require_packages(target: str, method: str) -> None:
    packages = TOOLS[target].packages.get(method, ())
    missing = [package.distribution for package in packages if not package.installed]
    if missing:
        raise PortError(
            f"a port to {target} in {method} needs {' and '.join(missing)}, not installed here; "
            "run: pip install 'trivium[quantize]'"
        )
