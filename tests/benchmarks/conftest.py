"""Results of every suite with invented times, built by the suites' own code."""

import json

import numpy as np
import pytest

from trivium.benchmarks.cells import CellGroup, TimedCell
from trivium.benchmarks.measure import InterleavedRounds, make_row
from trivium.benchmarks.results import GroupResult, Results, group_result
from trivium.benchmarks.suites import (
    book,
    checkpoint_cost,
    data_size,
    pooling_vs_striding,
    scaling,
    search_speed,
    start_up,
    time_to_accuracy,
)
from trivium.benchmarks.suites.overhead import OTHERS
from trivium.benchmarks.suites.scaling_model import Network
from trivium.benchmarks.targets import target_rows
from trivium.benchmarks.targets.seed_run import SeedRun
from trivium.storage.atomic import write_json

BACKENDS = {"jax": 1.0, "tensorflow": 1.6, "torch": 1.62}
ENVIRONMENT = {
    "device": "cpu",
    "device_name": "A Processor",
    "cores": 2,
    "affinity": [0, 1],
    "governor": None,
    "versions": {"keras": "3.15.1", "numpy": "2.4.6"},
}
MACHINE = {
    "cpu": {"numpy": {"gemm_gflops": 80.0, "copy_gbytes": 9.0}, "jax": {"gemm_gflops": 70.0, "copy_gbytes": 8.0}}
}
SECONDS = {"pooling": 0.9, "pool-first": 0.7, "crop": 0.55, "striding": 0.3}


def session_info(cell, seconds):
    """What opening a session tells of a model whose epochs take so many seconds."""
    return {
        "environment": ENVIRONMENT,
        "plan": {"name": "steps"},
        "build": 0.2,
        "compile": 1.5,
        "first_epoch": seconds * 2,
        "memory": 120_000_000,
        "parameters": 114_502,
        "samples": 3750,
        "operations": 4e9,
        "traffic": 4e8,
        "ceilings": MACHINE["cpu"]["numpy"],
        "quality": {
            "epochs": 10,
            "metrics": {"accuracy": 0.97, "val_accuracy": 0.9 + 0.05 * seconds / (1 + seconds), "loss": 0.1 / seconds},
        },
        "layer_times": [
            {"layer": "conv2d", "kind": "Conv2D", "seconds": seconds / 50},
            {"layer": "pooling", "kind": "MaxPooling2D", "seconds": seconds / 90},
        ]
        if not cell.sweep_point
        else [],
    }


def whole(suite, groups, seconds, interleaved=True, **more):
    """Results of 12 rounds, 2 % of noise in each."""
    noise = np.random.default_rng(0)
    results = Results(suite, {"what": "a test"}, interleaved, extra={"machine": MACHINE, **more})
    for group in groups:
        samples = {cell: list(seconds(cell) * noise.normal(1, 0.02, 12)) for cell in group.cells}
        opened = {cell: session_info(cell, seconds(cell)) for cell in group.cells}
        rounds = InterleavedRounds(samples, "precision", {})
        results.groups[group.title] = group_result(suite, group, opened, {}, rounds)
    return results


def pairs_of(cells):
    return [(of, over) for at, of in enumerate(cells) for over in cells[at + 1 :]]


def epochs():
    groups = []
    for recipe in ("dense/one-hidden", "rnn/lstm"):
        cells = [TimedCell(recipe, name, name) for name in BACKENDS]
        groups.append(CellGroup(recipe, cells, pairs_of(cells)))
    return whole("epochs", groups, lambda cell: 0.1 * BACKENDS[cell.backend], interleaved=False)


def seed_runs(backend, seconds, failed=()):
    """A training of each seed to a target; `failed` are the seeds that did not reach it."""
    return [
        SeedRun(backend, "cpu", seed, seed not in failed, 4, time, 0.5, 0.2, None, 0.91)
        for seed, time in enumerate(seconds, 1)
    ]


