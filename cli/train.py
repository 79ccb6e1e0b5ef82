"""`trivium train`: train a recipe, and save the result as a run."""

from __future__ import annotations

import signal
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..backends import catalog, runtime
from ..engine.epochs.precision import POLICIES
from ..engine.training.hold_out import LAST, MODES, SHUFFLED, STRATIFIED, TIME
from ..functions import metrics_text
from . import plan_report
from .common import (
    address_option,
    backend_option,
    common_options,
    console,
    default_out,
    matmul_option,
    parse_assignments,
    print_json,
    seconds,
    set_option,
    threshold_option,
    trust_option,
)
from .entries import parse_entries
from .options import resume_options
from .options.checkpoint_rules import parse_rules
from .options.config_file import config_options
from .options.data_options import data_options
from .options.help_page import GroupedCommand
from .options.tracker_options import log_option
from .progress import progress

if TYPE_CHECKING:
    from rich.console import Console

    from ..engine.runs.run import Run
    from ..engine.runs.run_folder import RunFolder

# The exit code that a shell reports for a program that SIGTERM ended.
_TERMINATED = 128 + signal.SIGTERM

_CHOSEN = {
    LAST: "the last of them",
    SHUFFLED: "chosen at random",
    STRATIFIED: "stratified by class",
    TIME: "the last of each series",
}

# The value of --backend that takes the recommendation of `trivium bench epochs --recommend` for the recipe.
AUTO = "auto"


