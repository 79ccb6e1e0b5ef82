"""What a run sends to its trackers while it trains. Whatever fails there is a warning, and the training goes on."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..runs.run import Run
from .channel import Channel
from .description import describe
from .destination import Destination
from .evaluation import evaluation_of
from .sender import Sender
from .tracker import FAILED, INTERRUPTED
from .trackers import open_tracker

if TYPE_CHECKING:
    import keras


@dataclass
class _Connection:
    """A destination, what sends to it, and the thread that it is sent by."""

    destination: Destination
    sender: Sender
    channel: Channel
    is_reported: bool = False


class Tracking:
    """Sends a run to its trackers, each by a thread of its own.

    Args:
        destinations: the trackers.
        folder: of the run; None if it has none.
        warn: called with a sentence for each tracker that fails.

    Raises:
        OptionError: a destination lacks something.
        OutputError: a folder of logs cannot be written to.
    """

    def __init__(self, destinations: Sequence[Destination], folder: Path | None, warn: Callable[[str], None]):
        self._folder, self._warn = folder, warn
        senders = [Sender(open_tracker(each, folder), each.artifacts) for each in destinations]
        self._connections = [_Connection(*pair, Channel()) for pair in zip(destinations, senders, strict=True)]
        self._epochs: Sequence[Mapping[str, float]] = ()

    def begin(self, record: Mapping[str, Any], epochs: Sequence[Mapping[str, float]]) -> None:
        """Open the run at each tracker, and send the epochs of earlier sessions that it does not have.

        Args:
            record: of the run, as `run.json` has it.
            epochs: the metrics of each finished epoch. Those that are appended later are sent by `send`.
        """
        self._epochs = epochs
        if not self._connections:
            return
        name = self._folder.absolute().name if self._folder else str(record["recipe"])
        description = describe(record, name)
        for connection in self._connections:
            connection.channel.submit(partial(connection.sender.begin, description))
        self.send()

    def send(self) -> None:
        """Send the epochs that are finished by now; returns at once."""
        for connection in self._connections:
            connection.channel.submit(partial(connection.sender.send, self._epochs))
        self._report()

    @property
    def callbacks(self) -> list[keras.callbacks.Callback]:
        """The callback that sends each epoch as soon as it is finished; none without trackers."""
        if not self._connections:
            return []
        import keras

        return [keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: self.send())]

    @contextlib.contextmanager
    def reporting_failures(self) -> Iterator[None]:
        """Tell the trackers if the block ends with an error, but for Ctrl-C after an epoch: such a run is saved."""
        try:
            yield
        except BaseException as error:
            is_stopped = isinstance(error, KeyboardInterrupt)
            if not (is_stopped and self._epochs):
                self._close(INTERRUPTED if is_stopped else FAILED, {}, ())
            raise

    def end(self, run: Run, state: str, files: Sequence[Path] = ()) -> None:
        """Send the evaluation of a run and its files, and wait until all is sent."""
        if self._connections:
            self._close(state, evaluation_of(run.to_json()), files)

    def _close(self, state: str, evaluation: Mapping[str, float], files: Sequence[Path]) -> None:
        for connection in self._connections:
            connection.channel.submit(partial(connection.sender.end, state, evaluation, files))
        for connection in self._connections:
            connection.channel.close()
        self._report()

    def _report(self) -> None:
        """Warn of each tracker that has failed since the last time."""
        for connection in self._connections:
            if connection.channel.failure and not connection.is_reported:
                connection.is_reported = True
                destination = connection.destination
                self._warn(f"{destination.tracker}: {connection.channel.failure}; {self._way_out(destination)}")

    def _way_out(self, destination: Destination) -> str:
        if self._folder is None:
            return "the rest of this run is not sent to it"
        return f"the run folder has everything: {destination.export_command(self._folder)} sends it"
