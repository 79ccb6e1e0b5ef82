"""Quick ways to call an ATen operation from Python: PyTorch's own functions, and those that write into given memory.

A call through `torch.ops` looks its operator up by way of a schema, which costs as much as a small operation itself.
"""

from __future__ import annotations

import functools
import types
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch

Function = Callable[..., Any]


# Operations that copy a tensor, also into another dtype or layout.
_COPIES = (torch.ops.aten.clone.default, torch.ops.aten._to_copy.default)


def quick(operation: Any) -> Function:
    """Return PyTorch's function or method of the same name as an ATen operation, or else the operation itself."""
    if not isinstance(operation, torch._ops.OpOverload) or operation.namespace != "aten":
        return operation  # type: ignore[no-any-return]
    name = operation._opname
    for function in (getattr(torch, name, None), getattr(torch.Tensor, name, None)):
        if isinstance(function, types.BuiltinFunctionType | types.MethodDescriptorType):
            return function
    return operation  # type: ignore[no-any-return]


def writer_into(
    operation: Any, arguments: Sequence[Any], keywords: Mapping[str, Any], result: torch.Tensor
) -> tuple[Function, torch.Tensor]:
    """Return a function that computes an operation's result into fixed memory, and the tensor there.

    Args:
        operation, arguments, keywords: a call that changes nothing.
        result: what the call returned.
    """
    memory = torch.empty_strided(result.shape, result.stride(), dtype=result.dtype, device=result.device)
    for function, name in _writers(operation):
        try:
            function(*arguments, **keywords, **{name: memory})
        except (TypeError, RuntimeError):  # this function takes other arguments
            continue
        if _has_same_bits(memory, result):
            return functools.partial(function, **{name: memory}), memory
    copy = _copy if operation in _COPIES else functools.partial(_copy_result, quick(operation))
    return functools.partial(copy, memory), memory.copy_(result)


def _copy(memory: torch.Tensor, source: torch.Tensor, **keywords: Any) -> None:
    memory.copy_(source)


def _copy_result(operation: Function, memory: torch.Tensor, *arguments: Any, **keywords: Any) -> None:
    memory.copy_(operation(*arguments, **keywords))


def _writers(operation: Any) -> list[tuple[Function, str]]:
    """Return functions that may write an operation's result into a tensor, with the keyword of the tensor.

    PyTorch's generated ones are left out: they only copy the result of the operation.
    """
    if not isinstance(operation, torch._ops.OpOverload) or operation.namespace != "aten":
        return []
    names = [argument.name for argument in operation._schema.arguments]
    overloads = [getattr(operation.overloadpacket, name) for name in operation.overloadpacket.overloads()]
    writers: list[tuple[Function, str]] = []
    for overload in overloads:
        outputs = [argument.name for argument in overload._schema.arguments if argument.is_out]
        others = [argument.name for argument in overload._schema.arguments if not argument.is_out]
        if len(outputs) == 1 and others == names and torch.Tag.generated not in overload.tags:
            writers.append((overload, outputs[0]))
    function = quick(operation)
    if writers and isinstance(function, types.BuiltinFunctionType):
        writers.insert(0, (function, "out"))
    return writers


def _has_same_bits(one: torch.Tensor, other: torch.Tensor) -> bool:
    return bool(one.shape == other.shape and torch.equal(_bits(one), _bits(other)))


def _bits(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.contiguous().reshape(-1).view(torch.uint8)
