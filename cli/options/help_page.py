"""The help of a command with many options: they stand in groups, under the questions that a reader comes with.

One table serves every command, because an option means the same wherever it stands. An option that the table does not
name is the command's own, and comes first.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import click

# Columns of the options; a longer one has its explanation in the next line.
_LEFT = 24
_OWN = "Options"

_READING = (
    *("--data", "--target", "--task", "--window", "--horizon", "--stride", "--key", "--time", "--test", "--test-share"),
    *("--part", "--size", "--fit", "--skip-broken", "--validation-split", "--validation", "--augment"),
)
GROUPS: Mapping[str, tuple[str, ...]] = {
    "Model": ("--set", "--from", "--layers", "--freeze", "--unfreeze", "--replace-head"),
    "Data": _READING,
    "Training": (
        *("--epochs", "--batch-size", "--steps-per-epoch", "--optimizer", "--learning-rate", "--lr-schedule"),
        *("--reduce-on-plateau", "--early-stopping", "--loss", "--metrics", "--threshold", "--class-weight"),
        *("--precision", "--shuffle", "--seed", "--rng", "--deterministic"),
    ),
    "Backend and devices": (
        *("--backend", "--backends", "--device", "--devices", "--threads", "--matmul-precision", "--plan", "--explain"),
        *("--workers", "--executor", "--address"),
    ),
    "Output": (
        *("--out", "--resume", "--checkpoint", "--samples", "--csv", "--tensorboard", "--log", "--history"),
        *("--json",),
    ),
    "Further options": ("--config", "--print-config", "--trust", "--debug", "--help"),
}


class GroupedCommand(click.Command):
    """Command whose help shows its options in groups."""

    groups: ClassVar[Mapping[str, tuple[str, ...]]] = GROUPS
    most_in_one_list: ClassVar[int] = 12

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        options = {_name(each): each for each in self.get_params(ctx) if isinstance(each, click.Option)}
        if len(options) <= self.most_in_one_list:
            super().format_options(ctx, formatter)
            return
        for title, names in self.grouped(options).items():
            with formatter.section(title):
                records = (options[name].get_help_record(ctx) for name in names)
                rows = [(f"{record[0]:<{_LEFT}}", record[1]) for record in records if record]
                formatter.write_dl(rows, col_max=_LEFT)

    def grouped(self, names: Mapping[str, click.Option]) -> dict[str, list[str]]:
        """Return the names of the options in each group that has any: the command's own first, in their order."""
        listed = {name for group in self.groups.values() for name in group}
        groups = {_OWN: [name for name in names if name not in listed]}
        groups |= {title: [name for name in group if name in names] for title, group in self.groups.items()}
        return {title: group for title, group in groups.items() if group}


class SuiteCommand(GroupedCommand):
    """Suite of `trivium bench`. `--precision` is that of the measurement here, not the dtype of a training."""

    most_in_one_list = 0
    groups: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "Measuring": ("--quick", "--budget", "--precision", "--rounds", "--limit", "--baseline", "--fail-on"),
        **{title: tuple(name for name in names if name != "--precision") for title, names in GROUPS.items()},
    }


def _name(option: click.Option) -> str:
    return max(option.opts, key=len)
