"""Event files for TensorBoard, written with its own package; they need no TensorFlow.

`tensorboard.summary.Writer` would import TensorFlow wherever that is installed. So events are written by the package's
record writer, which does not.
"""

from __future__ import annotations

import os
import platform
import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import OptionError
from ...storage.atomic import require_writable_folder
from ...storage.regular_file import read_regular
from ..runs.file_names import require_no_way_out
from . import marker
from .description import RunDescription
from .tracker import FINISHED, Progress

if TYPE_CHECKING:
    from tensorboard.compat.proto.summary_pb2 import Summary

FOLDER = "tensorboard"  # in the folder of the run
_VERSION = "brain.Event:2"  # of event files
_PICTURES = (".png",)
_NOT_IN_NAMES, _LONGEST_NAME = re.compile(r"[^\w=.-]+"), 80


class TensorBoardTracker:
    """Writes a run into event files: scalars by epoch, its parameters for the hparams page, and its pictures.

    Args:
        arguments: `dir`, below which each run gets a folder; by default the run's own folder. `name` names that folder.
        folder: of the run.

    Raises:
        OptionError: the run has no folder, and `dir` is not set.
        OutputError: the folder cannot be written to.
    """

    def __init__(self, arguments: Mapping[str, str], folder: Path | None):
        from tensorboard.compat.proto import event_pb2, summary_pb2  # noqa: F401 - fails here rather than in a thread

        if folder is None and "dir" not in arguments:
            raise OptionError("`log` tensorboard: the run has no folder: add `out`, or dir=FOLDER to tensorboard")
        self._dir = Path(arguments["dir"]) if "dir" in arguments else None
        self._run_folder, self._name = folder, arguments.get("name")
        require_writable_folder(self._dir or folder or Path(), "log")
        self._path: Path | None = None
        self._progress = Progress()

    @property
    def place(self) -> str:
        return str(self._folder)

    def begin(self, description: RunDescription) -> Progress:
        self._description = description
        if self._dir:
            # A name may come from the file of a stranger, and must not lead out of the folder.
            name = _NOT_IN_NAMES.sub("-", description.name_or(self._name))[:_LONGEST_NAME].strip("-.")
            self._folder = self._dir / f"{name}-{description.identity[:8]}"
        else:
            assert self._run_folder
            self._folder = self._run_folder / FOLDER
            if description.parent:
                self._folder /= description.identity[:8]
            if self._folder.is_dir():
                require_no_way_out(self._run_folder)
        self._progress = marker.read(self._folder)
        return self._progress

    def log(self, epochs: Mapping[int, Mapping[str, float]]) -> None:
        self._write(
            (epoch, _scalar(name, value)) for epoch, metrics in epochs.items() for name, value in metrics.items()
        )
        self._mark(replace(self._progress, epochs=max(epochs, default=self._progress.epochs)))

    def attach(self, path: Path) -> None:
        if path.suffix in _PICTURES:
            self._write([(self._progress.epochs, _picture(path))])
        self._mark(replace(self._progress, files=self._progress.files | {path.name}))

    def end(self, state: str, evaluation: Mapping[str, float], epochs: int) -> None:
        scalars = [(epochs, _scalar(name, value)) for name, value in evaluation.items()]
        self._write([*scalars, (epochs, _end_of_session(state))])
        self._mark(replace(self._progress, state=state))

    def _mark(self, progress: Progress) -> None:
        self._progress = progress
        marker.write(self._folder, progress)

    def _write(self, summaries: Iterator[tuple[int, Summary]] | list[tuple[int, Summary]]) -> None:
        """Append events to the file of this session, which begins with the first of them."""
        from tensorboard.compat.proto.event_pb2 import Event
        from tensorboard.summary.writer.record_writer import RecordWriter

        first = list(self._first_events()) if self._path is None else []
        events = [Event(wall_time=time.time(), step=step, summary=summary) for step, summary in summaries]
        assert self._path
        with self._path.open("ab") as file:
            writer = RecordWriter(file)
            for event in [*first, *events]:
                writer.write(event.SerializeToString())

    def _first_events(self) -> Iterator[Any]:
        """Yield the format's version, a start that later steps of earlier files do not outlive, and the parameters."""
        from tensorboard.compat.proto.event_pb2 import Event, SessionLog
        from tensorboard.plugins.hparams.summary_v2 import hparams_pb

        self._folder.mkdir(parents=True, exist_ok=True)
        now, host = time.time(), platform.node() or "host"
        self._path = self._folder / f"events.out.tfevents.{time.time_ns() // 1000}.{host}.{os.getpid()}"
        yield Event(wall_time=now, file_version=_VERSION)
        step = self._progress.epochs + 1
        yield Event(wall_time=now, step=step, session_log=SessionLog(status=SessionLog.START))
        parameters = hparams_pb(dict(self._description.parameters), trial_id=self._description.identity)
        yield Event(wall_time=now, step=0, summary=parameters)


def _scalar(name: str, value: float) -> Summary:
    from tensorboard.compat.proto.summary_pb2 import Summary

    return Summary(value=[Summary.Value(tag=name, simple_value=value)])


def _end_of_session(state: str) -> Summary:
    """Return what the hparams page shows as the status of a run; the package's own function would import TensorFlow."""
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.plugins.hparams import api_pb2, metadata, plugin_data_pb2

    status = api_pb2.STATUS_SUCCESS if state == FINISHED else api_pb2.STATUS_FAILURE
    info = plugin_data_pb2.SessionEndInfo(status=status, end_time_secs=time.time())
    described = metadata.create_summary_metadata(plugin_data_pb2.HParamsPluginData(session_end_info=info))
    tag = metadata.SESSION_END_INFO_TAG
    return Summary(value=[Summary.Value(tag=tag, metadata=described, tensor=metadata.NULL_TENSOR)])


def _picture(path: Path) -> Summary:
    from PIL import Image
    from tensorboard.compat.proto.summary_pb2 import Summary

    content = read_regular(path)
    with Image.open(BytesIO(content)) as image:
        width, height = image.size
    encoded = Summary.Image(height=height, width=width, colorspace=4, encoded_image_string=content)
    return Summary(value=[Summary.Value(tag=path.stem, image=encoded)])
