"""Which checkpoints a run keeps, as words: `every=5,keep=3`, `best=val_accuracy`, `model-{epoch:03d}-{val_loss:.3f}`.

Without a rule a run keeps the two newest: after its first epoch, then whenever ten seconds have passed and fifty times
as long as the last one took to write, so that writing costs at most two hundredths of the time, and after the last.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from ...errors import OptionError
from ...functions import suggest
from ...storage.tensor_file import SUFFIX

WEIGHTS_SUFFIX = ".weights.h5"
DEFAULT_NAME = "epoch-{epoch:05d}"
_WORDS = ("every", "keep", "best", "name", "weights")


@dataclass(frozen=True)
class Rule:
    """One kind of checkpoint.

    Attributes:
        every: after so many epochs; None leaves it to how long they take.
        keep: so many of the newest; None keeps all.
        best: a metric: only after an epoch at which it is better than at each before.
        name: a pattern with the epoch and the metrics in it.
        weights: the weights alone, as the `.weights.h5` that plain Keras loads; a run cannot go on from it.
    """

    every: int | None = None
    keep: int | None = None
    best: str = ""
    name: str = DEFAULT_NAME
    weights: bool = False

    @classmethod
    def parse(cls, text: str) -> Self:
        """From words such as `every=5,keep=3` or a pattern for the name.

        Raises:
            OptionError: something else stands there.
        """
        entries = [entry.strip() for entry in re.split(r",(?![^{]*\})", text)]
        given = dict(_entry(text, entry) for entry in entries)
        every = _count(text, "every", given["every"]) if "every" in given else None
        keep = _count(text, "keep", given["keep"]) if "keep" in given else None
        best = given.get("best", "")
        if best and every:
            raise OptionError(f"--checkpoint {text}: give every=… and best=… as two --checkpoint")
        if best and "name" not in given:
            given["name"], keep = f"best-{best}", keep or 1
        rule = cls(every if best or every else 1, keep, best, given.get("name", DEFAULT_NAME), "weights" in given)
        rule.file_name(1, {}, known=False)
        return rule

    @property
    def resumable(self) -> bool:
        """Whether a run can go on from what it keeps, however it was interrupted."""
        return not self.weights and not self.best

    def file_name(self, epoch: int, logs: Mapping[str, float], *, known: bool = True) -> str:
        """The name of the file that is written after an epoch.

        Args:
            epoch: from 1.
            known: whether `logs` has every metric; without it only the pattern is tried.

        Raises:
            OptionError: the pattern is none, or names a metric that there is not.
        """
        values = dict(logs) if known else dict.fromkeys(re.findall(r"\{(\w+)", self.name), 0.0)
        try:
            name = self.name.format(**{**values, "epoch": epoch})
        except KeyError as error:
            raise OptionError(f"--checkpoint {self.name}: {_no_metric(str(error.args[0]), logs)}") from error
        except (ValueError, IndexError, AttributeError) as error:
            raise OptionError(
                f"--checkpoint {self.name}: expected a name such as model-{{epoch:03d}}-{{val_loss:.3f}} ({error})"
            ) from error
        if not name or name.startswith(".") or Path(name).name != name:
            raise OptionError(f"--checkpoint {self.name}: expected the name of a file, received {name!r}")
        return name.removesuffix(self._suffix) + self._suffix

    def value(self, logs: Mapping[str, float]) -> float:
        """The metric that `best` names.

        Raises:
            OptionError: there is none such.
        """
        if self.best not in logs:
            raise OptionError(f"--checkpoint best={self.best}: {_no_metric(self.best, logs)}")
        return logs[self.best]

    @property
    def _suffix(self) -> str:
        return WEIGHTS_SUFFIX if self.weights else SUFFIX


# What every run keeps, unless a rule takes its place: see the top of this file.
AUTOMATIC = Rule(keep=2)


def parse_rules(texts: Sequence[str]) -> tuple[Rule, ...]:
    """The rules that the words ask for; `AUTOMATIC` is among them unless another one serves to go on from.

    `off` by itself keeps none.

    Raises:
        OptionError: words that are none; two rules that would write the same file.
    """
    if list(texts) == ["off"]:
        return ()
    rules = [Rule.parse(text) for text in texts]
    if not any(rule.resumable for rule in rules):
        rules.append(AUTOMATIC)
    for (name, _), count in Counter((rule.name, rule.weights) for rule in rules).items():
        if count > 1:
            raise OptionError(f"--checkpoint: {count} would be written as {name}: give each a name=…")
    return tuple(rules)


def _entry(text: str, entry: str) -> tuple[str, str]:
    if "{" in entry and not entry.startswith("name="):
        return "name", entry
    word, equals, value = entry.partition("=")
    if word not in _WORDS or bool(equals) == (word == "weights") or (equals and not value):
        raise OptionError(
            f"--checkpoint {text}: {entry!r} is not one of every=N, keep=N, best=METRIC, name=PATTERN, weights"
            f"{suggest(word, list(_WORDS))}"
        )
    return word, value


def _count(text: str, word: str, value: str) -> int:
    if not value.isdecimal() or int(value) < 1:
        raise OptionError(f"--checkpoint {text}: {word} must be 1 or more, received {value}")
    return int(value)


def _no_metric(name: str, logs: Mapping[str, float]) -> str:
    return f"there is no metric {name!r} (there are: {', '.join(logs)}){suggest(name, list(logs))}"
