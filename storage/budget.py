"""What reading a file of somebody else may take: one budget for every reader, checked before memory or time is spent.

A limit is far above what trivium, Keras and the frameworks write, and low enough that a file of any content is read or
refused within seconds. Readers take their limits from here, so that a new reader has the same ones.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeVar

from ..errors import DataError, FileError
from .memory import memory_size

Item = TypeVar("Item")


@dataclass(frozen=True)
class Budget:
    """The limits of one document, such as a JSON text.

    Attributes:
        size: bytes.
        values: numbers, texts, lists and objects, however deep; keys are not counted.
        objects: lists and objects alone, which take more memory and time than a number.
        depth: levels of nesting. A Keras model takes five levels for each model within a model.
    """

    size: int = 16 * 2**20
    values: int = 2_000_000
    objects: int = 100_000
    depth: int = 100


# Records, labels, preparations. An architecture of a thousand layers has some 15,000 objects.
DOCUMENT = Budget()
# A model's configuration, which may hold a vocabulary of a million words.
CONFIGURATION = Budget(size=64 * 2**20)
# The history of a run, with an object for each epoch.
HISTORY = Budget(size=256 * 2**20, values=10_000_000, objects=1_000_000)
# The header of a file of tensors, which has an object and two lists for each.
HEADER = Budget(size=100_000_000, objects=300_000)
# The graph of an exported program, with some fifty objects for each operator, and a stack trace.
PROGRAM = Budget(size=256 * 2**20, values=10_000_000, objects=2_000_000)
# YAML is read a hundred times as slowly as JSON: keys and values are counted as its parser meets them.
YAML_VALUES = 500_000

# Archives: more than LARGE bytes must not be more than EXPANSION times their packed size.
LARGE = 256 * 2**20  # bytes
EXPANSION = 100
MEMBERS = 10_000
NAME_LENGTH = 1_000  # characters of a member's name, folders included

HDF5_OBJECTS = 100_000

# An ONNX graph of which the functions are inlined; large published ones have some thousands of nodes.
GRAPH_NODES = 100_000
CALL_DEPTH = 100

# A picture, in pixels: photographs of today's telephones have up to 200 million, and are reduced while they are read.
PIXELS = 178_956_970

# A table: each of its columns is looked at for itself, which takes some milliseconds.
COLUMNS = 5_000

# The preparation of data: a recipe has up to five steps, and an array 64 axes at most.
STEPS = 100
AXES = 32
# A length, size or count in a configuration from which memory is taken, such as the units of a layer.
SIZE = 10_000_000


def require_at_most(limit: int, number: int, label: str, what: str) -> None:
    """Raise a FileError if a file has more of something than is read.

    Args:
        label: the name of the file.
        what: what is counted, such as `values`.

    Raises:
        FileError: it has.
    """
    if number > limit:
        raise FileError(f"{label} has {number:,} {what}, at most {limit:,} are read")


def limited(items: Iterable[Item], limit: int, label: str, what: str) -> Iterable[Item]:
    """Yield items; raise a FileError at the one that is too many.

    Raises:
        FileError: there are more than `limit`.
    """
    for number, item in enumerate(items):
        if number >= limit:
            raise FileError(f"{label} has more than {limit:,} {what}: not read")
        yield item


def require_memory(size: int, what: str) -> None:
    """Raise a DataError if something takes more than the memory of this process, before it is taken.

    Args:
        size: bytes.
        what: what takes them, such as `the labels as rows of 10,000,000 classes`.

    Raises:
        DataError: it does.
    """
    if size > (memory := memory_size()):
        raise DataError(f"{what} would take {size / 1e9:,.1f} GB, and there are {memory / 1e9:,.1f} GB of memory")
