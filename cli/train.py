"""`trivium train`: a recipe, trained and kept as a run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..backends import catalog, runtime
from ..models.recipe import Recipe
from .common import (
    backend_option,
    common_options,
    console,
    data_option,
    default_out,
    parse_assignments,
    print_json,
    seconds,
    set_option,
)
from .progress import progress

if TYPE_CHECKING:
    from rich.console import Console

    from ..engine.run import Run


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
@click.option("--augment", metavar="CHANGES", help="Change pictures anew each epoch: rotation=10,shift=0.1,zoom=0.1,…")
@click.option("--from", "start", type=click.Path(path_type=Path), metavar="BUNDLE", help="Go on with a trained model.")
@click.option("--freeze", multiple=True, metavar="PATTERN", help="Layers to leave as they are, such as 'conv*'.")
@click.option("--replace-head", type=int, metavar="N", help="A new output layer, for N classes.")
@click.option("--deterministic", is_flag=True, help="Reproducible kernels, even where they are slower.")
@click.option("--threads", type=click.IntRange(min=1), metavar="N", help="CPU threads one operation may use.")
@click.option("--out", type=click.Path(path_type=Path), help="The run's folder; runs/RECIPE by default.")
@backend_option
@common_options
def command(
    recipe: str,
    assignments: tuple[str, ...],
    data: str | None,
    out: Path | None,
    backend: str | None,
    threads: int | None,
    as_json: bool,
    **settings: Any,
) -> None:
    """Train RECIPE, and keep model, history and pictures in a folder.

    RECIPE is one of `trivium recipes`, or a model of your own: path/to/file.py:function. With --from it may be
    left out.

    \b
    Example:
      trivium train cnn/striding --epochs 3 --backend jax --out runs/digits
      trivium train my_model.py:build --data my_data.npz
      trivium train --from runs/digits --freeze 'conv*' --learning-rate 1e-4 --out runs/finer
    """
    catalog.use(backend, threads=threads)
    from ..engine import run_folder
    from ..engine.training import Trainer, dataset_for

    trainer = Trainer(recipe, options=parse_assignments(assignments), **settings)
    dataset = dataset_for(trainer.recipe, data)
    runtime.current()  # here, because it is quiet about it: preparation may import Keras
    prepared = trainer.prepare(dataset)
    assert isinstance(trainer.recipe, Recipe)
    name = trainer.recipe.name
    out = out or default_out(name)
    title = f"{name} on {catalog.selected().title}"
    with run_folder.claimed(out) as earlier, progress(title) as trainer.listener:
        run = trainer.fit(dataset, prepared)
        trainer.listener({"kind": "stage", "stage": "saving and drawing"})
        files = run_folder.save(run, out)
    if as_json:
        print_json({**run.to_json(), "files": [str(file) for file in files]})
        return
    _print(run, files, earlier, console())


def _print(run: Run, files: list[Path], earlier: Path | None, screen: Console) -> None:
    if run.interrupted:
        screen.print(f"Stopped after {len(run.history)} of {run.settings['epochs']} epochs; they are kept.")
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
        screen.print(f"run by      Keras' fit: {plan['why']}")
    screen.print(f"kept        {', '.join(str(file) for file in files)}")
    if earlier:
        screen.print(f"earlier     the run that was there is now {earlier}")
