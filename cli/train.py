"""`trivium train`: a recipe, trained and kept as a run."""

from __future__ import annotations

import signal
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..backends import catalog, runtime
from ..engine.epochs.precision import POLICIES
from . import plan_report, resume_options
from .common import (
    address_option,
    backend_option,
    common_options,
    console,
    data_option,
    default_out,
    parse_assignments,
    print_json,
    seconds,
    set_option,
    trust_option,
)
from .progress import progress

if TYPE_CHECKING:
    from rich.console import Console

    from ..engine.runs.run import Run
    from ..engine.runs.run_folder import RunFolder

# What a shell says of a program that SIGTERM ended.
_TERMINATED = 128 + signal.SIGTERM

# Of --backend: what `trivium bench epochs --recommend` has found for the recipe.
AUTO = "auto"


@click.command()
@click.argument("recipe", required=False, default="")
@set_option
@data_option
@click.option("--epochs", type=int, metavar="N", help="How often to go through the data; by default as published.")
@click.option("--batch-size", type=int, metavar="N", help="Samples in a step.")
@click.option("--validation-split", type=float, metavar="SHARE", help="Share of the training data to hold out.")
@click.option("--optimizer", metavar="NAME", help="A Keras optimizer: adam, sgd, rmsprop, …")
@click.option("--learning-rate", type=float, metavar="RATE", help="Of the optimizer.")
@click.option("--seed", type=int, default=1, show_default=True, help="Of weights, batch order and dropout.")
@click.option(
    "--rng",
    type=click.Choice(["owned", "native"]),
    default="owned",
    show_default=True,
    help="Whose randomness: ours, the same on every backend, or each framework's.",
)
@click.option(
    "--plan", default="auto", metavar="NAME", help="How epochs are run: auto, fit, or one of the backend's plans."
)
@click.option(
    "--devices",
    type=click.IntRange(min=1),
    default=1,
    metavar="N",
    help="Devices of this machine (GPUs, else cores) that train together, each on its share of a batch.",
)
@click.option("--explain", is_flag=True, help="Only show what the plans cost here and which would be taken.")
@click.option(
    "--workers", type=click.IntRange(min=1), metavar="N", help="Processes on a Ray cluster that train together instead."
)
@address_option
@click.option(
    "--precision", type=click.Choice(POLICIES), help="Floats that layers compute in; the trained model is float32."
)
@click.option("--class-weight", metavar="WORDS", help="How much classes count: balanced, or 0=1,1=5 by their names.")
@click.option("--augment", metavar="CHANGES", help="Change pictures anew each epoch: rotation=10,shift=0.1,zoom=0.1,…")
@click.option("--from", "start", type=click.Path(path_type=Path), metavar="BUNDLE", help="Go on with a trained model.")
@click.option("--freeze", multiple=True, metavar="PATTERN", help="Layers to leave as they are, such as 'conv*'.")
@click.option("--replace-head", type=int, metavar="N", help="A new output layer, for N classes.")
@click.option("--deterministic", is_flag=True, help="Reproducible kernels, even where they are slower.")
@click.option("--threads", type=click.IntRange(min=1), metavar="N", help="CPU threads one operation may use.")
@click.option(
    "--early-stopping", metavar="WORDS", help="monitor=val_loss,patience=10,min_delta=0,restore_best=true, or a part."
)
@click.option("--lr-schedule", metavar="WORDS", help="step:0.1@30,60, cosine, exponential:0.95 or file.py:function.")
@click.option(
    "--reduce-on-plateau", metavar="WORDS", help="monitor=val_loss,factor=0.1,patience=10,min_lr=0, or a part."
)
@click.option("--tensorboard", type=click.Path(path_type=Path), metavar="DIR", help="Write logs for TensorBoard.")
@click.option("--csv", type=click.Path(path_type=Path), metavar="FILE", help="Write a line of metrics an epoch.")
@click.option(
    "--checkpoint",
    "checkpoints",
    multiple=True,
    metavar="WORDS",
    help="every=5,keep=3, best=val_accuracy, model-{epoch:03d}-{val_loss:.3f}, each also with weights; or off. "
    "By default the newest two.",
)
@click.option("--resume", is_flag=True, help="Go on with the run in the folder, exactly as if it had not stopped.")
@click.option("--out", type=click.Path(path_type=Path), help="The run's folder; runs/RECIPE by default.")
@backend_option
@trust_option
@common_options
@click.pass_context
def command(ctx: click.Context, /, out: Path | None, resume: bool, explain: bool, as_json: bool, **_: Any) -> None:
    """Train RECIPE, and keep model, history, checkpoints and pictures in a folder.

    RECIPE is one of `trivium recipes`, or a model of your own: path/to/file.py:function. With --from it may be
    left out; with --resume everything may that the run in the folder was asked for.

    \b
    Example:
      trivium train cnn/striding --epochs 3 --backend jax --out runs/digits
      trivium train my_model.py:build --data my_data.npz
      trivium train --from runs/digits --freeze 'conv*' --learning-rate 1e-4 --out runs/finer
      trivium train --resume --out runs/digits
      trivium train rnn/lstm --explain
      trivium train cnn/striding --workers 4 --address 10.0.0.1:6379 --out runs/spread
    """
    asked = resume_options.of(ctx)
    if resume:
        out = out or default_out(ctx.params["recipe"])
        asked = resume_options.complete(ctx, out, asked)
    backend, threads, workers, address, assignments, data, checkpoints, settings = _sorted_out(ctx.params)
    if backend == AUTO:
        from ..benchmarks.recommend import recommended_backend

        backend = recommended_backend(ctx.params["recipe"])
    catalog.use(backend, threads=threads, devices=settings["devices"])
    from ..engine.runs import run_folder
    from ..engine.runs.checkpoint_policy import parse_rules
    from ..engine.training import ray_ranks
    from ..engine.training.saving import save
    from ..engine.training.trainer import Trainer, dataset_for

    rules = parse_rules(checkpoints)
    group = ctx.with_resource(ray_ranks.ranks(workers, address, settings["devices"]))
    trainer = Trainer(options=parse_assignments(assignments), group=group, **settings)
    dataset = dataset_for(trainer.recipe, data)
    runtime.current()  # here, because it is quiet about it: preparation may import Keras
    prepared = trainer.prepare(dataset)
    name = trainer.recipe.name
    out = out or default_out(name)
    title = f"{name} on {catalog.selected().title}"
    if explain:
        with progress(title) as trainer.listener:
            explanation = trainer.explain(dataset, prepared)
        plan_report.show(explanation, as_json)
        return
    with run_folder.open_run(out, rules, resume=resume) as kept, progress(title) as trainer.listener:
        kept.arguments = asked
        if group:
            group.listener = trainer.listener
        run = trainer.fit(dataset, prepared, kept)
        trainer.listener({"kind": "stage", "stage": "saving and drawing"})
        files = save(run, out)
    if as_json:
        print_json({**run.to_json(), "files": [str(file) for file in files]})
    else:
        _print(run, files, kept, console())
        for death in group.deaths if group else ():
            console().print(f"on the way  {death}")
    if run.terminated:
        ctx.exit(_TERMINATED)