def targets():
    recipe, suite = "dense/one-hidden", time_to_accuracy.SUITE
    runs = {
        "jax": seed_runs("jax", [1.0, 1.1, 1.0, 0.9, 1.0], failed={2}),
        "torch": seed_runs("torch", [2.0, 2.3, 2.0, 1.8, 2.0]),
        "tensorflow": seed_runs("tensorflow", [9.0] * 5, failed={1, 2, 3}),
    }
    rows = [row for each in runs.values() for row in target_rows.rows(suite, recipe, each)]
    ratios = [target_rows.ratio_row(suite, recipe, runs["torch"], runs["jax"])]
    environment = dict.fromkeys(runs, ENVIRONMENT)
    group = GroupResult(environment, rows, ratios, rounds=5, stopped_by=time_to_accuracy.BY_SEEDS)
    extra = {
        "target": {"metric": "val_accuracy", "value": 0.9, "mode": "max", "epochs": 20},
        "runs": [run.to_json() for each in runs.values() for run in each],
    }
    return Results(suite, {"seeds": 5}, groups={recipe: group}, extra=extra)


def pooling():
    settings = {"data": "mnist:sample"}
    groups = [group for name in BACKENDS for group in pooling_vs_striding._groups(name, settings, True, False)]

    def seconds(cell):
        at = dict(cell.sweep_point)
        way = at.get("way") or ("pooling" if "pooling" in cell.recipe else "striding")
        blocks = 2.5 if "blocks" in cell.recipe else 1.0
        size = at.get("filters", 16) / 16 * (at.get("image_size", 28) / 28) ** 2
        return SECONDS[way] * BACKENDS[cell.backend] * size * blocks

    results = whole("pooling-vs-striding", groups, seconds)
    results.extra["why"] = [part for name in BACKENDS for part in pooling_vs_striding.explain(results, name)]
    return results


def varied(suite, name, values, pairs, seconds):
    groups = []
    for backend in BACKENDS:
        cells = [
            TimedCell(
                "dense/one-hidden", backend, f"{name.removesuffix('_size')} {value}", sweep_point=((name, value),)
            )
            for value in values
        ]
        groups.append(CellGroup(backend, cells, [(cell, cells[-1]) for cell in cells[:-1]] if pairs else []))
    return whole(suite, groups, lambda cell: BACKENDS[cell.backend] * seconds(cell.sweep_point[0][1]))


def data_sizes():
    results = varied("data-size", "steps", (200, 2_000, 20_000), False, lambda steps: steps / 2_000)
    for group in results.groups.values():
        group.rows += data_size._exponents(group.rows)
    return results


def inference():
    cells = [
        TimedCell("cnn/striding", backend, name, runner, metric="answer", sweep_point=(("batch_size", size),))
        for size in (1, 256)
        for backend, runner, name in (("jax", "predict", "jax"), ("jax", "onnxruntime", "onnxruntime"))
    ]
    groups = [CellGroup("cnn/striding", cells, [(cells[0], cells[1]), (cells[2], cells[3])])]
    seconds = {"predict": 2e-3, "onnxruntime": 3e-4}
    results = whole("inference", groups, lambda cell: seconds[cell.runner] * cell.sweep_point[0][1] ** 0.5)
    results.extra["without"] = {"cnn/striding by openvino": "none of these backends can export it"}
    return results


def runners(suite, names, suffix):
    """Each name with its factor."""
    groups = []
    for backend in BACKENDS:
        of = {name: {"suffix": f"_{name}"} if suffix else {"runner": name} for name in names}
        cells = [TimedCell("cnn/pooling", backend, name, **of[name]) for name in names]
        groups.append(CellGroup(backend, cells, [(cell, cells[-1]) for cell in cells[:-1]]))
    return whole(suite, groups, lambda cell: 0.2 * BACKENDS[cell.backend] * names[cell.name])


