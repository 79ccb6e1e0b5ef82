"""`trivium runs`: the runs below a folder, the state of one, and the comparison of several."""

import json
import shutil

import matplotlib.image
import pytest

from trivium.engine.runs.run_record import read_record

pytestmark = pytest.mark.one_environment


@pytest.fixture
def runs(here, saved_runs):
    """Two finished runs, one that failed after an epoch, and a folder of something else."""
    for name, folder in saved_runs.items():
        shutil.copytree(folder, here / "runs" / name)
    failed = here / "runs/deep/failed"
    shutil.copytree(saved_runs["striding"], failed)
    record = {**read_record(failed), "state": "failed", "error": "the disk is full"}
    record["settings"]["seed"] = 7
    (failed / "run.json").write_text(json.dumps(record))
    (failed / "history.jsonl").write_text((failed / "history.jsonl").read_text().splitlines()[0] + '\n{"epoch": 2, "lo')
    (here / "runs/thesis").mkdir()
    (here / "runs/broken").mkdir()
    (here / "runs/broken/run.json").write_text("{")
    return here / "runs"


def test_the_list_shows_the_state_and_progress_of_each_run(cli, runs):
    rows = {row["folder"]: row for row in json.loads(cli("runs", "--json").out)}
    assert rows.keys() == {"runs/deep/failed", "runs/lstm", "runs/striding"}
    assert [row["state"] for row in rows.values()] == ["failed", "finished", "finished"]
    assert [row["epochs_done"] for row in rows.values()] == [1, 2, 2]
    assert all(row["epochs"] == 2 for row in rows.values())
    assert rows["runs/deep/failed"]["error"] == "the disk is full"
    record = read_record(runs / "striding")
    best = rows["runs/striding"]["best"]
    assert best["metric"] == "val_accuracy"
    assert best["value"] == record["history"][best["epoch"] - 1]["val_accuracy"]
    shown = cli("runs", "runs").out
    assert "runs/lstm" in shown
    assert "1/2" in shown


def test_a_folder_without_runs_says_so(cli, refused, here):
    (here / "empty").mkdir()
    assert cli("runs", "empty").out == "There is no run in empty.\n"
    assert "there is no folder nosuch" in refused("runs", "nosuch")


def test_one_run_is_shown(cli, refused, runs):
    shown = cli("runs", "show", runs / "deep/failed").out
    assert "state       failed" in shown
    assert "error       the disk is full" in shown
    assert "epochs      1/2" in shown
    assert "there is no run in runs/thesis (no run.json in it)" in refused("runs", "show", "runs/thesis")
    assert "runs/broken/run.json is not JSON, or was truncated" in refused("runs", "show", "runs/broken")


def test_a_run_on_a_wave_shows_the_errors_of_both_parts(cli, runs):
    record = read_record(runs / "lstm")
    test, trained = (record[name]["rms_error"] for name in ("evaluation", "training_evaluation"))
    shown = cli("runs", "show", runs / "lstm").out
    assert f"rms_error {test:.4g}" in next(line for line in shown.splitlines() if line.startswith("test "))
    assert f"trained on  rms_error {trained:.4g}" in shown
    assert json.loads(cli("runs", "show", runs / "lstm", "--json").out)["training_evaluation"]["rms_error"] == trained
    rows = cli("runs", "compare", runs / "striding", runs / "lstm").out.splitlines()
    compared = next(line for line in rows if line.strip().startswith("trained on"))
    assert compared.split() == ["trained", "on", "–", "rms_error", f"{trained:.4g}"]


def test_a_run_shows_when_it_stopped_and_how_long_an_epoch_took(cli, runs):
    record = {**read_record(runs / "striding"), "stopped": "after epoch 2 of 9: val_loss was not better for an epoch"}
    record["timings"]["steady_epoch"] = 2.5
    (runs / "striding/run.json").write_text(json.dumps(record))
    lines = cli("runs", "show", runs / "striding").out.splitlines()
    assert f"stopped     {record['stopped']}" in lines
    assert "s/epoch     2.5" in lines
    described = json.loads(cli("runs", "show", runs / "striding", "--json").out)
    assert (described["stopped"], described["seconds_per_epoch"]) == (record["stopped"], 2.5)
    shown = cli("runs", "compare", "runs/striding", "runs/lstm").out.splitlines()
    assert next(line.split()[1] for line in shown if line.split()[:1] == ["s/epoch"]) == "2.5"
    assert any(line.split()[:1] == ["stopped"] and record["stopped"] in line for line in shown)
    document = json.loads(cli("runs", "compare", "runs/striding", "runs/lstm", "--json").out)
    assert [each["evaluation"] for each in document["runs"]] == [
        read_record(runs / name)["evaluation"] for name in ("striding", "lstm")
    ]


def test_two_runs_are_compared_by_what_differs(cli, refused, runs):
    compared = cli("runs", "compare", "runs/striding", "runs/deep/failed", "--out", "curves.png", "--json")
    assert json.loads(compared.out)["differences"] == {"seed": ["1", "7"]}
    assert matplotlib.image.imread("curves.png").shape[1] == 1100  # two metrics, a plot for each
    shown = cli("runs", "compare", "runs/striding", "runs/lstm").out
    assert "cnn/striding" in shown
    assert "rnn/lstm" in shown
    (runs / "lstm/history.jsonl").write_text("")
    line = refused("runs", "compare", "runs/lstm", "--out", "none.png")
    assert "none of these runs has finished an epoch" in line


@pytest.mark.parametrize("content", ["[]", "{}", '{"settings": 3}', '{"settings": {}, "environment": []}', "[" * 9000])
def test_a_record_that_is_something_else_does_no_harm(cli, here, content):
    (here / "runs/odd").mkdir(parents=True)
    (here / "runs/odd/run.json").write_text(content)
    assert cli("runs").code == 0
    assert cli("runs", "show", "runs/odd").code in (0, 2)
