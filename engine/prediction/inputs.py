"""Reads the files of a prediction as the data that a bundle was trained on were read."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ...data import input_files
from ...data.columns import TEXT, Column
from ...data.dataset import DIGITS
from ...data.digit_images import SIZE, pixels_of, read_digits, read_pixels
from ...data.nests import Nest, from_user, is_array, named_arrays, sample_count
from ...data.pictures.channels import in_channels
from ...data.pictures.picture_file import SUFFIXES, read_picture
from ...data.pictures.picture_size import PictureSize
from ...data.sources.files import require_numbers
from ...data.sources.text import read_text
from ...data.tables import frames
from ...data.tables.text_column import encode_texts, is_texts
from ...errors import DataError, OptionError
from ..bundles.bundle import Bundle
from .series_inputs import read_windows, windows_of
from .series_record import SeriesRecord


def read(bundle: Bundle, path: Path) -> Nest:
    """Read samples for a bundle from a file.

    A table may have its columns in any order, and the target among them. Named arrays may have the target among them
    too, beside samples x. A text has a sentence in each line. A picture is a drawing or photograph of digits where the
    model was trained on digits; else it is read like the pictures of the training data.

    Returns:
        (n, …) raw samples, or a dictionary of them for a model of several inputs; see `input_files.read`.

    Raises:
        DataError: the file is missing, damaged or of another kind, lacks a column, or has another size.
    """
    reader = read_pixels if _is_of_digits(bundle) else functools.partial(_read_picture, bundle)
    if bundle.preprocessing.text and path.suffix.lower() == ".txt":
        return encode_texts([line for line in read_text(path).splitlines() if line.strip()])
    samples = input_files.read(path, columns_of(bundle), reader)
    has_targets = isinstance(samples, Mapping) and is_array(bundle.recorded_inputs) and "x" in samples
    return samples["x"] if has_targets else samples


def samples_of(bundle: Bundle, x: Any) -> Nest:
    """Return samples that the user gave as raw samples for a bundle.

    A data frame, or a list of dictionaries by column, is read as a table by the columns of the training data. Of series
    in a data frame, the last window of each is taken. A list of texts is read by a model of sentences.

    Raises:
        DataError: a column is missing, a cell is not of its kind, or a number is not finite.
    """
    if frames.is_frame(x) and (record := SeriesRecord.of(bundle)):
        return windows_of(record, frames.from_user(x), frames.FRAME)[0]
    columns = columns_of(bundle)
    is_rows = isinstance(x, list) and bool(x) and isinstance(x[0], Mapping)
    if columns and (frames.is_frame(x) or is_rows):
        return input_files.encode_rows(frames.from_user(x), columns, "the table")
    if bundle.preprocessing.text and is_texts(x):
        return encode_texts(list(x))
    x = from_user(x)
    for name, array in named_arrays(x, "inputs").items():
        if bundle.preprocessing.table is None:  # which fills gaps
            require_numbers(array, name)
    sample_count(x)
    return x


def columns_of(bundle: Bundle) -> tuple[Column, ...]:
    """Return the columns of the table that a bundle was trained on; empty for other data."""
    if table := bundle.preprocessing.table:
        return table.columns
    text = bundle.preprocessing.text
    if text and text.column:
        return (Column(text.column, TEXT),)
    names = bundle.run.get("dataset", {}).get("columns")  # of numbers, where the recipe prepares them itself
    return tuple(Column(str(name)) for name in names) if isinstance(names, list) else ()


def read_named(bundle: Bundle, path: Path, *, every_window: bool = False) -> tuple[Nest, list[dict[str, Any]]]:
    """Read samples for a bundle from a file, with what names each sample.

    Args:
        every_window: of series, take each window; else the last one of each series, after which nothing is known yet.

    Returns:
        The samples, as from `read`; and for each window of a series what names it: `series`, where there are several,
        and `after`, the time or the number of its last row; for each digit in a picture its `box`: left, top, right
        and bottom in pixels. Other samples have no names.

    Raises:
        DataError: as `read`; a series is shorter than the window.
        BundleError: the bundle does not say how its series were read.
        OptionError: `every_window`, and the model does not take windows of series.
    """
    if record := SeriesRecord.of(bundle):
        return read_windows(record, path, every_window=every_window)
    if every_window:
        raise OptionError(f"`every_window`: the model of {bundle.run['recipe']} does not take windows of a series")
    if path.suffix.lower() in SUFFIXES and _is_of_digits(bundle):
        digits = read_digits(path)
        return pixels_of(digits), [{"box": list(digit.box)} for digit in digits]
    return read(bundle, path), []


def _is_of_digits(bundle: Bundle) -> bool:
    """Return whether the model was trained on MNIST's digits; older bundles do not say so, but have their size."""
    kind = kind_of(bundle)
    if kind is not None:
        return bool(kind == DIGITS)
    shape = raw_shape(bundle)
    return tuple(length for length in shape if length != 1) == (SIZE, SIZE) or shape == (SIZE * SIZE,)


def kind_of(bundle: Bundle) -> str | None:
    """Return the kind of the samples that a bundle was trained on; None where it does not say."""
    kind = bundle.run.get("dataset", {}).get("kind")
    return None if kind is None else str(kind)


def _read_picture(bundle: Bundle, path: Path) -> np.ndarray:
    """Read a picture as one raw sample, (1, …): of any size if the training brought its pictures to one."""
    shape = raw_shape(bundle)
    wanted = PictureSize.from_json(bundle.run.get("dataset", {}))
    picture = read_picture(path, wanted)[None]
    size = picture.shape[1:3]
    if shape not in (size, (*size, 1), (*size, 3)):
        raise DataError(
            f"{path} has {size[0]}x{size[1]} pixels (height x width), but the model takes samples of shape {shape}: "
            "resize it, or train with the setting size, which predictions then follow"
        )
    return np.asarray(in_channels(picture, colour=shape[-1] == 3 and len(shape) == 3)).reshape(1, *shape)


def raw_shape(bundle: Bundle) -> tuple[int, ...]:
    """Return the shape of a raw sample; empty for a model of several inputs."""
    if not is_array(bundle.recorded_inputs):
        return ()
    shape = tuple(bundle.recorded_inputs.shape[1:])
    for step in reversed(bundle.preprocessing.inputs.steps):
        shape = step.shape_before(shape)
    return shape
