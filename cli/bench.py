"""`trivium bench`: measure what is fastest on this machine, and what results the recipes reach."""

from __future__ import annotations

import click

from .benches import (
    batch_size,
    book,
    checkpoint_cost,
    data_size,
    epochs,
    inference,
    masks,
    overhead,
    pooling_vs_striding,
    scaling,
    search_speed,
    start_up,
    time_to_accuracy,
)
from .common import common_options


class _SuiteGroup(click.Group):
    """Group with one subcommand for each suite, because each suite has its own options."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args[0] not in self.commands and not ctx.resilient_parsing:  # not while a shell completes
            ctx.fail(f"no suite {args[0]!r}: choose one of {', '.join(self.commands)}")
        return super().resolve_command(ctx, args)


@click.group(cls=_SuiteGroup)
@common_options
@click.pass_context
def command(ctx: click.Context, as_json: bool) -> None:
    """Measure what is fastest on this machine.

    Each suite runs on the installed backends, each in its own process. --quick is a first look in little time, in every
    suite; --budget is the time for measuring, in all that measure in rounds.

    \b
    Example:
      trivium bench pooling-vs-striding --budget 60s --out runs/pooling
      trivium bench book --recipes cnn --backends jax
    """
    ctx.default_map = {suite: {"as_json": as_json} for suite in command.commands}  # `--json` may stand before the suite


for _suite in (
    *(epochs, time_to_accuracy, pooling_vs_striding, batch_size, data_size, start_up, inference),
    *(overhead, masks, checkpoint_cost, scaling, search_speed, book),
):
    command.add_command(_suite.command)
