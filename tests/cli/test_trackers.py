"""`trivium train --log` and `trivium runs export`."""

import json

import pytest

pytest.importorskip("tensorboard")
pytestmark = pytest.mark.one_environment

TRAIN = ("train", "rnn/lstm", "--data", "waves:0:60", "--batch-size", "100")


def losses(folder):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(folder))
    events.Reload()
    return [(event.step, pytest.approx(event.value, rel=1e-6)) for event in events.Scalars("loss")]


def test_a_run_and_its_resumption_are_logged_as_one(cli, here):
    done = cli(*TRAIN, "--epochs", "1", "--log", "tensorboard", "--out", "run")
    assert done.code == 0, done.err
    assert "warning" not in done.err
    assert cli("train", "--resume", "--epochs", "2", "--out", "run").code == 0
    record = json.loads((here / "run/run.json").read_text())
    assert record["asked"]["log"] == ["tensorboard"]
    assert list(enumerate((logs["loss"] for logs in record["history"]), start=1)) == losses(here / "run/tensorboard")
    (exported,) = json.loads(cli("runs", "export", "run", "--to", "tensorboard", "--json").out)
    assert (exported["epochs"], exported["is_new"]) == (2, False)
    assert cli("runs", "export", "run", "--to", "tensorboard:dir=logs").out.startswith(
        "run  tensorboard: sent 2 epochs to logs/run-"
    )


def test_a_tracker_that_fails_does_not_end_the_training(cli, here, monkeypatch):
    pytest.importorskip("mlflow")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    done = cli(*TRAIN, "--epochs", "1", "--log", "mlflow:uri=http://127.0.0.1:9", "--out", "run")
    assert done.code == 0
    (warning,) = (line for line in done.err.splitlines() if "warning" in line)
    assert warning == (
        "warning: mlflow: no server answers at 127.0.0.1:9 (Connection refused); the run folder has everything: "
        "`trivium runs export run --to mlflow:uri=http://127.0.0.1:9` sends it"
    )
    assert json.loads((here / "run/run.json").read_text())["state"] == "finished"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((*TRAIN, "--log", "tensorbord"), "--log: 'tensorbord' is none of mlflow, wandb, tensorboard; did you mean"),
        ((*TRAIN, "--log", "tensorboard:dir=file"), "file is a file: choose another --log"),
        (("runs", "export", "nosuch", "--to", "tensorboard"), "there is no run in nosuch"),
        (("runs", "export", "nosuch", "--to", "tensorboard:folder=a"), "--to tensorboard: 'folder' is none of dir"),
    ],
)
def test_what_cannot_be_sent_anywhere_is_refused(refused, here, arguments, message):
    (here / "file").touch()
    assert message in refused(*arguments)