@click.command(cls=GroupedCommand)
@click.argument("recipe", required=False, default="")
@set_option
@data_options
@click.option("--epochs", type=int, metavar="N", help="Passes over the training data. Default: the recipe's own.")
@click.option("--batch-size", type=int, metavar="N", help="Samples per step.")
@click.option(
    "--steps-per-epoch",
    type=int,
    metavar="N",
    help="Batches in an epoch: of a stream that does not say how many it has, or of arrays, which go on where the last "
    "epoch stopped.",
)
@click.option(
    "--validation-split", type=float, metavar="SHARE", help="Share of the training data held out for validation."
)
@click.option(
    "--validation",
    metavar="HOW|FILE",
    help=f"How it is chosen: {', '.join(MODES)}; or a file to validate on, read as --data is. Default: the last part "
    "for trivium's recipes; for your own model stratified by class where there are classes, else shuffled, and the "
    "last part of a series.",
)
@click.option(
    "--optimizer",
    metavar="NAME",
    help="A Keras optimizer: adam, sgd, …; with arguments: sgd:momentum=0.9,nesterov=true.",
)
@click.option("--learning-rate", type=float, metavar="RATE", help="Learning rate of the optimizer.")
@click.option("--loss", metavar="NAME", help="A Keras loss: mse, mae, huber, … Default: one that fits.")
@click.option("--metrics", metavar="NAMES", help="Keras metrics, separated by commas: mae,mape. Default: by the loss.")
@threshold_option
@click.option("--shuffle/--no-shuffle", default=None, help="Order of the samples in each epoch: new, or theirs.")
@click.option(
    "--seed", type=int, default=1, show_default=True, help="Seed of the weights, the batch order and dropout."
)
@click.option(
    "--rng",
    type=click.Choice(["owned", "native"]),
    default="owned",
    show_default=True,
    help="Random numbers: trivium's own (the same on every backend), or those of each framework.",
)
@click.option("--plan", default="auto", metavar="NAME", help="How epochs run: auto, fit, or a plan of the backend.")
@click.option(
    "--devices",
    type=click.IntRange(min=1),
    default=1,
    metavar="N",
    help="Train on N devices of this machine (GPUs, else cores); each takes a share of every batch.",
)
@click.option("--explain", is_flag=True, help="Show the time of each plan and which one would be used; do not train.")
@click.option(
    "--workers",
    type=click.IntRange(min=1),
    metavar="N",
    help="Train on N processes of a Ray cluster instead of --devices.",
)
@address_option
@click.option(
    "--precision",
    type=click.Choice(POLICIES),
    help="Dtype policy that layers compute in; the trained model is float32.",
)
@click.option(
    "--class-weight", metavar="WEIGHTS", help="Weights of the classes: balanced, or by name, such as 0=1,1=5."
)
@click.option(
    "--augment", metavar="CHANGES", help="Augment pictures anew in each epoch: rotation=10,shift=0.1,zoom=0.1,…"
)
@click.option(
    "--from",
    "start",
    type=click.Path(path_type=Path),
    metavar="MODEL",
    help="Start from a trained model: "
    "a run folder, a bundle, a .keras or .h5 file; or from weights (.weights.h5), beside a RECIPE.",
)
@click.option(
    "--layers", multiple=True, metavar="PATTERN", help="Of --from, take the weights of these layers alone into RECIPE."
)
@click.option(
    "--freeze", multiple=True, metavar="PATTERN", help="Do not train these layers, such as 'conv*'; may be repeated."
)
@click.option(
    "--unfreeze", multiple=True, metavar="PATTERN", help="Train these layers, which are frozen; may be repeated."
)
@click.option(
    "--replace-head",
    metavar="N|LAYERS",
    help="Replace the output layer by one for N classes, by layers such as "
    "'Dense(64,relu),Dense(5,softmax)', or by what file.py:function builds on the model without it.",
)
@click.option("--deterministic", is_flag=True, help="Use reproducible kernels, even where they are slower.")
@click.option("--threads", type=click.IntRange(min=1), metavar="N", help="CPU threads per operation.")
@click.option(
    "--early-stopping",
    metavar="SETTINGS",
    help="Stop when a metric stops improving: patience=10,monitor=val_loss; also min_delta=0, restore_best=true, "
    "mode=max.",
)
@click.option("--lr-schedule", metavar="SCHEDULE", help="step:0.1@30,60, cosine, exponential:0.95 or file.py:function.")
@click.option(
    "--reduce-on-plateau",
    metavar="SETTINGS",
    help="Lower the learning rate when a metric stops improving: patience=10,monitor=val_loss; also factor=0.1, "
    "min_lr=0.",
)
@click.option(
    "--tensorboard", type=click.Path(path_type=Path), metavar="DIR", help="Write logs for TensorBoard into this folder."
)
@click.option(
    "--csv", type=click.Path(path_type=Path), metavar="FILE", help="Write a line of metrics per epoch into this file."
)
@click.option(
    "--samples",
    metavar="SETTINGS",
    help="Let a text model write into samples.txt in the run's folder: every=5,length=200; also temperatures=0.5+1.",
)
@click.option(
    "--checkpoint",
    "checkpoints",
    multiple=True,
    metavar="RULE",
    help="When to save: every=5,keep=3, best=val_accuracy, model-{epoch:03d}-{val_loss:.3f}; add mode=max for a metric "
    "of your own, weights to save the weights alone; end a name in .h5 or .keras for whole models; or off. May be "
    "repeated. Default: keep the newest two.",
)
@log_option
@click.option("--resume", is_flag=True, help="Continue the run in --out, exactly as if it had not stopped.")
@click.option("--out", type=click.Path(path_type=Path), help="Folder of the run. Default: runs/RECIPE.")
@backend_option
@matmul_option
@trust_option
@common_options
@config_options
@click.pass_context
def command(ctx: click.Context, /, out: Path | None, resume: bool, explain: bool, as_json: bool, **_: Any) -> None:
    """Train a recipe or a model of your own, and save the run.

    The model, its history, checkpoints and pictures are saved in a folder. RECIPE is a name from `trivium recipes`,
    your own model (path/to/file.py:function), an architecture (.json or .yaml), or a network of Keras
    (applications/MobileNetV2). It may be left out with --from. With --resume, the options that the run was started with
    may be left out, but for code, and logs outside of its folder; of a run that is not your own, also for the files
    that it reads.

    \b
    Example:
      trivium train cnn/striding --epochs 3 --backend jax --out runs/digits
      trivium train my_model.py:build --data my_data.npz
      trivium train --from runs/digits --freeze 'conv*' --out runs/finer
      trivium train --from model.keras --data my_data.npz
      trivium train --resume --out runs/digits
      trivium train text/letters --samples every=5 --out runs/letters
      trivium train rnn/lstm --explain
      trivium train cnn/striding --workers 4 --address 10.0.0.1:6379
    """
    arguments = resume_options.from_command_line(ctx)
    if resume:
        out = out or default_out(ctx.params["recipe"])
        arguments = resume_options.complete(ctx, out, arguments)
    backend, threads, workers, address, assignments, data, checkpoints, settings = _split_options(ctx.params)
    if backend == AUTO:
        from ..benchmarks.recommend import recommended_backend

        backend = recommended_backend(ctx.params["recipe"])
    catalog.use(backend, threads=threads, devices=settings["devices"])
    from ..engine.runs import run_folder
    from ..engine.training import ray_ranks
    from ..engine.training.saving import save
    from ..engine.training.train import with_validation_file
    from ..engine.training.trainer import Trainer

    rules = parse_rules(checkpoints)
    group = ctx.with_resource(ray_ranks.ranks(workers, address, settings["devices"]))
    data, settings["validation"] = with_validation_file(data, settings["validation"])
    trainer = Trainer(options=parse_assignments(assignments), group=group, **settings)
    dataset = trainer.load(data)
    runtime.current()  # imported here, where its messages are silenced; preparation may import Keras
    prepared = trainer.prepare(dataset)
    name = trainer.recipe.name
    out = out or default_out(name)
    title = f"{name} on {catalog.selected().title}"
    if explain:
        with progress(title) as trainer.listener:
            explanation = trainer.explain(dataset, prepared)
        plan_report.show(explanation, as_json)
        return
    with run_folder.open_run(out, rules, resume=resume) as folder, progress(title) as trainer.listener:
        folder.arguments = arguments
        if group:
            group.listener = trainer.listener
        run = trainer.fit(dataset, prepared, folder)
        trainer.listener({"kind": "stage", "stage": "saving and drawing"})
        files = save(run, out, trainer.listener)
    if as_json:
        print_json({**run.to_json(), "files": [str(file) for file in files]})
    else:
        _print(run, files, folder, console())
        for death in group.deaths if group else ():
            console().print(f"on the way  {death}")
    if run.terminated:
        ctx.exit(_TERMINATED)


