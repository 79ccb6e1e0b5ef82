"""Converters: a user's functions that teach `port` a layer, an operator of PyTorch or ONNX, or a primitive of JAX.

A converter computes with `keras.ops` and Keras' layers what the layer or operator computes. So one function serves
every target and every backend, and the port is verified like any other: a converter that is wrong is found. Converters
come from a file that the user names, which is run; a model file or a network never brings one.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from ..errors import OptionError, PortError, RecipeError
from ..functions import load_file

LAYER = "layer"
# What a converter can be for, before the colon of its target.
KINDS = ("torch", "onnx", "jax", LAYER)
_EXAMPLES = 'a class of layers, "torch:aten.frac.default", "onnx:Celu" or "jax:erf_inv"'
_BY_FILE = "and `converters` (docs/porting.md)"
# The end of a refusal of layers of several classes.
TEACH_LAYER = f"; a layer can be taught by @trivium.converter {_BY_FILE}"


@dataclass(frozen=True)
class Converter:
    """A function that computes in Keras what a layer or an operator computes.

    Attributes:
        target: such as "torch:aten.frac.default", "onnx:Celu", "jax:erf_inv" or "layer:Scale".
        function: called with symbolic tensors.
    """

    target: str
    function: Callable[..., Any]

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        return self.function(*arguments, **named)

    @property
    def name(self) -> str:
        return getattr(self.function, "__name__", type(self.function).__name__)

    def convert(self, arguments: Mapping[str, Any], positional_count: int = 1) -> Any:
        """Call the function for an operator.

        Args:
            arguments: by the names that the operator has for them.
            positional_count: how many of the first arguments are passed by position, so that the function may name them
                as it likes; the others are passed by name.

        Raises:
            PortError: the function does not take an argument that the operator has.
        """
        positional = list(arguments.values())[:positional_count]
        named = dict(list(arguments.items())[positional_count:])
        parameters = inspect.signature(self.function).parameters
        takes_any = any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values())
        accepted = {name: value for name, value in named.items() if takes_any or name in parameters}
        if rejected := [name for name, value in named.items() if name not in accepted and value is not None]:
            raise PortError(f"the converter {self.name} takes no {', '.join(rejected)}: add it to its arguments")
        return self.function(*positional, **accepted)


Converters = Mapping[str, Converter]


def converter(target: Any) -> Callable[[Callable[..., Any]], Converter]:
    """Teach `port` a layer or an operator: decorate a function that computes the same with `keras.ops` and layers.

    Put it into a file of its own, and name the file: `trivium port … --converters FILE`, or `converters="FILE"` in
    `port`, `port_from_torch` and `port_from_jax`.

    Args:
        target: what the function computes, as the refusal of the port names it. A class of Keras layers: the function
            is called with the layer and the arguments of its `call`, and may use the layer's weights and settings.
            "torch:NAME", such as "torch:aten.frac.default": it is called with the operator's arguments, the first by
            position, the others by the names in PyTorch's schema. "onnx:NAME", or "onnx:DOMAIN.NAME": with the inputs,
            and the attributes by name. "jax:NAME", a primitive: with the arrays, and its parameters by name.

    Returns:
        A decorator. The function stays callable.

    Raises:
        OptionError: the target is none of these.

    Example:
        >>> @trivium.converter("torch:aten.frac.default")
        ... def frac(x):
        ...     return x - keras.ops.trunc(x)
        >>> float(frac(keras.ops.array(1.25)))
        0.25
    """
    if isinstance(target, type):
        target = layer_target(target)
    kind, _, name = target.partition(":") if isinstance(target, str) else ("", "", "")
    if kind not in KINDS or not name:
        raise OptionError(f"a converter is for {_EXAMPLES}; received {target!r}")

    def decorate(function: Callable[..., Any]) -> Converter:
        if not callable(function):
            raise OptionError(f"the converter of {target} is no function, received {type(function).__name__}")
        return Converter(target, function)

    return decorate


def layer_target(layer_class: type) -> str:
    """Return the target of a class of layers: an own class and one of Keras may have the same name."""
    is_keras_own = layer_class.__module__.partition(".")[0] == "keras"
    return f"{LAYER}:{'keras.' if is_keras_own else ''}{layer_class.__name__}"


def teach(target: str) -> str:
    """Return the end of a refusal: how a user teaches the port what it does not know."""
    return f'; teach it by @trivium.converter("{target}") {_BY_FILE}'


def resolve_file(converters: str | Path | None) -> str | None:
    """Return the absolute path of a user's file of converters; None without one.

    Raises:
        OptionError: there is no such file.
    """
    if converters is None:
        return None
    if not Path(converters).is_file():
        raise OptionError(f"`converters`: no file at {converters}")
    return str(Path(converters).resolve())


def load_converters(file: str | Path | None) -> dict[str, Converter]:
    """Run a user's file and return its converters by their targets; none without a file.

    Raises:
        OptionError: the file is missing, raises an error, has no converters, or has two for one target.
    """
    if file is None:
        return {}
    try:
        module = load_file(Path(file))
    except RecipeError as error:
        raise OptionError(f"`converters`: {error}") from error
    converters: dict[str, Converter] = {}
    for each in _converters_in(module):
        if converters.setdefault(each.target, each) is not each:
            raise OptionError(f"{file} has two converters of {each.target}: leave one out")
    if not converters:
        raise OptionError(f"{file} has no converters: decorate its functions by @trivium.converter(TARGET)")
    return converters


def register_converters(file: str, required: bool) -> bool:
    """Run a user's file in this worker, which registers the layers that it defines; return whether it has converters.

    Args:
        required: whether the user named it as a file of converters, so that `load_converters` must accept it.

    Raises:
        OptionError: it is required, and has no converters, or is refused for another reason.
        RecipeError: it is not required, and is missing or raises an error.
    """
    from ..backends import runtime

    runtime.current()
    return bool(load_converters(file) if required else _converters_in(load_file(Path(file))))


def _converters_in(module: ModuleType) -> list[Converter]:
    return [value for value in vars(module).values() if isinstance(value, Converter)]
