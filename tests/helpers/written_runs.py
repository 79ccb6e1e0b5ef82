"""Run folders for the tests of trackers, as a training leaves them; no framework is needed to write one."""

import json

import matplotlib.image
import numpy as np

LOSSES = [0.9, 0.5, float("nan")]


def write_run(folder, losses=LOSSES, state="finished", **changes):
    """Write a run of so many epochs, with a picture and a bundle."""
    folder.mkdir(exist_ok=True)
    record = {
        "schema": 1,
        "id": "run-of-the-tests",
        "recipe": "dense/small",
        "settings": {"options": {"units": 8, "filters": [4, 2]}, "epochs": 3, "seed": 5, "plan": {"name": "loop"}},
        "dataset": {"name": "digits", "source": "/home/me/digits.npz", "checksum": "c0ffee", "train": 60, "test": 10},
        "environment": {"backend": "jax", "versions": {"keras": "3.15.1"}},
        "evaluation": {"loss": 0.7, "accuracy": None},
        "asked": {"data": "/home/me/digits.npz"},
        "state": state,
        **changes,
    }
    (folder / "run.json").write_text(json.dumps(record))
    rows = [{"epoch": number, "loss": None if loss != loss else loss} for number, loss in enumerate(losses, start=1)]
    (folder / "history.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    matplotlib.image.imsave(folder / "curves.png", np.zeros((4, 6, 3)))
    (folder / "bundle.trivium").write_bytes(b"a bundle")
    return folder


def write_search(folder, *units):
    """Write the results of a search that has tried these numbers of units on two folds."""
    folder.mkdir(exist_ok=True)
    rows = [
        {"rank": rank, "params": {"units": each}, "epochs": 2, "scores": [0.5, 0.75], "mean": 0.625, "deviation": 0.125}
        for rank, each in enumerate(units, start=1)
    ]
    results = {"recipe": "dense/small", "metric": "accuracy", "folds": 2, "settings": {"seed": 1}, "rows": rows}
    (folder / "results.json").write_text(json.dumps(results))
    return folder
