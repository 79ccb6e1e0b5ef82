"""Data that stay in their files and streams of batches, on the command line: trained, evaluated, resumed, refused."""

import json

import numpy as np
import polars
import pytest

MODEL = """
import keras
import numpy as np

X = np.random.default_rng(0).normal(size=(120, 4)).astype("float32")
Y = (X.sum(1) > 0).astype("int64")

def build():
    layers = [keras.Input((4,)), keras.layers.Dense(8, activation="relu"), keras.layers.Dense(2, activation="softmax")]
    return keras.Sequential(layers)

class Batches(keras.utils.PyDataset):
    def __len__(self):
        return 6

    def __getitem__(self, place):
        return X[place * 20 : place * 20 + 20], Y[place * 20 : place * 20 + 20]

def batches():
    return Batches()

def endless():
    while True:
        for start in range(0, 120, 20):
            yield X[start : start + 20], Y[start : start + 20]
"""


VERIFY = pytest.param(["verify", "model.py:build", "--data"], marks=pytest.mark.several_backends)


@pytest.fixture
def model(here):
    (here / "model.py").write_text(MODEL)
    return "model.py:build"


@pytest.fixture
def stored(here):
    """The name of a folder of arrays that are to stay in their files."""
    generator = np.random.default_rng(0)
    (here / "arrays").mkdir()
    for part, count in (("train", 200), ("test", 60)):
        x = generator.normal(size=(count, 4)).astype("float32")
        np.save(here / "arrays" / f"x_{part}.npy", x)
        np.save(here / "arrays" / f"y_{part}.npy", (x.sum(1) > 0).astype("int64"))
    return "arrays:stored=yes"


def test_a_run_on_stored_data_is_evaluated_and_resumed_by_the_name_in_its_record(cli, here, model, stored, backend):
    first = json.loads(cli("train", model, "--data", stored, "--epochs", "1", "--out", "run", "--json").out)
    assert first["dataset"]["name"] == stored
    again = json.loads(cli("evaluate", "run", "--json").out)
    assert first["evaluation"] == pytest.approx(again["metrics"], rel=1e-6)
    resumed = cli("train", model, "--resume", "--out", "run", "--epochs", "3", "--json")
    whole = json.loads(cli("train", model, "--data", "arrays", "--epochs", "3", "--out", "whole", "--json").out)
    assert json.loads(resumed.out)["history"] == whole["history"]  # from memory: the same numbers
    assert json.loads(resumed.out)["dataset"]["checksum"] == whole["dataset"]["checksum"]


@pytest.fixture
def stored_table(here):
    """The name of a table of words, gaps and numbers that is to stay in its file."""
    sizes = np.random.default_rng(0).normal(size=120)
    towns = [["Bonn", "Köln", None][n % 3] for n in range(120)]
    kinds = ["large" if size > 0 else "small" for size in sizes]
    gap = [None if n % 9 == 0 else n / 7 for n in range(120)]
    frame = polars.DataFrame({"size": sizes, "town": towns, "gap": gap, "kind": kinds})
    frame.write_parquet(here / "table.parquet", row_group_size=50)
    return "table.parquet:stored=yes"


def test_a_run_on_a_stored_table_is_the_run_in_memory(cli, here, stored_table, backend):
    options = ["train", "tabular/mlp", "--target", "kind", "--json", "--data"]
    runs = [
        json.loads(cli(*options, name, "--epochs", "2", "--out", name[:5] + name[-2:]).out)
        for name in (stored_table, "table.parquet")
    ]
    assert runs[0]["dataset"].pop("name") == f"{stored_table}:target=kind"
    assert runs[1]["dataset"].pop("name") == "table.parquet:target=kind"
    for entry in ("history", "evaluation", "dataset"):
        assert runs[0][entry] == runs[1][entry]
    again = json.loads(cli("evaluate", "tablees", "--json").out)
    assert again["metrics"] == pytest.approx(runs[0]["evaluation"], rel=1e-6)


@pytest.mark.one_environment
def test_the_summary_of_a_stored_table_is_that_in_memory(cli, stored_table):
    stored, loaded = (json.loads(cli("data", name, "--json").out) for name in (stored_table, "table.parquet"))
    assert (stored.pop("name"), loaded.pop("name")) == (stored_table, "table.parquet")
    for summary in (stored, loaded):
        for split in summary["splits"].values():
            split["mean"] = pytest.approx(split["mean"], rel=1e-12)
    assert stored == loaded
    assert "drawn       p.png" in cli("data", stored_table, "--preview", "p.png").out


@pytest.mark.one_environment
def test_the_summary_of_stored_data_is_that_of_the_arrays(cli, stored):
    summaries = [json.loads(cli("data", name, "--json").out) for name in (stored, "arrays")]
    for name in ("train", "test"):
        in_files, in_memory = (summary["splits"][name] for summary in summaries)
        assert in_files.pop("mean") == pytest.approx(in_memory.pop("mean"), rel=1e-5)
        assert in_files == in_memory
    assert summaries[0]["duplicates"] == summaries[1]["duplicates"] == 0
    assert summaries[0]["warnings"] == summaries[1]["warnings"]


@pytest.mark.one_environment
def test_what_needs_the_memory_refuses_stored_data(refused, model, stored):
    assert "a search needs it in memory" in refused("search", model, "--data", stored, "--grid", "epochs=1,2")


def test_a_stream_from_a_function_is_trained_and_resumed(cli, here, model, backend):
    shown = cli("train", model, "--data", "model.py:batches", "--epochs", "2", "--out", "run")
    assert shown.code == 0
    assert "data        a PyDataset" in shown.out
    assert json.loads((here / "run/run.json").read_text())["settings"]["plan"]["name"] != "fit"
    assert "validation  none" in shown.out
    again = ["--data", "model.py:batches", "--epochs", "3", "--out"]
    resumed = json.loads(cli("train", model, "--resume", *again, "run", "--json").out)
    whole = json.loads(cli("train", model, *again, "whole", "--json").out)
    assert resumed["history"] == whole["history"]


@pytest.mark.one_environment
def test_a_generator_function_needs_the_steps_of_an_epoch(cli, refused, here, model):
    options = ["train", model, "--data", "model.py:endless", "--epochs", "1", "--out", "run"]
    complaint = refused(*options)
    assert "does not say how many batches an epoch has: add --steps-per-epoch N" in complaint
    record = json.loads(cli(*options, "--steps-per-epoch", "6", "--json").out)
    assert record["settings"]["steps_per_epoch"] == 6
    assert record["dataset"]["stream"] == "the function endless"


@pytest.mark.one_environment
@pytest.mark.parametrize("command", [["data"], VERIFY, ["evaluate", "run", "--data"]])
def test_what_needs_arrays_refuses_a_stream(cli, refused, here, model, command):
    if command[0] == "evaluate":
        cli("train", model, "--data", "model.py:batches", "--epochs", "1", "--out", "run")
    assert "whose batches come one after the other" in refused(*command, "model.py:batches")
