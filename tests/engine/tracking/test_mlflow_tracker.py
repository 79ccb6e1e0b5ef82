"""Runs in a real MLflow server, read back through its own client."""

import os
import socket
import subprocess
import sys
import time

import pytest
from written_runs import LOSSES, write_run, write_search

from trivium.engine.tracking.destination import parse
from trivium.engine.tracking.export import export
from trivium.errors import OptionError, OutputError

pytestmark = pytest.mark.one_environment
mlflow = pytest.importorskip("mlflow")

_SECONDS_TO_START = 300


def free_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """The address of an MLflow server that runs while these tests do."""
    folder, port = tmp_path_factory.mktemp("mlflow"), free_port()
    quiet = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"}
    command = [
        *(sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"),
        *("--backend-store-uri", "sqlite:///runs.db", "--artifacts-destination", "artifacts"),
    ]
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log, env={**os.environ, **quiet})
    try:
        _wait(process, port, folder / "log")
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()


def _wait(process, port, log):
    end = time.monotonic() + _SECONDS_TO_START
    while time.monotonic() < end and process.poll() is None:
        try:
            return socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.2)
    pytest.fail(f"the server did not start: {log.read_text()[-2000:]}")


@pytest.fixture
def stored(server):
    """A function that returns the client, and the runs in an experiment."""
    client = mlflow.MlflowClient(server)

    def read(experiment):
        return client, client.search_runs([client.get_experiment_by_name(experiment).experiment_id])

    return read


def send(run, text):
    (destination,) = parse(text)
    return export(run, destination)


@pytest.mark.plain
def test_a_run_is_exported_once_and_what_is_new_later(run, server, stored, capfd):
    text = f"mlflow:uri={server},experiment=exported"
    assert send(run, text).is_new
    assert not send(run, text).is_new
    write_run(run, [*LOSSES, 0.3], settings={"options": {"units": 8, "filters": [4, 2]}, "epochs": 4, "seed": 5})
    again = send(run, f"{text},artifacts=true")
    assert (again.is_new, again.epochs) == (True, 4)
    assert not send(run, f"{text},artifacts=true").is_new
    client, (kept,) = stored("exported")
    assert again.place.endswith(f"/runs/{kept.info.run_id}")
    history = sorted((metric.step, metric.value) for metric in client.get_metric_history(kept.info.run_id, "loss"))
    assert [step for step, _ in history] == [1, 2, 3, 4]
    assert [history[place][1] for place in (0, 1, 3)] == [0.9, 0.5, 0.3]
    assert kept.data.metrics["test/loss"] == 0.7
    assert kept.data.params.items() >= {"options.units": "8", "data.checksum": "c0ffee", "epochs": "3"}.items()
    assert kept.data.tags["resumed.epochs"] == "4"
    assert (kept.info.run_name, kept.info.status) == ("run", "FINISHED")
    assert {file.path for file in client.list_artifacts(kept.info.run_id)} == {"bundle.trivium", "curves.png"}
    assert capfd.readouterr() == ("", "")


def test_a_run_that_is_resumed_goes_on_with_the_same_run(backend, server, stored, tmp_path, monkeypatch):
    import trivium

    monkeypatch.setenv("MLFLOW_TRACKING_URI", server)
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "resumed")
    settings = {"batch_size": 100, "out": tmp_path / "run", "log": ["mlflow"]}
    trivium.train("rnn/lstm", "waves:0:60", epochs=2, **settings)
    run = trivium.train("rnn/lstm", "waves:0:60", epochs=3, resume=True, **settings)
    client, (kept,) = stored("resumed")
    history = [(each.step, each.value) for each in client.get_metric_history(kept.info.run_id, "loss")]
    assert history == list(enumerate(run.history["loss"], start=1))
    assert kept.info.status == "FINISHED"
    assert kept.data.metrics["test/rms_error"] == run.evaluation["rms_error"]
    assert kept.data.params["backend"] == run.environment["backend"]
    assert not send(tmp_path / "run", "mlflow").is_new


@pytest.mark.plain
def test_the_combinations_of_a_search_are_its_children(server, stored, tmp_path):
    text = f"mlflow:uri={server},experiment=searched"
    assert send(write_search(tmp_path / "search", 8, 16), text).is_new
    assert not send(tmp_path / "search", text).is_new
    _, runs = stored("searched")
    (top,) = (run for run in runs if run.info.run_name == "search")
    children = [run for run in runs if run.data.tags.get("mlflow.parentRunId") == top.info.run_id]
    assert {run.data.params["units"] for run in children} == {"8", "16"}
    assert all(run.data.metrics["search/mean"] == 0.625 for run in (top, *children))


@pytest.mark.plain
def test_a_server_that_cannot_be_used_is_told_in_one_line(run, monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    port = free_port()
    with pytest.raises(OutputError, match=f"was not sent to mlflow.*no server answers at 127.0.0.1:{port}"):
        send(run, f"mlflow:uri=http://127.0.0.1:{port}")
    with pytest.raises(OptionError, match="`log` mlflow:uri=gopher://hole: "):
        send(run, "mlflow:uri=gopher://hole")
