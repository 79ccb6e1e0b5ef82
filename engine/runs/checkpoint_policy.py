"""Which checkpoints a run keeps: one every five epochs, the best by a metric, the three newest.

The default rule keeps the two newest checkpoints. It writes one after the first epoch and one after the last. In
between it waits for ten seconds, and for fifty times as long as the last one took to write, so that writing costs at
most 2 % of the time.
"""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any, Self

from ...errors import OptionError
from ...functions import require_known, suggest
from ...storage.tensor_file import SUFFIX
from . import direction
from .file_names import is_below

# Width and precision have two digits: a larger one would fill the memory with a name.
_PLAIN_FORMAT = re.compile(r"[<>=^+ -]?\d{0,2}(\.\d{1,2})?[a-zA-Z%]?")

WEIGHTS_SUFFIX = ".weights.h5"
MODEL_SUFFIXES = (".keras", ".h5", ".hdf5")
DEFAULT_NAME = "epoch-{epoch:05d}"


@dataclass(frozen=True)
class CheckpointRule:
    """When to write a checkpoint, and how many to keep.

    Attributes:
        every: the number of epochs from one checkpoint to the next; None decides by time, see the top of this module.
        keep: how many of the newest to keep; None keeps all.
        best: the name of a metric: write only after an epoch that improves on all earlier ones.
        mode: `max` or `min`, whichever values of this metric are better; `auto` as Keras knows it.
        name: a pattern of the file name, with the epoch and the metrics; it may stand in a folder, `models/{epoch}`. An
            ending says what is written: `.h5` or `.keras` the whole model, `.weights.h5` the weights, no ending a
            checkpoint to resume from.
        weights: write the weights alone, as a `.weights.h5` that plain Keras loads; a run cannot be resumed from it.
    """

    every: int | None = None
    keep: int | None = None
    best: str = ""
    name: str = DEFAULT_NAME
    weights: bool = False
    mode: str = direction.AUTO

    @classmethod
    def of(cls, settings: Mapping[str, Any]) -> Self:
        """Return the rule of some of the attributes; for the others by what they mean together.

        Without `every` and `best` it writes after each epoch. With `best` it keeps the best checkpoint alone, by the
        name `best-METRIC`.

        Raises:
            OptionError: an unknown name, or a value that is not allowed.
        """
        require_known("`checkpoint`", settings, [field.name for field in fields(cls)])
        every, keep = (_parse_count(name, settings.get(name)) for name in ("every", "keep"))
        best, name = str(settings.get("best", "")), str(settings.get("name", ""))
        weights = settings.get("weights", False)
        if not isinstance(weights, bool):
            raise OptionError(f"`checkpoint`: weights must be true or false, received {weights!r}")
        if best and every:
            raise OptionError("`checkpoint`: give every=… and best=… as two rules")
        if best and not name:
            name, keep = f"best-{best}", keep or 1
        mode = str(settings.get("mode", direction.AUTO))
        direction.require_mode("`checkpoint`", mode)
        if mode != direction.AUTO and not best:
            raise OptionError("`checkpoint`: mode=… is that of a metric: add best=METRIC")
        weights = weights or name.endswith(WEIGHTS_SUFFIX)
        if weights and name.endswith(MODEL_SUFFIXES[0]):
            raise OptionError(f"`checkpoint` {name}: weights alone are a {WEIGHTS_SUFFIX}: leave the ending out")
        rule = cls(every if best or every else 1, keep, best, name or DEFAULT_NAME, weights, mode)
        rule.file_name(1, {}, known=False)
        return rule

    @property
    def resumable(self) -> bool:
        """Whether a run can be resumed from these checkpoints, however it was interrupted."""
        return not self.weights and not self.best and not self.is_model

    @property
    def is_model(self) -> bool:
        """Whether a file is a whole model that plain Keras reads, which holds no state of the run."""
        return not self.weights and self.name.endswith(MODEL_SUFFIXES)

    def file_name(self, epoch: int, logs: Mapping[str, float], *, known: bool = True) -> str:
        """Return the name of the file for an epoch.

        Args:
            epoch: counted from 1.
            known: whether `logs` has the metrics; False only checks the pattern.

        Raises:
            OptionError: the pattern is invalid, or names an unknown metric.
        """
        values = dict(logs) if known else dict.fromkeys(re.findall(r"\{(\w+)", self.name), 0.0)
        try:
            _require_plain_fields(self.name)
            name = self.name.format(**{**values, "epoch": epoch})
        except KeyError as error:
            raise OptionError(f"`checkpoint` {self.name}: {_unknown_metric(str(error.args[0]), logs)}") from error
        except (ValueError, IndexError, AttributeError) as error:
            raise OptionError(
                f"`checkpoint` {self.name}: expected a name such as model-{{epoch:03d}}-{{val_loss:.3f}} ({error})"
            ) from error
        if not is_below(name):
            raise OptionError(
                f"`checkpoint` {self.name}: expected the name of a file, which may stand in a folder within the run, "
                f"received {name!r}"
            )
        return self._complete(name)

    def value(self, logs: Mapping[str, float]) -> float:
        """Return the value of the metric that `best` names.

        Raises:
            OptionError: the metric is unknown.
        """
        if self.best not in logs:
            raise OptionError(f"`checkpoint` best={self.best}: {_unknown_metric(self.best, logs)}")
        return logs[self.best]

    def resolve_direction(self, known: Mapping[str, str | None]) -> str:
        """Return `max` or `min`, whichever values of the metric that `best` names are better.

        Args:
            known: as `metric_directions` returns it.

        Raises:
            OptionError: nobody knows it.
        """
        return direction.resolve(f"`checkpoint` best={self.best}", self.best, self.mode, known)

    @property
    def file_pattern(self) -> str:
        """The pattern of the file name with its ending."""
        return self._complete(self.name)

    def _complete(self, name: str) -> str:
        """Return a name with the ending of what is written."""
        if self.is_model:
            return name
        suffix = WEIGHTS_SUFFIX if self.weights else SUFFIX
        bare = name.removesuffix(suffix)
        return (bare.removesuffix(".h5") if self.weights else bare) + suffix


# The rule of a run that names none: see the top of this module.
DEFAULT_RULE = CheckpointRule(keep=2)


def with_default_rule(rules: Iterable[CheckpointRule]) -> tuple[CheckpointRule, ...]:
    """Return the rules, and `DEFAULT_RULE` unless a run can be resumed from the checkpoints of another rule.

    Raises:
        OptionError: two rules would write the same file.
    """
    rules = list(rules)
    if not any(rule.resumable for rule in rules):
        rules.append(DEFAULT_RULE)
    for name, count in Counter(rule.file_pattern for rule in rules).items():
        if count > 1:
            raise OptionError(f"`checkpoint`: {count} would be written as {name}: give each a name=…")
    return tuple(rules)


def _parse_count(name: str, value: Any) -> int | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise OptionError(f"`checkpoint`: {name} must be 1 or more, received {value!r}")
    return value


def _unknown_metric(name: str, logs: Mapping[str, float]) -> str:
    return f"there is no metric {name!r} (there are: {', '.join(logs)}){suggest(name, list(logs))}"


def _require_plain_fields(pattern: str) -> None:
    """Raise a ValueError unless a pattern has the names of metrics in its braces, with short formats."""
    for _, field, form, _ in string.Formatter().parse(pattern):
        if field is not None and not (re.fullmatch(r"[^.\[\]]*", field) and _PLAIN_FORMAT.fullmatch(form or "")):
            raise ValueError(f"{{{field}:{form}}} is no metric with a short format")
