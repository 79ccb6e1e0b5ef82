"""What a user may give as data: a dataset, its name, a file or folder, arrays, or a function that returns these."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import DataError, OptionError, first_line
from ..functions import is_file_function, load_function
from . import data_name, datasets, representative_part
from .dataset import Dataset
from .from_arrays import dataset_from_arrays
from .from_streams import dataset_from_stream
from .series.read_series import read_series
from .streams.recognition import stream_of
from .tables import frames, labelled_table

if TYPE_CHECKING:
    import polars

# Arrays are `(x, y)`, `(x, y, weight)`, or a dictionary by name. A data frame is one of polars, pandas or pyarrow.
# Streams of batches are known by their protocol: see `stream_of`.
DataSource = Any
_EXPECTED = (
    "(x, y), a dictionary of arrays by name, a data frame, a stream of batches, a Dataset, or the name of a file"
)


def load_data(data: DataSource, **settings: Any) -> Dataset:
    """Return data as `trivium.train` reads them: their training and test samples, labels and origin.

    Args:
        data: the name of a dataset (`trivium data` lists them), a file, a folder, `path/to/file.py:function`, arrays
            (x, y), or a data frame.
        settings: how they are read, such as `target="price"`, `window=24`, `test_share=0.3` or `part=0.1`.

    Raises:
        DataError, OptionError, RecipeError: as `trivium data` on the command line refuses them.

    Example:
        >>> iris = trivium.load_data("iris", test_share=0.3)
        >>> iris.train.x.shape, iris.test.y.shape, iris.labels
        ((105, 4), (45,), ('setosa', 'versicolor', 'virginica'))
    """
    return dataset_of(data, **settings)


def dataset_of(data: DataSource, **settings: Any) -> Dataset:
    """Return data that the user gave as a dataset.

    A name `path/to/file.py:function` is a function without arguments, which is run. So the name must come from the
    user, never from a file.

    Args:
        data: a `Dataset`, a name, file or folder, arrays, or a data frame.
        settings: how a file or a data frame is read, such as `target="price"`.

    Raises:
        DataError: the data cannot be read, or the function fails or returns something else.
        OptionError: other data than a file or a data frame have settings.
        RecipeError: the file has no such function.
    """
    if not isinstance(data, (str, Path)) and (part := settings.pop(representative_part.SETTING, None)):
        return representative_part.with_part(dataset_of(data, **settings), str(part))
    if isinstance(data, (str, Path)) and not is_file_function(str(data)):
        return datasets.load(data_name.compose(str(data), settings))
    if isinstance(data, (str, Path)):
        bare, named = data_name.parse(str(data))
        return replace(dataset_of(_call(bare), **{**named, **settings}), name=data_name.compose(str(data), settings))
    if frames.is_frame(data) and not isinstance(data, Dataset):
        return _from_frame(frames.from_user(data), data_name.parse(data_name.compose("", settings))[1])
    if settings:
        raise OptionError(f"`{next(iter(settings))}` says how a file or a data frame is read, not arrays: leave it out")
    if isinstance(data, Dataset):
        return data
    if isinstance(data, (tuple, Mapping)):
        return dataset_from_arrays(data)
    if stream := stream_of(data):
        return dataset_from_stream(stream)
    raise DataError(f"expected {_EXPECTED}, received {type(data).__name__}")


def settings_for(data: DataSource, further: Mapping[str, str]) -> tuple[str, ...]:
    """Return the names of the settings by which data of a user can be read; none but for files and data frames.

    Args:
        data: see `dataset_of`.
        further: settings to be added; a window among them makes a table a series.

    Raises:
        DataError: the data are a table that cannot be read.
    """
    if isinstance(data, (str, Path)):
        return () if is_file_function(str(data)) else datasets.settings_for(data, further)
    return _settings_of_frame(further) if frames.is_frame(data) and not isinstance(data, Dataset) else ()


def _settings_of_frame(settings: Mapping[str, str]) -> tuple[str, ...]:
    if "window" in settings:
        return datasets.settings_of(read_series)
    of_files = datasets.settings_of(labelled_table.read_labelled_table)
    return tuple(setting for setting in of_files if setting != "stored")  # a frame is in memory


def _from_frame(frame: polars.DataFrame, settings: Mapping[str, str]) -> Dataset:
    datasets.require_settings(frames.FRAME, settings, _settings_of_frame(settings))
    if "window" in settings:
        return read_series(frame, **settings)
    return labelled_table.from_frame(frame, frames.FRAME, **settings)


def _call(name: str) -> DataSource:
    function = load_function(name)
    if inspect.isgeneratorfunction(function):
        return function
    try:
        data: DataSource = function()
    except (Exception, SystemExit) as error:  # a user's function may raise anything
        raise DataError(f"{name} failed: {type(error).__name__}: {first_line(error)}") from error
    is_known = isinstance(data, (Dataset, str, Path, tuple, Mapping)) or frames.is_frame(data)
    if not is_known and stream_of(data) is None:
        raise DataError(f"{name} returned {type(data).__name__}, expected {_EXPECTED}")
    return data
