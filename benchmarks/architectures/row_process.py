"""The process of one architecture: builds it, ports it to one column after the other, and writes a line for each.

A process of its own frees the memory of the row, and a crash or a port that hangs ends no other row (see `measure.py`).
"""

from __future__ import annotations

import functools
import importlib
import json
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ...backends import catalog
from ...backends.workers import worker
from ...errors import TriviumError, WorkerError, first_line
from ...functions import load_function
from ...porting import targets
from ...porting.port import port, port_from_torch
from ...porting.report import PortReport
from .catalog import MODELS, Architecture, find
from .cell import REFUSED, Cell

BUILT = "built"
_MODEL = "model.keras"
_REASON_CHARACTERS = 600


def main(title: str, folder: str, columns: Sequence[str]) -> None:
    """Port one row, and write a JSON object a line to the standard output: first `BUILT`, then the cells."""
    output = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever is printed goes to the log
    row = find(title)
    ports = _model_ports if row.family.kind == MODELS else _module_ports
    for message in ports(row, columns, Path(folder)):
        print(json.dumps(message), file=output, flush=True)


# --- Keras models ---------------------------------------------------------------------------------------------------


def _model_ports(row: Architecture, columns: Sequence[str], folder: Path) -> Iterator[dict[str, Any]]:
    path, start = folder / _MODEL, time.perf_counter()
    if row.family.package:  # its classes are known then in every worker, and need no `--trust`
        for backend in catalog.trainers():
            worker.get(backend.name).call(import_builder, f"{__package__}.{row.family.module}")
    _write(row, path)
    yield {BUILT: time.perf_counter() - start}
    for column in columns:
        yield _cell(row, column, functools.partial(port, path, column)).to_json()
        _remove_all_but(path, folder)


def _write(row: Architecture, path: Path) -> None:
    """Write a model by the first backend on which Keras builds it: NASNet is refused under PyTorch."""
    refusal: WorkerError | None = None
    for backend in reversed(catalog.trainers()):
        try:
            worker.get(backend.name).call(write_model, f"{__package__}.{row.family.module}", row.name, str(path))
            return
        except WorkerError as error:
            refusal = refusal or error
    raise refusal or WorkerError(f"no backend builds {row.name}")


def import_builder(module: str) -> None:
    """Import the module that builds the models of a family, and with it their classes; runs in a worker."""
    importlib.import_module(module)


def write_model(module: str, name: str, path: str) -> None:
    """Build a model with random weights, and write it into a file; runs in a worker."""
    from ...backends import runtime
    from ...engine.keras_model.model_bytes import keras_bytes
    from .random_weights import randomize_model

    runtime.current()
    model = importlib.import_module(module).build(name)
    randomize_model(model)
    Path(path).write_bytes(keras_bytes(model))


def _remove_all_but(path: Path, folder: Path) -> None:
    for each in folder.iterdir():
        if each == path:
            continue
        if each.is_dir():
            shutil.rmtree(each)
        else:
            each.unlink()


# --- PyTorch modules ------------------------------------------------------------------------------------------------


def _module_ports(row: Architecture, columns: Sequence[str], folder: Path) -> Iterator[dict[str, Any]]:
    start = time.perf_counter()
    module, inputs = load_function(f"{__package__}.{row.family.module}:build")(row.name)
    load_function(f"{__package__}.torch.random_weights:randomize_module")(module, inputs)
    module.eval()
    yield {BUILT: time.perf_counter() - start}
    for column in columns:
        os.environ[catalog.BACKEND_VARIABLE] = column.removeprefix(f"{targets.KERAS} on ")
        yield _cell(row, column, lambda: _rebuild(module, inputs, folder / _MODEL)).to_json()


def _rebuild(module: Any, inputs: tuple[Any, ...], path: Path) -> PortReport:
    """Rebuild a module in Keras; for its answers alone if Keras would train it otherwise."""
    report = port_from_torch(module, inputs, path)
    if report.training and not report.passed:
        facts = {"training_not_compared": "Keras trains it otherwise: `inference_only=True` was needed"}
        alone = port_from_torch(module, inputs, path, inference_only=True)
        return replace(alone, facts={**alone.facts, **facts})
    return report


def _cell(row: Architecture, column: str, make: Callable[[], PortReport]) -> Cell:
    start = time.perf_counter()
    try:
        report = make()
    except TriviumError as error:
        seconds = time.perf_counter() - start
        return Cell(row.title, column, REFUSED, seconds=seconds, reason=first_line(error, _REASON_CHARACTERS))
    return Cell.of_report(row.title, column, report, time.perf_counter() - start)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3:])