def _split_options(params: Mapping[str, Any]) -> tuple[Any, ...]:
    """Return backend, threads, workers, address, assignments, data, checkpoints, and the settings of the trainer."""
    from ..engine.training.callback_options import CallbackOptions

    left = {name: value for name, value in params.items() if name not in ("out", "resume", "explain", "as_json")}
    callbacks = {field.name: left.pop(field.name) for field in fields(CallbackOptions)} | _callback_settings(params)
    places = ("backend", "threads", "workers", "address")
    first = [left.pop(name) for name in (*places, "assignments", "data", "checkpoints")]
    if left["metrics"] is not None:
        left["metrics"] = [name.strip() for name in left["metrics"].split(",")]
    left["optimizer"] = _optimizer(left["optimizer"])
    settings = {**left, **_weights_and_changes(params), "callback_options": CallbackOptions(**callbacks)}
    return (*first, settings)


def _optimizer(text: str | None) -> str | dict[str, Any] | None:
    """Return the optimizer of `sgd:momentum=0.9` as a mapping of its name and its arguments; a name alone as it is."""
    name, colon, arguments = (text or "").partition(":")
    return {"name": name, **parse_entries("--optimizer", arguments, example="momentum=0.9")} if colon else text


def _callback_settings(params: Mapping[str, Any]) -> dict[str, Any]:
    examples = {"early_stopping": "patience=3", "reduce_on_plateau": "patience=3", "samples": "every=5"}
    return {
        name: parse_entries(f"--{name.replace('_', '-')}", params[name], example=example, texts=("monitor", "mode"))
        for name, example in examples.items()
        if params[name] is not None
    }


def _weights_and_changes(params: Mapping[str, Any]) -> dict[str, Any]:
    settings: dict[str, Any] = {}
    class_weight, augment = params["class_weight"], params["augment"]
    if class_weight is not None and class_weight != "balanced":
        settings["class_weight"] = parse_entries("--class-weight", class_weight, example="balanced, or 0=1,1=5")
    if augment is not None:
        settings["augment"] = parse_entries("--augment", augment, example="rotation=10,shift=0.1,flip=horizontal")
    return settings


def _print(run: Run, files: list[Path], folder: RunFolder, screen: Console) -> None:
    if run.interrupted:
        screen.print(f"Stopped after {len(run.history)} of {run.settings['epochs']} epochs; they are kept.")
        screen.print(f"go on       trivium train --resume --out {folder.path}")
    for note in folder.skipped:
        screen.print(f"passed over {note}")
    for resumed in run.resumed[-1:]:
        screen.print(f"went on     after epoch {resumed['after_epoch']}")
    screen.print(f"data        {run.dataset.source}")
    screen.print(f"validation  {_describe_validation(run)}")
    last = run.history.epochs[-1]
    screen.print(f"last epoch  {metrics_text(last)}")
    if run.evaluation:
        screen.print(f"test        {metrics_text(run.evaluation)}")
    _print_training_part(run, screen)
    if run.stopped:
        screen.print(f"stopped     {run.stopped}")
    _print_pace(run, screen)
    screen.print(f"kept        {', '.join(str(file) for file in files)}")
    if folder.earlier:
        screen.print(f"earlier     the run that was there is now {folder.earlier}")


def _print_pace(run: Run, screen: Console) -> None:
    """Print how long an epoch took, and by which plan the epochs ran."""
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


def _print_training_part(run: Run, screen: Console) -> None:
    """Print the errors on the part of a series that was trained on, and how much of it was predicted."""
    if run.training_evaluation:
        amount = f" ({run.training_part.amount})" if run.training_part.amount else ""
        values = metrics_text(run.training_evaluation)
        screen.print(f"trained on  {values}{amount}")


def _describe_validation(run: Run) -> str:
    """Return which samples the run was validated on."""
    if run.dataset.validation:
        return f"{len(run.dataset.validation):,} samples of their own"
    if run.dataset.validation_stream:
        return f"{run.dataset.validation_stream.kind}, after each epoch"
    share = run.settings["validation_split"]
    how = _CHOSEN[run.settings.get("validation", LAST)]
    return f"{share:.0%} of the training data, {how}" if share else "none"
