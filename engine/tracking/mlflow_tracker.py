"""Runs in MLflow, through its client: nothing of MLflow's global state changes, so that a user's own runs are safe.

A run is recognised by a tag with its identity. MLflow waits minutes for a server that does not answer; here an
address is tried for some seconds before each request.
"""

from __future__ import annotations

import logging
import os
import socket
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from ..runs.run_list import DIED
from .description import RunDescription
from .tracker import FAILED, FINISHED, INTERRUPTED, Progress

if TYPE_CHECKING:
    from mlflow.entities import Experiment, Run

EXPERIMENT = "trivium"
IDENTITY_TAG, STATE_TAG = "trivium.run", "trivium.state"

_STATUS = {FINISHED: "FINISHED", INTERRUPTED: "KILLED", DIED: "KILLED", FAILED: "FAILED"}
_PORTS = {"http": 80, "https": 443}
_SECONDS_TO_CONNECT = 5.0
# MLflow's limits for one request, and for the length of a parameter's value.
_MOST_PARAMETERS, _MOST_METRICS, _LONGEST_VALUE = 100, 1000, 6000
_NOISY = ("mlflow", "alembic")


class MlflowTracker:
    """Keeps a run in an MLflow experiment.

    Args:
        arguments: `uri` (MLFLOW_TRACKING_URI), `experiment` (MLFLOW_EXPERIMENT_NAME, or `trivium`) and `name`, with
            what holds without them in parentheses.
    """

    def __init__(self, arguments: Mapping[str, str]):
        # Otherwise the end of each run is two lines on standard output.
        os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
        from mlflow import MlflowClient

        for name in _NOISY:
            logging.getLogger(name).setLevel(logging.ERROR)
        self._client: Any = MlflowClient(tracking_uri=arguments.get("uri"))
        self._arguments = arguments
        self._has_ended = False

    @property
    def place(self) -> str:
        uri = str(self._client.tracking_uri)
        if urlsplit(uri).scheme in _PORTS:
            return f"{uri}/#/experiments/{self._experiment_id}/runs/{self._run_id}"
        return f"experiment {self._experiment_name} in {uri}"

    def begin(self, description: RunDescription) -> Progress:
        self._require_answer()
        experiment = self._experiment()
        self._experiment_id, self._experiment_name = experiment.experiment_id, experiment.name
        run = self._find(description.identity)
        is_new = run is None
        if run is None:
            name = description.name_or(self._arguments.get("name"))
            tags = {IDENTITY_TAG: description.identity, "mlflow.source.name": "trivium"}
            if description.parent and (parent := self._find(description.parent)):
                tags["mlflow.parentRunId"] = parent.info.run_id
            run = self._client.create_run(self._experiment_id, run_name=name, tags=tags)
        self._run_id = run.info.run_id
        self._describe(description, run.data.params)
        return Progress() if is_new else self._progress(run)

    def log(self, epochs: Mapping[int, Mapping[str, float]]) -> None:
        self._require_answer()
        if self._has_ended:
            self._client.update_run(self._run_id, status="RUNNING")
            self._has_ended = False
        self._log_metrics((name, value, epoch) for epoch, logs in epochs.items() for name, value in logs.items())

    def attach(self, path: Path) -> None:
        self._require_answer()
        self._client.log_artifact(self._run_id, str(path))

    def end(self, state: str, evaluation: Mapping[str, float], epochs: int) -> None:
        self._require_answer()
        self._log_metrics((name, value, epochs) for name, value in evaluation.items())
        self._client.set_tag(self._run_id, STATE_TAG, state)
        self._client.set_terminated(self._run_id, _STATUS.get(state, "FINISHED"))
        self._has_ended = True

    def _experiment(self) -> Experiment:
        """Return the experiment; a new one if there is none of that name."""
        name = self._arguments.get("experiment")
        if name is None and (known := os.environ.get("MLFLOW_EXPERIMENT_ID")):
            return self._client.get_experiment(known)
        name = name or os.environ.get("MLFLOW_EXPERIMENT_NAME") or EXPERIMENT
        if experiment := self._client.get_experiment_by_name(name):
            return experiment
        try:
            return self._client.get_experiment(self._client.create_experiment(name))
        except Exception:  # another process may have created it meanwhile
            if experiment := self._client.get_experiment_by_name(name):
                return experiment
            raise

    def _find(self, identity: str) -> Run | None:
        runs = self._client.search_runs([self._experiment_id], f"tags.`{IDENTITY_TAG}` = '{identity}'", max_results=1)
        return runs[0] if runs else None

    def _describe(self, description: RunDescription, present: Mapping[str, str]) -> None:
        """Add the parameters that MLflow does not have; it keeps the first value, so that later ones become tags."""
        from mlflow.entities import Param, RunTag

        values = {name: str(value)[:_LONGEST_VALUE] for name, value in description.parameters.items()}
        new = [Param(name, value) for name, value in values.items() if name not in present]
        for part in _parts(new, _MOST_PARAMETERS):
            self._client.log_batch(self._run_id, params=part)
        changed = {name: value for name, value in values.items() if present.get(name, value) != value}
        if changed:
            self._client.log_batch(
                self._run_id, tags=[RunTag(f"resumed.{name}", value) for name, value in changed.items()]
            )

    def _progress(self, run: Run) -> Progress:
        epochs = [name for name in run.data.metrics if "/" not in name]  # those of an evaluation have one
        steps = [metric.step for name in epochs[:1] for metric in self._client.get_metric_history(self._run_id, name)]
        state = run.data.tags.get(STATE_TAG, "")
        self._has_ended = bool(state)
        files = frozenset(file.path for file in self._client.list_artifacts(self._run_id))
        return Progress(max(steps, default=0), state, files)

    def _log_metrics(self, values: Iterator[tuple[str, float, int]]) -> None:
        from mlflow.entities import Metric

        now = int(time.time() * 1000)
        metrics = [Metric(name, value, now, step) for name, value, step in values]
        for part in _parts(metrics, _MOST_METRICS):
            self._client.log_batch(self._run_id, metrics=part)

    def _require_answer(self) -> None:
        """Raise an OSError if nothing listens at the address of the server; a proxy is not tried."""
        address = urlsplit(str(self._client.tracking_uri))
        if address.scheme not in _PORTS or not address.hostname:
            return
        if getproxies() and not proxy_bypass(address.hostname):
            return
        port = address.port or _PORTS[address.scheme]
        try:
            socket.create_connection((address.hostname, port), _SECONDS_TO_CONNECT).close()
        except OSError as error:
            reason = error.strerror or str(error)
            raise OSError(f"no server answers at {address.hostname}:{port} ({reason})") from error


def _parts(values: list[Any], most: int) -> Iterator[list[Any]]:
    return (values[first : first + most] for first in range(0, len(values), most))
