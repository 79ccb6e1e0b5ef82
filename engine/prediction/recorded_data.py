"""The data of a bundle, and further data that are read as these were: by the settings in the record of the run."""

from __future__ import annotations

from pathlib import Path

from ...data import data_name, datasets
from ...data.data_source import DataSource, dataset_of, settings_for
from ...data.dataset import Dataset
from ...data.from_arrays import NAME as ARRAYS
from ...data.pictures.picture_size import PictureSize
from ...data.tables import frames
from ...errors import DataError
from ..bundles.bundle import Bundle
from .series_record import SeriesRecord

# Settings of the data that were trained on alone: their parts, and how their files were treated.
_OF_TRAINING = ("test_share", "test", "validation", "skip_broken", "stored")


def load_recorded(bundle: Bundle) -> Dataset:
    """Return the data that a bundle was trained on. Their name must not run code, as the user's own may.

    Raises:
        DataError: they were in memory, come from a function, or are not there any more.
    """
    name = bundle.run["dataset"]["name"]
    if name in (ARRAYS, frames.FRAME):
        raise DataError("it was trained on data in memory: add `data`")
    return datasets.load(name)


def read_alike(bundle: Bundle, data: DataSource) -> Dataset:
    """Return a user's data, read like those of the bundle where their name does not say how.

    Raises:
        DataError: the data cannot be read, or are series of other columns or of another forecast.
        BundleError: the bundle does not say how its series were read.
    """
    recorded = _recorded_settings(bundle)
    own = data_name.parse(str(data))[1] if isinstance(data, (str, Path)) else {}
    if "size" in own:
        recorded.pop("fit", None)  # it belongs to the size of the training
    known = settings_for(data, recorded)
    dataset = dataset_of(data, **{name: text for name, text in recorded.items() if name in known and name not in own})
    record = SeriesRecord.of(bundle)
    return record.match_forecast(dataset) if record else dataset


def _recorded_settings(bundle: Bundle) -> dict[str, str]:
    """Return the settings by which the data of a bundle were read, those that followed from the data among them."""
    data = bundle.run.get("dataset", {})
    settings = data_name.parse(str(data.get("name", "")))[1]
    settings = {name: text for name, text in settings.items() if name not in _OF_TRAINING}
    if isinstance(data.get("targets"), list):
        settings["target"] = ",".join(map(str, data["targets"]))
    if size := PictureSize.from_json(data):
        settings |= {"size": f"{size.height}x{size.width}", "fit": size.fit}
    if series := SeriesRecord.of(bundle):
        settings |= series.settings
    return settings
