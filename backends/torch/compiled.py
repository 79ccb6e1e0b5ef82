"""Compile a captured step by PyTorch's Inductor, which fuses its operations into C++ and calls them from C++.

The first compilation takes from ten seconds to minutes; Inductor caches the result on disk. It needs a C++ compiler and
is used on CPUs only.
"""

from __future__ import annotations

import contextlib
import functools
import os
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch.fx import GraphModule, Interpreter
from torch.fx.experimental.proxy_tensor import make_fx

from ...errors import OutputError
from ...storage.user_cache import user_cache
from . import optimizers, portable_random

_CACHE = "TORCHINDUCTOR_CACHE_DIR"  # Inductor's own variable
# The host code in C++ spares the calls from Python; the shapes and strides of a step do not change.
_SETTINGS = {"cpp_wrapper": True, "size_asserts": False, "alignment_asserts": False}


def requirement() -> str:
    """Return what is missing for compiling a step, as a sentence, or an empty string."""
    if torch.cuda.is_available():
        return "steps are compiled on CPUs only"
    # Where Inductor looks for a compiler; to ask Inductor itself would import it, which takes seconds.
    compiler = os.environ.get("CXX", "clang++" if sys.platform == "darwin" else "g++")
    if shutil.which(compiler):
        return ""
    return f"there is no C++ compiler {compiler}: install it, or set CXX to another one"


def decompositions() -> dict[Any, Callable[..., Any]]:
    """Return our own operations in terms of PyTorch's, which Inductor can fuse."""
    ours = torch.ops.trivium
    return {
        ours.adam.default: optimizers.separate_adam,
        ours.random_bits.default: portable_random.separate_random_bits,
        ours.dropout_mask.default: portable_random.separate_dropout_mask,
    }


def compile_step(
    captured: GraphModule, batch: Sequence[torch.Tensor]
) -> tuple[Callable[[], torch.Tensor], Sequence[torch.Tensor]]:
    """Return a function that runs a captured step, and the tensors that hold its batch.

    Args:
        captured: a graph of ATen operations on one batch and on variables, which are its attributes.
        batch: example inputs.

    Raises:
        Exception: whatever PyTorch or the C++ compiler reports.
    """
    memory = [tensor.clone() for tensor in batch]
    module, variables = _lift_attributes(captured, memory)
    inputs = [*variables, *memory]
    with torch.no_grad(), _cache_folder():
        compiled = torch._inductor.standalone_compile(
            module, inputs, dynamic_shapes="from_example_inputs", options={"config_patches": _SETTINGS}
        )
    return functools.partial(compiled, *inputs), memory


def _lift_attributes(
    captured: GraphModule, batch: Sequence[torch.Tensor]
) -> tuple[GraphModule, Sequence[torch.Tensor]]:
    """Return a graph whose first inputs are the attributes of a captured one, and their values.

    Inductor writes into inputs, but not into attributes. The variables change, because the step runs once.
    """
    names = list(dict.fromkeys(str(node.target) for node in captured.graph.nodes if node.op == "get_attr"))
    variables = [getattr(captured, name).detach() for name in names]

    def step(*inputs: torch.Tensor) -> torch.Tensor:
        attributes = dict(zip(names, inputs[: len(names)], strict=True))
        return _WithAttributes(captured, attributes).run(*inputs[len(names) :])

    with torch.no_grad():
        return make_fx(step)(*variables, *batch), variables


class _WithAttributes(Interpreter):
    """Runs a graph with other values of its attributes."""

    def __init__(self, module: GraphModule, attributes: Mapping[str, torch.Tensor]):
        super().__init__(module)
        self._attributes = attributes

    def get_attr(self, target: Any, args: Any, kwargs: Any) -> torch.Tensor:
        return self._attributes[target]


@contextlib.contextmanager
def _cache_folder() -> Iterator[None]:
    """Within this context, Inductor caches in trivium's cache, unless the user has set a folder."""
    from torch._inductor.runtime.cache_dir_utils import default_cache_dir  # here, because importing Inductor is slow

    before, own = os.environ.get(_CACHE), _own_cache()
    if own is None or before not in (None, default_cache_dir()):  # Inductor sets the variable itself, to its default
        yield
        return
    os.environ[_CACHE] = str(own)
    try:
        yield
    finally:
        if before is None:
            del os.environ[_CACHE]
        else:
            os.environ[_CACHE] = before


def _own_cache() -> Path | None:
    """Return Inductor's folder in trivium's cache; None for an account without a home, where it has its own default."""
    try:
        return user_cache() / "inductor"
    except OutputError:
        return None