def imports():
    cells = {name: TimedCell("cnn/striding", name, name) for name in BACKENDS}
    stages = dict(zip(start_up.STAGES, (0.3, 4.0, 0.2, 0.5, 0.01), strict=True))
    waits = {
        name: [{**stages, "import": 4.0 * factor, "environment": ENVIRONMENT}] * 8 for name, factor in BACKENDS.items()
    }
    rounds = InterleavedRounds({name: [1 + 4 * factor] * 8 for name, factor in BACKENDS.items()}, "budget", {})
    return Results("import", {"recipe": "cnn/striding"}, groups={"all": start_up._group_result(cells, waits, rounds)})


def checkpoints():
    seconds = {
        checkpoint_cost.EPOCH: 0.4,
        checkpoint_cost.CHECKPOINT: 0.02,
        checkpoint_cost.DISK: 1.0,
        checkpoint_cost.LARGE: 1.5,
    }
    sizes = {checkpoint_cost.CHECKPOINT: 10**6, checkpoint_cost.LARGE: 10**9}
    samples = {name: [value] * 8 for name, value in seconds.items()}
    return checkpoint_cost.CheckpointCostResult("cnn/striding", "jax", samples, sizes, 10**6, ENVIRONMENT)


def search():
    seconds = {("grid", "wrapper"): [90.0] * 3, ("grid", "trivium"): [20.0] * 3}
    scores = dict.fromkeys(seconds, [0.95] * 3)
    return search_speed.SearchSpeedResult("jax", seconds, scores, ENVIRONMENT, {"tasks": ["grid"]})


def scaled():
    groups = [scaling._group("dense/one-hidden", name, 256) for name in BACKENDS]
    factor = {scaling.ONE: 1.0, scaling.TWO: 0.8, scaling.BOTH: 0.6}
    results = whole("scaling", groups, lambda cell: 0.1 * BACKENDS[cell.backend] * factor[cell.name])
    results.arguments |= {"batch_size": 256, "network": vars(Network())}
    for group in groups:
        results.groups[group.title].rows += scaling._model_rows(results, group.cells[0], 256, Network())
    return results


def recipes():
    where = {"backend": "jax", "device": "cpu", "runner": "trivium"}
    rows = [
        make_row(book.SUITE, {"recipe": recipe, **where}, metric, unit, values)
        for recipe, factor in (("dense/small", 1), ("cnn/bigger", 60))
        for metric, unit, values in (("steady_epoch", "s", [0.1 * factor] * 4), ("val_accuracy", "1", [0.97]))
    ]
    return {
        "schema": 1,
        "environment": {"jax": ENVIRONMENT},
        "rows": rows,
        "ratios": [],
        "measured": [],
        "published": {},
    }


SUITES = {
    "epochs": epochs,
    "time-to-accuracy": targets,
    "pooling-vs-striding": pooling,
    "batch-size": lambda: varied(
        "batch-size", "batch_size", [2**n for n in range(3, 12)], True, lambda size: 0.05 + 8 / size
    ),
    "data-size": data_sizes,
    "import": imports,
    "inference": inference,
    "overhead": lambda: runners("overhead", {**dict.fromkeys(OTHERS, 1.3), "native": 1.0, "trivium": 1.0}, False),
    "masks": lambda: runners("masks", {"owned": 1.1, "native": 1.0}, True),
    "checkpoint": checkpoints,
    "scaling": scaled,
    "search": search,
    "book": recipes,
}


@pytest.fixture(scope="session")
def suite_results():
    """Of each suite what its `results.json` would hold."""
    results = {name: make() for name, make in SUITES.items()}
    return {
        name: each if isinstance(each, dict) else json.loads(json.dumps(each.to_json()))
        for name, each in results.items()
    }


@pytest.fixture(scope="session")
def results_folder(suite_results, tmp_path_factory):
    """A folder with the results of every suite, each in a folder of its own; for reading only."""
    folder = tmp_path_factory.mktemp("results")
    for name, each in suite_results.items():
        write_json(folder / name / "results.json", each)
    return folder
