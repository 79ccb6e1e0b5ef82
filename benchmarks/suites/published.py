"""The published experiments at their published size, each on the backend that is fastest for it on this machine.

Each is a run in a folder of its own, with checkpoints: what was stopped goes on. How long all of them will take is
estimated first, by short runs of each recipe on every backend.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ...backends import catalog
from ...backends.workers import worker
from ...backends.workers.worker import Event, Listener
from ...data import data_name
from ...data.data_source import dataset_of
from ...errors import DataError, OptionError
from ...storage import safe_json
from ...storage.atomic import write_json
from .book import SuiteProgress, kind_of, select_recipes

SUITE = "published"
RESULTS, ESTIMATES, RECORD, SCORES = "results.json", "estimates.json", "run.json", "scores.json"
_DIGITS = 60_000
_TRIAL_EPOCHS = 3
_TRIAL_LETTERS = 20_000
_FOLDS = 10


@dataclass(frozen=True)
class Experiment:
    """A run that the chapters publish a figure of.

    Attributes:
        name: of its folder.
        recipe, data, epochs: what is trained, on what, and how long.
        metric: the figure: `val_accuracy`, `accuracy` in a cross-validation, or `loss`.
        value: the published figure.
        seconds: the published seconds of an epoch, as text.
        folds: those of a cross-validation; 0 for one training.
        full_epochs: the published epochs, where fewer are trained.
    """

    name: str
    recipe: str
    data: str
    epochs: int
    metric: str
    value: float
    seconds: str = ""
    folds: int = 0
    full_epochs: int = 0

    @property
    def rises(self) -> bool:
        """Whether larger figures are better."""
        return "accuracy" in self.metric


def _digits(recipe: str, epochs: int, value: float, seconds: str = "") -> Experiment:
    return Experiment(recipe.replace("/", "-"), recipe, "mnist", epochs, "val_accuracy", value, seconds)


EXPERIMENTS = (
    _digits("dense/one-hidden", 3, 0.9684, "1–2"),
    Experiment("dense-dropout", "dense/dropout", "mnist", 100, "accuracy", 0.955, folds=_FOLDS),
    _digits("cnn/simple", 100, 0.9862, "66"),
    _digits("cnn/bigger", 100, 0.9879, "127"),
    _digits("cnn/pooling", 100, 0.9939, "147"),
    _digits("cnn/striding", 100, 0.9912, "36"),
    _digits("cnn/striding-batchnorm", 100, 0.9911, "45"),
    _digits("cnn/blocks-pooling", 100, 0.9902, "339"),
    _digits("cnn/blocks-striding", 100, 0.9873, "186"),
    Experiment("rnn-two-lstm", "rnn/two-lstm", "waves:2", 100, "loss", 0.02),
    Experiment("rnn-three-lstm-200", "rnn/three-lstm", "waves:2:200", 100, "loss", 0.025),
    Experiment("rnn-three-lstm-2000", "rnn/three-lstm", "waves:2:2000", 100, "loss", 0.004),
    Experiment("rnn-three-lstm-20000", "rnn/three-lstm", "waves:2:20000", 100, "loss", 0.0015, "5"),
    Experiment("text-letters", "text/letters", "text", 100, "loss", 1.1, "1,400"),
    Experiment("text-words", "text/words", "text", 10, "loss", 5.3),
)


@dataclass(frozen=True)
class Outcome:
    """What an experiment gave.

    Attributes:
        experiment: the experiment.
        backend: that trained it.
        value, best: the figure after the last epoch, and after its best one; the mean of a cross-validation.
        test: the figure on the test part; None without such a part, and in a cross-validation.
        seconds: the median seconds of an epoch after the first; None in a cross-validation.
        environment: machine and versions.
    """

    experiment: Experiment
    backend: str
    value: float
    best: float
    test: float | None
    seconds: float | None
    environment: dict[str, Any] = field(repr=False)

    def to_json(self) -> dict[str, Any]:
        experiment = self.experiment
        return {
            "name": experiment.name,
            "recipe": experiment.recipe,
            "data": experiment.data,
            "epochs": experiment.epochs,
            **({"published_epochs": experiment.full_epochs} if experiment.full_epochs else {}),
            **({"folds": experiment.folds} if experiment.folds else {}),
            "metric": experiment.metric,
            "published": experiment.value,
            "value": self.value,
            "best": self.best,
            "test": self.test,
            "published_seconds": experiment.seconds,
            "seconds": self.seconds,
            "backend": self.backend,
            "environment": self.environment,
        }


@dataclass
class ExperimentResults:
    """The experiments that are through, and the seconds that all were expected to take.

    Attributes:
        earlier: the rows of experiments that the folder had results of, and that were not chosen now.
    """

    outcomes: list[Outcome]
    expected: dict[str, float]
    earlier: list[dict[str, Any]] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        return {
            "schema": 1,
            "suite": SUITE,
            "expected_seconds": self.expected,
            "rows": [*self.earlier, *(outcome.to_json() for outcome in self.outcomes)],
            "ratios": [],
        }


def experiments(recipes: Sequence[str] = (), *, data: str | None = None, epochs: int | None = None) -> list[Experiment]:
    """Return the experiments with these recipes or families, in the order of the chapters.

    Args:
        recipes: names of recipes or families; all by default.
        data: a text file or MNIST's, for the experiments with data of that kind.
        epochs: train at most so many epochs; what is cut says so.

    Raises:
        RecipeError: there is no such recipe or family.
        OptionError: no experiment is left.
    """
    names = {recipe.name for recipe in select_recipes(recipes)}
    chosen = [experiment for experiment in EXPERIMENTS if experiment.recipe in names]
    if not chosen:
        raise OptionError(f"no experiment is published with {', '.join(recipes)}: see `trivium recipes`")
    if data:
        chosen = [replace(each, data=data) if kind_of(data) == kind_of(each.data) else each for each in chosen]
    if epochs:
        chosen = [
            replace(each, epochs=epochs, full_epochs=each.epochs) if each.epochs > epochs else each for each in chosen
        ]
    return chosen


def require_all_digits(chosen: Sequence[Experiment]) -> None:
    """Raise a DataError unless this machine has all of MNIST, where an experiment needs it."""
    for data in sorted({each.data for each in chosen if each.metric.endswith("accuracy")}):
        if len(dataset_of(data).train) != _DIGITS:
            raise DataError(
                f"the published experiments train on all of MNIST, and {data} is a part of it: "
                "`trivium data mnist:full` downloads all; or name the folder of mnist.npz in TRIVIUM_DATA"
            )


def measure(
    chosen: Sequence[Experiment],
    out: Path,
    backends: Sequence[str] = (),
    *,
    resume: bool = False,
    listener: Listener | None = None,
    announce: Callable[[Mapping[str, float]], None] = lambda expected: None,
) -> ExperimentResults:
    """Run the experiments one after the other, those that take least first.

    Args:
        chosen: the experiments.
        out: the folder for their runs and results.
        backends: names of backends to choose from; by default all that are installed.
        resume: go on with what the folder holds.
        listener: called with progress events.
        announce: called with the seconds that each experiment is expected to take, before the first begins.

    Raises:
        BackendError: a backend that cannot be used.
        DataError: data that cannot be read.
        OutputError: the folder cannot be written.
    """
    tell = listener or (lambda event: None)
    names = [backend.name for backend in catalog.resolve(backends)]
    estimates = _estimates(chosen, names, out, resume, tell)
    fastest = {each.name: min(names, key=estimates[each.name].__getitem__) for each in chosen}
    if resume:
        fastest |= {each.name: begun for each in chosen if (begun := _begun_on(out / each.name)) in names}
    expected = {
        each.name: 0.0
        if resume and _is_through(each, out / each.name)
        else estimates[each.name][fastest[each.name]] * each.epochs * max(1, each.folds)
        for each in chosen
    }
    announce(expected)
    result = ExperimentResults([], expected, _earlier_rows(out / RESULTS, chosen) if resume else [])
    for done, each in enumerate(sorted(chosen, key=lambda experiment: expected[experiment.name])):
        title = f"{each.name} on {fastest[each.name]}"
        progress = SuiteProgress(tell, title, done, len(chosen), SUITE)
        progress({"kind": "stage", "stage": "starting"})
        what = (each.recipe, each.data, each.epochs, str(out / each.name), resume)
        call = functools.partial(worker.get(fastest[each.name]).call, listener=progress)
        report = call(_folds, *what, each.folds) if each.folds else call(_train, *what)
        result.outcomes.append(_outcome(each, fastest[each.name], report))
        write_json(out / RESULTS, result.to_json())
    return result


def _earlier_rows(path: Path, chosen: Sequence[Experiment]) -> list[dict[str, Any]]:
    content: Any = safe_json.read(path) if path.exists() else {"rows": []}
    return [row for row in content["rows"] if row["name"] not in {each.name for each in chosen}]


def _begun_on(folder: Path) -> str:
    """Return the backend that trained what a folder holds, or nothing."""
    for path in (folder / RECORD, folder / SCORES):
        content: Any = safe_json.read(path) if path.exists() else {}
        if backend := content.get("environment", {}).get("backend"):
            return str(backend)
    return ""


def _is_through(experiment: Experiment, folder: Path) -> bool:
    """Return whether a folder holds all of an experiment."""
    path = folder / (SCORES if experiment.folds else RECORD)
    content: Any = safe_json.read(path) if path.exists() else {}
    if experiment.folds:
        return bool(content.get("epochs") == experiment.epochs)
    return content.get("state") == "finished" and len(content["history"]) >= experiment.epochs


def _estimates(
    chosen: Sequence[Experiment], backends: Sequence[str], out: Path, resume: bool, tell: Listener
) -> dict[str, dict[str, float]]:
    """Return the seconds of an epoch of each experiment on each backend, by short runs on a part of its data."""
    path = out / ESTIMATES
    known: dict[str, dict[str, float]] = {}
    if resume and path.exists() and isinstance(read := safe_json.read(path), dict):
        known = read
    trials = [(each, name) for each in chosen for name in backends]
    for done, (each, name) in enumerate(trials):
        if name in known.get(each.name, {}):
            continue
        stage = f"timing {each.recipe} on {name}"
        tell({"kind": "stage", "title": SUITE, "stage": stage, "done": done, "total": len(trials)})
        trial = worker.get(name).call(_time_trial, each.recipe, _trial_data(each.data, out))
        seconds = trial["seconds"] * len(dataset_of(each.data).train) / trial["samples"]
        known.setdefault(each.name, {})[name] = seconds
        write_json(path, known)
    return known


def _trial_data(data: str, out: Path) -> str:
    """Return data of the same kind, of which an epoch takes little time."""
    kind, *_ = data_name.parse(data)[0].split(":")
    if kind == "text":
        path = out / "trial.txt"
        if not path.exists():
            letters = "".join(map(chr, dataset_of(data).train.x[:_TRIAL_LETTERS].tolist()))
            path.write_text(letters, encoding="utf-8")
        return f"text:{path}"
    return {"mnist": "mnist:sample", "waves": "waves:2:200"}.get(kind, data)


def _outcome(experiment: Experiment, backend: str, report: Mapping[str, Any]) -> Outcome:
    figures = [math.nan if figure is None else float(figure) for figure in report["figures"]]
    best = max if experiment.rises else min
    value = sum(figures) / len(figures) if experiment.folds else figures[-1]
    return Outcome(
        experiment,
        backend,
        value,
        value if experiment.folds else best(figures),
        report.get("test"),
        report["seconds"],
        dict(report["environment"]),
    )


# --- in workers -----------------------------------------------------------------------------------------------------


def _time_trial(recipe: str, data: str) -> dict[str, float]:
    """Return the seconds of a steady epoch of a recipe, and the number of samples in it."""
    from ...engine.training.trainer import Trainer

    trainer = Trainer(recipe, epochs=_TRIAL_EPOCHS)
    dataset = trainer.load(data)
    return {"seconds": trainer.fit(dataset).timings.steady_epoch or math.nan, "samples": len(dataset.train)}


def _train(recipe: str, data: str, epochs: int, folder: str, resume: bool) -> dict[str, Any]:
    """Train in a folder, or go on with what it holds, and return the figure of each epoch."""
    from ...engine.training.train import train

    record = Path(folder) / RECORD
    content: Any = safe_json.read(record) if resume and record.exists() else {}
    if content.get("state") != "finished" or len(content["history"]) < epochs:  # it may have been cut shorter
        run = train(recipe, data, epochs=epochs, out=folder, resume=bool(content), listener=_report)
        if run.interrupted:
            raise KeyboardInterrupt
        content = run.to_json()
    history = content["history"][:epochs]
    metric = "val_accuracy" if "val_accuracy" in history[0] else "loss"
    has_test_part = metric == "val_accuracy" and len(history) == len(content["history"])
    return {
        "figures": [epoch[metric] for epoch in history],
        "test": content["evaluation"].get("accuracy") if has_test_part else None,
        "seconds": content["timings"]["steady_epoch"],
        "environment": content["environment"],
    }


def _folds(recipe: str, data: str, epochs: int, folder: str, resume: bool, folds: int) -> dict[str, Any]:
    """Return the accuracy in each fold of a stratified cross-validation of the training samples."""
    from sklearn.model_selection import StratifiedKFold

    from ...engine.epochs import environment
    from ...engine.search.estimators import Classifier
    from ...engine.search.search import cross_val_score

    path = Path(folder) / SCORES
    stored: Any = safe_json.read(path) if resume and path.exists() else {}
    if stored.get("epochs") == epochs:
        return dict(stored)
    samples = dataset_of(data).train
    splitter = StratifiedKFold(folds, shuffle=True, random_state=1)
    network = Classifier(recipe, epochs=epochs)
    scores = cross_val_score(network, samples.x, samples.y, cv=splitter, workers=0, listener=_report)
    report = {"epochs": epochs, "figures": scores.tolist(), "seconds": None, "environment": environment.describe()}
    path.parent.mkdir(parents=True, exist_ok=True)
    write_json(path, report)
    return report


def _report(event: Event) -> None:
    worker.report(**event)
