"""`trivium bench time-to-accuracy`: what it prints, and what it refuses."""

import pytest

from trivium.benchmarks.results import GroupResult, Results
from trivium.benchmarks.suites import time_to_accuracy
from trivium.benchmarks.targets import target_rows
from trivium.benchmarks.targets.seed_run import SeedRun
from trivium.benchmarks.targets.target import Target

pytestmark = pytest.mark.plain


def results():
    runs = {
        name: [
            SeedRun(
                name,
                "cpu",
                seed,
                (name, seed) != ("torch", 2),
                3 + seed,
                factor * seed,
                0.5,
                0.25,
                20 * factor * seed,
                0.9,
            )
            for seed in range(1, 6)
        ]
        for name, factor in (("jax", 1.0), ("torch", 2.0))
    }
    rows = [row for each in runs.values() for row in target_rows.rows(time_to_accuracy.SUITE, "dense/small", each)]
    ratios = [target_rows.ratio_row(time_to_accuracy.SUITE, "dense/small", runs["torch"], runs["jax"])]
    group = GroupResult(rows=rows, ratios=ratios, rounds=5, stopped_by=time_to_accuracy.BY_SEEDS)
    extra = {
        "target": {"metric": "val_accuracy", "value": 0.9, "mode": "max", "epochs": 20},
        "runs": [run.to_json() for each in runs.values() for run in each],
    }
    return Results(time_to_accuracy.SUITE, groups={"dense/small": group}, extra=extra)


def test_it_prints_the_median_of_each_backend_and_how_many_seeds_reached_the_target(cli, here, monkeypatch):
    received = {}

    def measure(recipe, backends, **settings):
        received.update(settings, recipe=recipe, backends=backends)
        return results()

    monkeypatch.setattr(time_to_accuracy, "measure", measure)
    shown = cli("bench", "time-to-accuracy", "--model", "my.py:build", "--reach", "0.9", "--quick", "--out", "seen")
    assert shown.code == 0, shown.err
    assert (received["recipe"], received["seeds"], received["options"].budget) == ("my.py:build", 3, 60)
    assert received["target"] == Target("val_accuracy", 0.9)
    lines = [" ".join(line.split()) for line in shown.out.splitlines()]
    assert "jax 3 2 – 4 0.5 0.25 60 4 5 6 7 8 5 of 5" in lines
    # The second seed of torch counts as its slowest: 2, 10, 6, 8 and 10 s.
    assert "torch 8 6 – 10 0.5 0.25 160 4 – 6 7 8 4 of 5" in lines
    text = " ".join(lines)
    assert "torch costs" in text
    assert "Joules are those of the whole CPU packages, other work on the machine included." in text
    assert "The intervals of 5 seeds hold with 94%; eight seeds give 95%." in text
    assert "A seed that did not reach val_accuracy 0.9 in 20 epochs counts as the slowest of its backend." in text
    assert "5 interleaved rounds, stopped by seeds." in text
    assert (here / "seen" / "time-to-accuracy.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "Missing option '--reach'"),
        (["--reach", "1.5"], "--reach: val_accuracy lies between 0 and 1, received 1.5"),
        (["--reach", "0.9", "--metric", "accuracy"], "--metric: expected a metric of the validation"),
        (["--reach", "nan"], "--reach: expected a number"),
        (["--reach", "0.9", "--recipe", "dense/smal"], "did you mean 'dense/small'"),
        (["--reach", "0.9", "--epochs", "1"], "'--epochs': 1 is not in the range x>=2"),
    ],
)
def test_what_makes_no_sense_is_refused_before_a_worker_starts(refused, arguments, message):
    assert message in refused("bench", "time-to-accuracy", *arguments)
