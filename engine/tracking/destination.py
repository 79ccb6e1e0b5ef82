"""Where a run is sent to: `mlflow`, `wandb` or `tensorboard`, each with its arguments.

`mlflow:uri=http://host:5000,experiment=digits` names a tracker and its arguments. What is left out comes from the
tracker's own environment variables. A password does not belong into a destination, because runs record it.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from ...errors import OptionError
from ...functions import require_known

MLFLOW, WANDB, TENSORBOARD = "mlflow", "wandb", "tensorboard"

# The arguments of each tracker. Its package has its name, and so has the extra that installs the package.
_COMMON = ("name", "artifacts")
ARGUMENTS: Mapping[str, Sequence[str]] = {
    MLFLOW: ("uri", "experiment", *_COMMON),
    WANDB: ("project", "entity", "group", "mode", "dir", *_COMMON),
    TENSORBOARD: ("dir", *_COMMON),
}
_MODES = ("online", "offline")
_TRUE, _FALSE = ("true", "yes", "1"), ("false", "no", "0")

# The forms that destinations are named in from Python.
Destinations = str | Sequence[str] | Mapping[str, Mapping[str, object]]


@dataclass(frozen=True)
class Destination:
    """A tracker and its arguments.

    Attributes:
        tracker: one of `ARGUMENTS`.
        arguments: those of this tracker that are set, but for `artifacts`, as text.
        artifacts: whether the bundle and the pictures of the run are sent too.

    Raises:
        OptionError: there is no such tracker or argument, a value is none, or the tracker's package is not installed.
    """

    tracker: str
    arguments: Mapping[str, str] = field(default_factory=dict)
    artifacts: bool = False

    def __post_init__(self) -> None:
        require_known("`log`", [self.tracker], list(ARGUMENTS))
        require_known(f"`log` {self.tracker}", self.arguments, ARGUMENTS[self.tracker])
        for name, value in self.arguments.items():
            if not value:
                raise OptionError(f"`log` {self.tracker}: {name} has no value: leave it out, or give it one")
        if "mode" in self.arguments:
            require_known("`log` wandb: mode", [self.arguments["mode"]], _MODES)
        if "@" in urlsplit(self.arguments.get("uri", "")).netloc:
            raise OptionError(
                "`log` mlflow: uri has a user name or a password, which runs would record: set "
                "MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or all of it as MLFLOW_TRACKING_URI"
            )
        if importlib.util.find_spec(self.tracker) is None:
            raise OptionError(
                f"`log` {self.tracker}: the package {self.tracker} is not installed: "
                f"pip install 'trivium[{self.tracker}]'"
            )

    def __str__(self) -> str:
        """Return the destination as it is typed."""
        arguments = [f"{name}={value}" for name, value in self.arguments.items()] + ["artifacts=true"] * self.artifacts
        return self.tracker + (f":{','.join(arguments)}" if arguments else "")

    def export_command(self, folder: Path) -> str:
        """Return the command that sends what is in a folder here."""
        return f"`trivium runs export {folder} --to {self}`"


def parse(value: Destinations) -> list[Destination]:
    """Return the destinations of `mlflow:uri=http://host:5000,tensorboard`, of a list of such texts, or of a mapping.

    Args:
        value: texts, with commas between destinations and between arguments; or a mapping from each tracker's name to
            its arguments.

    Raises:
        OptionError: as `Destination`; or a tracker appears twice, or an argument does.
    """
    if isinstance(value, Mapping):
        pairs = [(name, {key: _text(each) for key, each in arguments.items()}) for name, arguments in value.items()]
    else:
        pairs = [pair for text in ([value] if isinstance(value, str) else value) for pair in _split(str(text))]
    names = [name for name, _ in pairs]
    if repeated := next((name for name in names if names.count(name) > 1), None):
        raise OptionError(f"`log`: {repeated} appears twice: a run is sent to one {repeated}")
    return [_destination(name, arguments) for name, arguments in pairs]


def _destination(tracker: str, arguments: dict[str, str]) -> Destination:
    artifacts = arguments.pop("artifacts", "false").lower()
    if artifacts not in (*_TRUE, *_FALSE):
        raise OptionError(f"`log` {tracker}: artifacts must be true or false, received {artifacts!r}")
    return Destination(tracker, arguments, artifacts in _TRUE)


def _split(text: str) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield the trackers in a text, each with its arguments: an entry without a tracker belongs to the one before."""
    current: tuple[str, dict[str, str]] | None = None
    for entry in text.split(","):
        tracker, colon, first = entry.strip().partition(":")
        if current and "=" in tracker:
            _add(current, entry.strip())
            continue
        if current:
            yield current
        current = tracker, {}
        if colon:
            _add(current, first)
    if current:
        yield current


def _add(destination: tuple[str, dict[str, str]], entry: str) -> None:
    tracker, arguments = destination
    name, equals, value = entry.partition("=")
    if not equals:
        raise OptionError(f"`log` {tracker}: {entry!r} has no value: expected NAME=VALUE, such as {tracker}:name=first")
    if name in arguments:
        raise OptionError(f"`log` {tracker}: {name} appears twice")
    arguments[name] = value


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
