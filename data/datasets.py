"""Datasets by name: `load` takes the name of a known dataset, or a file or folder of the user's own."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from ..errors import DataError
from ..functions import suggest
from ..storage.regular_file import require_regular
from . import data_name, representative_part
from .dataset import Dataset
from .part_files import PARTS, with_parts
from .pictures.folder import read_picture_folder
from .pictures.segmentation import is_segmentation, read_segmentation
from .pictures.table import names_pictures, read_picture_table
from .series.read_series import read_series
from .sources import files, houses, mnist, shapes, solids, text, topics, toys, waveforms, waves
from .tables import frames, labelled_table

LOADERS: dict[str, Callable[..., Dataset]] = {
    "mnist": mnist.load,
    "digit-or-not": mnist.load_digit_or_not,
    "digit-images": mnist.load_digit_images,
    **toys.LOADERS,
    "houses": houses.load,
    "topics": topics.load,
    "shapes": shapes.load,
    "waves": waves.load,
    "waveforms": waveforms.load,
    "solids": solids.load,
    "text": text.load,
}

# The readers of files, by the ending of the name. The keywords of a reader are its settings, given as text.
READERS: dict[str, Callable[..., Dataset]] = {
    ".npz": files.read_npz,
    ".safetensors": files.read_safetensors,
    **dict.fromkeys(frames.ENDINGS, labelled_table.read_labelled_table),
}
# The readers of pictures, which are chosen by what a folder or a table holds.
_PICTURE_READERS: tuple[Callable[..., Dataset], ...] = (read_picture_folder, read_segmentation, read_picture_table)


def load(name: str | Path) -> Dataset:
    """Load the dataset of that name, or from that file or folder.

    Names: `mnist` (the full set if this machine has it, else the sample), `mnist:full` (downloaded by Keras if this
    machine does not have it), `mnist:sample`, `digit-or-not`, scikit-learn's `digits` and `iris`, points of the
    plane (`moons`, `circles`, `blobs`, `spirals`, with their number and settings as in `moons:300:noise=0.2`),
    `houses` (a table of words, dates and gaps), `topics` (paragraphs with classes), `shapes` (drawings, which a run can
    draw anew for each batch), `waves:SET` and `waves:SET:STEPS` with SET 0, 1 or 2 (200 steps by default) or sines of
    one's own, `waveforms` (waves of four forms), `solids` (of four kinds, as voxels), `text` and `text:FILE`.
    Files: `.npz` or `.safetensors` arrays, a folder of `.npy` arrays, a table (`.csv`, `.tsv`, `.parquet`, `.feather`,
    `.arrow`) of columns or of paths to pictures, a folder with one folder of pictures per class, or with pictures and
    their masks. Settings may follow, as in `houses.csv:target=price:test_share=0.3`. With a window, as in
    `sales.csv:window=24`, a table or an `.npy` or `.npz` array is a series; see `read_series`. Arrays and pictures that
    are large stay in their files, unless `stored=no` follows. `part=0.1` takes a share of the training samples.

    Raises:
        DataError: there is no such name, file or folder, it has no such setting, or it cannot be read.
    """
    name = str(name)
    bare, settings = data_name.parse(name)
    if part := settings.pop(representative_part.SETTING, None):
        return replace(representative_part.with_part(load(data_name.compose(bare, settings)), part), name=name)
    path = Path(bare)
    family, *places = bare.split(":")
    if family in LOADERS:
        loader = LOADERS[family]
        require_settings(name, settings, _keywords_of(loader))
        highest = len(inspect.signature(loader).parameters) - len(_keywords_of(loader)) - 1
        if len(places) > highest:
            raise DataError(f"unknown dataset {name!r}: {family} takes at most {highest} settings after it")
        return loader(name, *places, **settings)
    reader = _reader_of(path, settings)
    if reader:
        files = {part: settings.pop(part) for part in PARTS if part in settings and has_parts(reader)}
        if files:
            has_share = "test_share" in settings_of(reader)
            return replace(with_parts(bare, files, settings, load, has_share=has_share), name=name)
        require_settings(name, settings, settings_of(reader))
        return replace(reader(path, **settings), name=name)
    known = list(LOADERS)
    raise DataError(
        f"unknown dataset {name!r}{suggest(family, known)} (known: {', '.join(known)}; or a .npz or .safetensors "
        "file, a table such as .csv or .parquet, or a folder of .npy files or pictures)"
    )


def _reader_of(path: Path, settings: Mapping[str, str]) -> Callable[..., Dataset] | None:
    """Return the reader of a file or folder; a `window` makes a table or array a series. None if there is none.

    Raises:
        DataError: a setting is only one of series, and there is no `window`; it is a table that cannot be read.
    """
    require_regular(path)
    if "window" in settings and path.suffix:
        return read_series
    reader = _reader_of_samples(path)
    known = settings_of(reader) if reader else ()
    if of_series := [name for name in settings if name in settings_of(read_series) and name not in known]:
        raise DataError(f"{path}: `{of_series[0]}` says how a series is read: add `window` N, such as window=24")
    return reader


def _reader_of_samples(path: Path) -> Callable[..., Dataset] | None:
    """Return the reader of a file or folder of samples, or None if there is none."""
    if path.is_dir() and any(path.glob("*.npy")):
        return files.read_array_folder
    if path.is_dir():
        return read_segmentation if is_segmentation(path) else read_picture_folder
    if path.suffix.lower() in frames.ENDINGS and names_pictures(path):
        return read_picture_table
    return READERS.get(path.suffix.lower())


def settings_for(name: str | Path, further: Mapping[str, str]) -> tuple[str, ...]:
    """Return the names of the settings that may follow the name of data; none for what is no file or folder.

    Args:
        name: of the data, with the settings that it has.
        further: settings to be added; a window among them makes a table a series.

    Raises:
        DataError: it is a table that cannot be read.
    """
    bare, settings = data_name.parse(str(name))
    window = {name: text for name, text in further.items() if name == "window"}
    reader = None if bare.partition(":")[0] in LOADERS else _reader_of(Path(bare), {**settings, **window})
    return settings_of(reader) if reader else ()


def reads_file(name: str) -> bool:
    """Return whether data of this name are read from a file or folder that the name states, and not by a known name."""
    bare, _ = data_name.parse(name)
    family, *places = bare.split(":")
    return family not in LOADERS or (LOADERS[family] is text.load and bool(places))


def has_parts(reader: Callable[..., Dataset]) -> bool:
    """Return whether a part of the data that this reader reads may lie in another file: not of a series."""
    return reader is not read_series


def settings_of(reader: Callable[..., Dataset]) -> tuple[str, ...]:
    """Return the names of the settings that a reader of files takes."""
    return tuple(inspect.signature(reader).parameters)[1:]


def _keywords_of(loader: Callable[..., Dataset]) -> tuple[str, ...]:
    """Return the names of the settings, `name=value`, that the loader of a known dataset takes."""
    parameters = inspect.signature(loader).parameters.values()
    return tuple(each.name for each in parameters if each.kind is each.KEYWORD_ONLY)


def require_settings(name: str, settings: Mapping[str, str], known: Sequence[str]) -> None:
    """Raise a DataError, with the nearest names, unless data of this name have each of these settings."""
    bare, listed = data_name.parse(name)[0], ", ".join(known) or "none"
    for setting in settings:
        if setting not in known:
            raise DataError(f"{bare} has no setting {setting!r} (it has: {listed}){suggest(setting, list(known))}")


def known_settings() -> set[str]:
    """Return the names of all settings that a reader takes."""
    readers: list[Callable[..., Dataset]] = [*READERS.values(), *_PICTURE_READERS, read_series]
    return {setting for reader in readers for setting in settings_of(reader)} | {"test", representative_part.SETTING}


def portable_name(name: str | None) -> str | None:
    """Return the name of a dataset that is the same on every machine: the sample instead of `mnist`.

    `mnist` is the full set on some machines. Comparisons of machines or backends need equal data, not the full set.
    """
    return "mnist:sample" if name == "mnist" else name
