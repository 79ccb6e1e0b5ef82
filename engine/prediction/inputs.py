"""Reads the files of a prediction as the data that a bundle was trained on were read."""

from __future__ import annotations

import functools
from pathlib import Path

import numpy as np

from ...data import input_files
from ...data.dataset import DIGITS
from ...data.digit_images import SIZE, read_digit
from ...data.nests import Nest, is_array
from ...data.sources import pictures
from ...errors import DataError
from ..bundles.bundle import Bundle


def read(bundle: Bundle, path: Path) -> Nest:
    """Read samples for a bundle from a file.

    A table may have its columns in any order, and the target among them. A picture is the drawing or photograph of a
    digit where the model was trained on digits; else it is read like the pictures of the training data.

    Returns:
        (n, …) raw samples, or a dictionary of them for a model of several inputs; see `input_files.read`.

    Raises:
        DataError: the file is missing, damaged or of another kind, lacks a column, or has another size.
    """
    data = bundle.run["dataset"]
    columns = data.get("columns")
    known = [str(name) for name in columns] if isinstance(columns, list) else []
    read_picture = read_digit if _is_of_digits(bundle) else functools.partial(_read_picture, _raw_shape(bundle))
    return input_files.read(path, known, read_picture)


def _is_of_digits(bundle: Bundle) -> bool:
    """Return whether the model was trained on MNIST's digits; older bundles do not say so, but have their size."""
    kind = bundle.run["dataset"].get("kind")
    if kind is not None:
        return bool(kind == DIGITS)
    shape = _raw_shape(bundle)
    return tuple(length for length in shape if length != 1) == (SIZE, SIZE) or shape == (SIZE * SIZE,)


def _read_picture(shape: tuple[int, ...], path: Path) -> np.ndarray:
    """Read a picture as a raw sample of this shape."""
    picture = pictures.read_picture(path)[None]
    size = picture.shape[1:3]
    if shape not in (size, (*size, 1), (*size, 3)):
        raise DataError(
            f"{path} has {size[1]}×{size[0]} pixels, but the model takes samples of shape {shape}: resize it"
        )
    return np.asarray(pictures.in_channels(picture, colour=shape[-1] == 3 and len(shape) == 3)[0]).reshape(shape)


def _raw_shape(bundle: Bundle) -> tuple[int, ...]:
    """Return the shape of a raw sample; empty for a model of several inputs."""
    if not is_array(bundle.recorded_inputs):
        return ()
    shape = tuple(bundle.recorded_inputs.shape[1:])
    for step in reversed(bundle.preprocessing.inputs.steps):
        shape = step.shape_before(shape)
    return shape
