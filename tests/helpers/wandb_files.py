"""Reads what Weights & Biases keeps of an offline run: records of its own protocol in a log of LevelDB's format.

The package has no reader in Python: its core, which is written in Go, sends the file.
"""

import json
import time
from pathlib import Path

_FILE_HEADER, _HEADER, _BLOCK = 7, 7, 32_768
_FULL, _LAST = 1, 4
_SECONDS_TO_WRITE = 30


def records_of(folder: Path) -> list:
    """Return the records of the run in a folder, in their order."""
    from wandb.proto import wandb_internal_pb2

    (path,) = folder.glob("*.wandb")
    return [wandb_internal_pb2.Record.FromString(content) for content in _contents(path.read_bytes())]


def wait_for_end(folder: Path) -> None:
    """Wait until the end of a run is written: Weights & Biases writes it shortly after it says that it has."""
    end = time.monotonic() + _SECONDS_TO_WRITE
    while not any(record.HasField("exit") for record in records_of(folder)):
        assert time.monotonic() < end, f"the run in {folder} has no end"
        time.sleep(0.05)


def history_of(folder: Path) -> dict[int, dict[str, float]]:
    """Return the metrics of each step."""
    return {
        record.history.step.num: {name: value for name, value in _values(record.history.item).items() if name[0] != "_"}
        for record in records_of(folder)
        if record.HasField("history")
    }


def config_of(folder: Path) -> dict:
    values: dict = {}
    for record in records_of(folder):
        values |= _values(record.run.config.update) | _values(record.config.update)
    return values


def summary_of(folder: Path) -> dict:
    values: dict = {}
    for record in records_of(folder):
        values |= _values(record.summary.update)
    return values


def _values(items) -> dict:
    return {item.key or ".".join(item.nested_key): json.loads(item.value_json) for item in items}


def _contents(log: bytes) -> list[bytes]:
    contents, begun, position = [], b"", _FILE_HEADER
    while position + _HEADER <= len(log):
        if _BLOCK - position % _BLOCK < _HEADER:  # the rest of a block is empty
            position += _BLOCK - position % _BLOCK
            continue
        length, kind = int.from_bytes(log[position + 4 : position + 6], "little"), log[position + 6]
        begun += log[position + _HEADER : position + _HEADER + length]
        if kind in (_FULL, _LAST):
            contents.append(begun)
            begun = b""
        position += _HEADER + length
    return contents
