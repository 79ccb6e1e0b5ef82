"""Measure the rows one after the other, each in a process of its own; a stopped run goes on where it was.

The results are written after every cell. A process that crashes, or that takes too long for one cell, loses this cell
alone: another process continues with the next column.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import json
import os
import platform
import queue
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from ...errors import OptionError
from ...storage.atomic import write_json
from .. import results
from . import row_process
from .catalog import Architecture
from .cell import LOST, Cell

SUITE = "architectures"
# Seconds for a cell, or for building the architecture.
LIMIT = 120.0
_LOG_CHARACTERS = 300
_PACKAGES = (
    *("trivium", "keras", "torch", "jax", "tensorflow-cpu", "onnx", "onnxruntime", "openvino", "ai-edge-litert"),
    *("torchvision", "timm", "transformers", "keras-hub"),
)

Announce = Callable[[str], None]


@dataclass
class Measurements:
    """The cells that are measured, in a file.

    Attributes:
        folder: where `results.json` lies.
        cells: by row and column.
    """

    folder: Path
    cells: dict[tuple[str, str], Cell] = field(default_factory=dict)

    @classmethod
    def open(cls, folder: Path) -> Measurements:
        """Return the measurements that a folder has, or none.

        Raises:
            DataError: the folder holds results of something else.
        """
        earlier = results.read(folder)
        cells = [Cell.from_json(row) for row in earlier["rows"]] if earlier else []
        return cls(folder, {(cell.row, cell.column): cell for cell in cells})

    def add(self, cell: Cell) -> None:
        """Keep a cell, and write all of them."""
        self.cells[cell.row, cell.column] = cell
        write_json(self.folder / results.FILE, self.to_json())

    def left(self, row: Architecture, columns: Sequence[str]) -> list[str]:
        """Return the columns of a row that are not measured yet."""
        return [column for column in columns if (row.title, column) not in self.cells]

    def to_json(self) -> dict[str, Any]:
        return {
            "schema": results.SCHEMA,
            "suite": SUITE,
            "environment": {"cores": os.cpu_count(), "processor": platform.machine(), "versions": dict(_versions())},
            "rows": [cell.to_json() for cell in self.cells.values()],
            "ratios": [],
        }


def measure(
    rows: Iterable[Architecture],
    folder: Path,
    columns: Sequence[str] = (),
    limit: float = LIMIT,
    announce: Announce = print,
) -> Measurements:
    """Port each architecture to each of its columns that has no result yet.

    Args:
        rows: the architectures.
        folder: the folder of the results, which a stopped run left.
        columns: the columns to measure; all by default.
        limit: the most seconds for a cell.
        announce: called with a line for each cell.

    Raises:
        OptionError: a package that defines the architectures is not installed.
    """
    rows = list(rows)
    _require_packages(rows)
    measurements = Measurements.open(folder)
    for number, row in enumerate(rows, 1):
        while left := measurements.left(row, [each for each in row.family.columns if not columns or each in columns]):
            for cell in _port_row(row, left, limit):
                measurements.add(cell)
                announce(f"{number}/{len(rows)} {cell.row} → {cell.column}: {cell}, {cell.seconds:.0f} s {cell.reason}")
    return measurements


def _require_packages(rows: Iterable[Architecture]) -> None:
    missing = {row.family.package for row in rows if row.family.package and not row.family.package.installed}
    if missing:
        names = " ".join(sorted(package.distribution for package in missing))
        raise OptionError(f"some architectures are defined by packages that are missing: run pip install {names}")


def _port_row(row: Architecture, columns: Sequence[str], limit: float) -> Iterator[Cell]:
    """Yield the cells of one process, until it ends; what ended it early is the last cell, or all if none was begun."""
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryFile() as log:
        done, is_built = 0, False
        with _row_process(row, columns, folder, log) as process:
            for message in _messages(process, limit):
                if row_process.BUILT in message:
                    is_built = True
                    continue
                done += 1
                yield Cell.from_json(message)
            hangs = process.poll() is None
        why = f"it took longer than {limit:.0f} s" if hangs else f"its process ended: {_end_of(log)}"
        # A model that cannot be built is lost for every column.
        for column in columns[done : done + 1] if is_built else columns:
            yield Cell(row.title, column, LOST, seconds=limit if hangs else 0.0, reason=why)


@contextlib.contextmanager
def _row_process(
    row: Architecture, columns: Sequence[str], folder: str, log: IO[bytes]
) -> Iterator[subprocess.Popen[bytes]]:
    """Start the process of a row; at the end it is killed with all the processes that it has started."""
    program = f"import sys; from {row_process.__name__} import main; main(sys.argv[1], sys.argv[2], sys.argv[3:])"
    process = subprocess.Popen(
        [sys.executable, "-P", "-c", program, row.title, folder, *columns],
        stdout=subprocess.PIPE,
        stderr=log,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _messages(process: subprocess.Popen[bytes], limit: float) -> Iterator[Mapping[str, Any]]:
    """Yield what a process writes, until it has ended or written nothing for as long as the limit."""
    lines: queue.Queue[bytes | None] = queue.Queue()

    def receive() -> None:
        assert process.stdout is not None
        for line in process.stdout:
            lines.put(line)
        process.wait()
        lines.put(None)

    threading.Thread(target=receive, daemon=True).start()
    with contextlib.suppress(queue.Empty):
        while (line := lines.get(timeout=limit)) is not None:
            yield json.loads(line)


def _end_of(log: IO[bytes]) -> str:
    """Return the last line that a process printed."""
    log.seek(0)
    lines = [line.strip() for line in log.read().decode(errors="replace").splitlines() if line.strip()]
    return lines[-1][:_LOG_CHARACTERS] if lines else "it said nothing"


def _versions() -> Iterator[tuple[str, str]]:
    for name in _PACKAGES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            yield name, importlib.metadata.version(name)
