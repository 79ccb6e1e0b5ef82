"""Turns `--checkpoint every=5,keep=3`, `best=val_accuracy` or `model-{epoch:03d}-{val_loss:.3f}` into rules."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...engine.runs.checkpoint_policy import MODEL_SUFFIXES, CheckpointRule, with_default_rule
from ...errors import OptionError
from ...storage.tensor_file import SUFFIX
from ..entries import parse_entries, split_list

OFF = "off"


def parse_rules(texts: Sequence[str]) -> tuple[CheckpointRule, ...]:
    """Return the rules of the texts; none for `off` alone.

    Raises:
        OptionError: a text is no rule, or two rules would write the same file.
    """
    if list(texts) == [OFF]:
        return ()
    return with_default_rule(CheckpointRule.of(parse_settings(text)) for text in texts)


def parse_settings(text: str) -> dict[str, Any]:
    """Return the settings of a rule. A pattern alone is its name, and `weights` stands alone for `weights=true`."""
    settings: dict[str, Any] = {}
    entries = []
    for entry in split_list(text):
        is_file = "=" not in entry and entry.endswith((*MODEL_SUFFIXES, SUFFIX))
        if is_file or ("{" in entry and not entry.startswith("name=")):
            settings["name"] = entry
        elif entry == "weights":
            settings["weights"] = True
        elif "=" not in entry or entry.endswith("="):
            raise OptionError(
                f"--checkpoint {text}: {entry!r} is not one of every=N, keep=N, best=METRIC, mode=MODE, name=PATTERN, "
                "weights"
            )
        else:
            entries.append(entry)
    return settings | parse_entries(
        "--checkpoint", ",".join(entries), example="every=5", texts=("best", "mode", "name")
    )