def _sorted_out(params: Mapping[str, Any]) -> tuple[Any, ...]:
    """What the parameters are for: where it runs, the recipe's options, data, checkpoints, the trainer."""
    from ..engine.training.callback_options import CallbackOptions

    left = {name: value for name, value in params.items() if name not in ("out", "resume", "explain", "as_json")}
    watching = {each.name: left.pop(each.name) for each in fields(CallbackOptions)}
    places = ("backend", "threads", "workers", "address")
    first = (left.pop(name) for name in (*places, "assignments", "data", "checkpoints"))
    return (*first, {**left, "watching": CallbackOptions(**watching)})


def _print(run: Run, files: list[Path], kept: RunFolder, screen: Console) -> None:
    if run.interrupted:
        screen.print(f"Stopped after {len(run.history)} of {run.settings['epochs']} epochs; they are kept.")
        screen.print(f"go on       trivium train --resume --out {kept.path}")
    for note in kept.skipped:
        screen.print(f"passed over {note}")
    for resumed in run.resumed[-1:]:
        screen.print(f"went on     after epoch {resumed['after_epoch']}")
    screen.print(f"data        {run.dataset.source}")
    last = run.history.epochs[-1]
    screen.print("last epoch  " + "  ".join(f"{name} {value:.4g}" for name, value in last.items()))
    if run.evaluation:
        screen.print("test        " + "  ".join(f"{name} {value:.4g}" for name, value in run.evaluation.items()))
    steady, compiling = run.timings.steady_epoch, run.timings.compile
    if steady is None:
        screen.print(f"time        {seconds(run.timings.epochs[0])} s for the one epoch, compilation included")
    else:
        screen.print(f"time        {seconds(steady)} s an epoch, compilation {seconds(compiling)} s")
    plan = run.settings["plan"]
    if "why" in plan:
        by = "Keras' fit" if plan["name"] == "fit" else plan["name"]
        screen.print(f"run by      {by}: {plan['why']}")
    if "count" in plan:
        screen.print(f"run by      {plan['count']} {plan['name']}, each on its share of every batch")
    if plan.get("seconds"):
        screen.print(f"run by      {plan['name']}, compiled and chosen in {seconds(plan['seconds'])} s of trials")
    screen.print(f"kept        {', '.join(str(file) for file in files)}")
    if kept.earlier:
        screen.print(f"earlier     the run that was there is now {kept.earlier}")
