"""Bring trained weights of PyTorch into a Keras model that was written independently, and check its answers."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..backends import catalog
from ..backends.workers.worker import Listener
from ..errors import FileError, OptionError
from ..functions import is_file_function, load_function
from ..notebook.live import shows_progress
from ..storage.atomic import atomic_write, require_writable_file
from .compare import compare
from .report import ComparisonReport
from .sides import TORCH, kind_of

_PROGRAMS = "trivium.backends.torch.programs"


@shows_progress
def transfer(
    weights: str | Path,
    model: Any,
    like: Any,
    out: str | Path,
    *,
    known_pairs: Mapping[str, str] | str | Path | None = None,
    listener: Listener | None = None,
) -> ComparisonReport:
    """Write a Keras model with the trained weights of a PyTorch module of the same architecture.

    Args:
        weights: the module's state: a `.safetensors` file, or what `torch.save` wrote of a `state_dict`, of which only
            arrays are read.
        model: the Keras model: a recipe, a file, `path/to/file.py:function`, or the model itself.
        like: the module that the weights belong to, alone or with its example inputs, or the
            `path/to/file.py:function` that returns it. Its own weights are replaced.
        out: the `.keras` file to write. It is written only if both models answer and train the same.
        known_pairs: as for `compare`.
        listener: called with `{"kind": …, "stage": …}` events.

    Returns:
        The report of the comparison.

    Raises:
        OptionError: `like` is no module of PyTorch, or the models take other inputs.
        FileError: the weights cannot be read, or are not those of the module.
        OutputError: the file cannot be written.

    Example:
        >>> import torch
        >>> net = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.ReLU(), torch.nn.Linear(8, 3))
        >>> torch.save(net.state_dict(), "net.pt")
        >>> model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(8, "relu"), keras.layers.Dense(3)])
        >>> trivium.transfer("net.pt", model, (net, (torch.randn(2, 4),)), "trained.keras").passed
        True
    """
    catalog.require("torch")
    require_writable_file(Path(out))
    if not Path(weights).is_file():
        raise FileError(f"no file at {weights}")
    built = load_function(like)() if isinstance(like, str) and is_file_function(like) else like
    if kind_of(built) != TORCH:
        raise OptionError(f"{like} gives a {type(built).__name__}: transfer takes a module of PyTorch")
    load_function(f"{_PROGRAMS}:load_weights")(built[0] if isinstance(built, tuple) else built, Path(weights))
    with tempfile.TemporaryDirectory() as scratch:
        copied = Path(scratch) / "copied.keras"
        report = compare(built, model, copy=copied, known_pairs=known_pairs, listener=listener)
        if report.passed:
            with atomic_write(Path(out)) as temporary:
                shutil.copyfile(copied, temporary)
    return report
