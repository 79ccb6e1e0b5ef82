"""One training session: from the first epoch or a checkpoint to the end of the run or an interruption."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ...backends import catalog, runtime
from ...errors import first_line
from ..epochs import environment, plans
from ..epochs.callbacks import EpochClock, EpochLog, RequireMonitors, StopOnInterrupt
from ..epochs.model_errors import failed_at_end
from ..keras_model.metric_directions import metric_directions
from ..runs.history import History
from ..runs.recorder import RunRecorder
from ..runs.resume_rules import require_epochs_left, require_same
from ..tracking.description import id_of, new_id
from ..tracking.tracking import Tracking
from . import compilation, early_stop
from .options import ResolvedOptions
from .own_callbacks import require_callbacks
from .start import fine_tuning

if TYPE_CHECKING:
    import keras

    from ...data.dataset import Dataset, Split
    from ...data.nests import Nest
    from ...data.preprocessing.pipeline import Preprocessing
    from ..runs.run_folder import RunFolder


# Runs epochs, given callbacks, the number of the first epoch, and what records the run.
RunEpochs = Callable[[Sequence["keras.callbacks.Callback"], int, RunRecorder | None], None]


class TrainingSession:
    """Train the epochs of a run, and record them in a folder if there is one.

    Args:
        options: in force.
        settings: the options as the record of the run has them.
        dataset: the data that are trained on.
        callbacks: the user's own, whose state is kept in checkpoints.
        model: compiled.
        targets: of the training, in the model's nest; only their shapes matter.
        run_folder: the folder of the run, locked by this process.
        warn: called with a sentence for each tracker that fails while the model trains.

    Attributes:
        run_id: tells this run from all others.
        tracking: what the run sends to its trackers.
        plan: the plan of the epochs; a resumed run keeps the plan of its earlier session.
        log, clock: metrics and times of all epochs, those of earlier sessions included.
        resumed: for each time that the run was resumed: after which epoch, and under which backend.
        compiled: what the model trains by, and its frozen layers, for the record.
        failures: a sentence for each callback of the user that failed after the last epoch.

    Raises:
        OptionError: the run in the folder cannot be resumed with these options and data, a callback is none, or nobody
            knows which values of a monitored metric are better.
        OutputError: the folder cannot be written to.
    """

    def __init__(
        self,
        options: ResolvedOptions,
        settings: Mapping[str, Any],
        dataset: Dataset,
        callbacks: Sequence[keras.callbacks.Callback],
        model: keras.Model,
        targets: Nest,
        run_folder: RunFolder | None,
        warn: Callable[[str], None] = lambda text: None,
    ):
        self._options, self._run_folder, self._callbacks = options, run_folder, list(callbacks)
        require_callbacks(self._callbacks)
        self._resume_from = run_folder.resume_from if run_folder else None
        self.plan = options.plan
        self.stop = StopOnInterrupt(terminate=run_folder is not None)
        self.log, self.clock = EpochLog(), EpochClock(runtime.current())
        self.compiled = {**compilation.describe_compiled(model), "frozen": fine_tuning.frozen_layers(model)}
        directions = metric_directions(model, targets)
        self._option_callbacks = options.callback_options.build(options.epochs, self._first_epoch, directions)
        self._recorder = self._build_recorder(directions)
        self.resumed: list[dict[str, Any]] = []
        self.failures: list[str] = []
        self.tracking = Tracking(options.callback_options.destinations, run_folder.path if run_folder else None, warn)
        record = self._record(settings, dataset)
        self.run_id = str(record["id"])
        if run_folder:
            self._start(run_folder, record)
        self.tracking.begin(record, self.log.epochs)

    @property
    def stopped(self) -> str:
        """When and why a callback ended the run before its last epoch; empty where none did."""
        interrupted = self.stop.interrupted or self.stop.terminated
        called = [*self._option_callbacks, *self._callbacks]
        return "" if interrupted else early_stop.reason(called, self.history, self._options.epochs)

    @property
    def _first_epoch(self) -> int:
        return self._resume_from.epoch if self._resume_from else 0

    def train(self, model: keras.Model, preprocessing: Preprocessing, training: Split, run_epochs: RunEpochs) -> None:
        """Train the remaining epochs.

        Args:
            model: compiled.
            preprocessing: of the model.
            training: the prepared training part, for what is written while it is trained on.
            run_epochs: trains the epochs.

        Raises:
            KeyboardInterrupt: Ctrl-C came before the first epoch was finished.
            OptionError: texts are to be written, and the model is none of texts, or the run has no folder.
        """
        monitors = RequireMonitors(self._options.callback_options.monitors)
        samples = self._text_samples(preprocessing, training)
        own = [*self._option_callbacks, *samples, *self.tracking.callbacks]
        watchers = [self.stop, self.clock, self.log, monitors, *own]
        # If a callback had stopped the run, only `on_train_end` is left to run.
        stopped = self._resume_from is not None and self._resume_from.stopped
        recorder = self._recorder
        try:
            with self.tracking.reporting_failures():
                run_epochs(watchers, self._options.epochs if stopped else self._first_epoch, recorder)
        except KeyboardInterrupt:
            if not self.log.epochs:
                raise
            if recorder:
                recorder.save_interrupted(model)
        except Exception as error:
            if (callback := failed_at_end(error, self._callbacks)) is None:
                raise
            reason = f"{type(error).__name__}: {first_line(error)}"
            self.failures.append(f"{type(callback).__name__}.on_train_end failed ({reason}); the model is kept.")
        finally:
            self.stop.release()

    def _text_samples(self, preprocessing: Preprocessing, training: Split) -> list[keras.callbacks.Callback]:
        """Return the callback that writes texts while the model trains, if they were asked for."""
        settings = self._options.callback_options.samples
        if settings is None:
            return []
        from . import text_samples

        folder = self._run_folder.path if self._run_folder else None
        name, seed = self._options.recipe.name, self._options.seed
        return [text_samples.build(settings, name, preprocessing, training.x, folder, seed, self._first_epoch)]

    def _record(self, settings: Mapping[str, Any], dataset: Dataset) -> dict[str, Any]:
        """Return the record of the run as it begins; a run that is resumed keeps its id."""
        before = self._run_folder.record if self._run_folder else {}
        return {
            "schema": 1,
            "id": id_of(before) if before else new_id(),
            "recipe": self._options.recipe.name,
            "settings": settings,
            "compiled": self.compiled,
            "dataset": dataset.describe(),
            "environment": environment.describe(),
        }

    def _start(self, run_folder: RunFolder, record: Mapping[str, Any]) -> None:
        """Check that the run can be resumed, restore its history, and write the record of this session."""
        if run_folder.record:
            require_same(run_folder.path, run_folder.record, record)
            require_epochs_left(run_folder.path, run_folder.record, run_folder.resume_from, self._options.epochs)
            self.resumed = [*run_folder.record.get("resumed", []), self._resumption()]
            self._choose_plan(run_folder.record)
        if self._resume_from:
            self.log.epochs = list(self._resume_from.history.epochs)
            self.clock.training_seconds = list(self._resume_from.training_seconds)
            self.clock.validation_seconds = list(self._resume_from.validation_seconds)
        run_folder.write_start(
            {**record, "asked": run_folder.arguments, **({"resumed": self.resumed} if self.resumed else {})}
        )

    def _resumption(self) -> dict[str, Any]:
        return {"after_epoch": self._first_epoch, "backend": catalog.selected().name}

    def _choose_plan(self, record: Mapping[str, Any]) -> None:
        """Keep the plan of the earlier session under the same backend: another plan would round differently."""
        plan, before = record["settings"].get("plan"), record.get("environment")
        same_backend = isinstance(before, dict) and before.get("backend") == catalog.selected().name
        one_device = isinstance(plan, dict) and plan.get("name") not in plans.DISTRIBUTED
        if same_backend and isinstance(plan, dict) and one_device and self.plan == plans.AUTO:
            self.plan = str(plan["name"])

    def _build_recorder(self, directions: Mapping[str, str | None]) -> RunRecorder | None:
        if not self._run_folder:
            return None
        stateful = [*self._option_callbacks, *self._callbacks]
        return RunRecorder(
            self._run_folder,
            self._run_folder.rules,
            self.log,
            self.clock,
            self.stop,
            stateful,
            directions,
            self._resume_from,
        )

    @property
    def history(self) -> History:
        return History(self.log.epochs)
