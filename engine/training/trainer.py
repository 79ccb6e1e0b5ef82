"""Training a recipe: from a name and data to a run. Nothing that changes the result is chosen silently."""

from __future__ import annotations

import dataclasses
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ...backends import catalog, runtime
from ...backends.workers.worker import Listener
from ...data.assignment import is_assigned
from ...data.data_source import DataSource
from ...data.dataset import Dataset, Split
from ...data.preprocessing.pipeline import Preprocessing
from ...data.tables.recoding import with_columns
from ...errors import OptionError
from ...models.recipe import Recipe
from ..bundles.thresholds import require_two_classes
from ..epochs import environment
from ..epochs import precision as precisions
from ..keras_model.data_for_model import for_model, has_values_for_one_output, is_coloured, joined_targets
from ..keras_model.interface import require_inputs
from ..keras_model.named_outputs import named_outputs
from ..prediction.inputs import columns_of
from ..prediction.series_record import SeriesRecord
from ..runs.run import Run, Timings
from . import epoch_length, model_building, streams
from .data_preparation import DataPreparation, Prepared, sizes_of
from .hold_out import LAST
from .options import ResolvedOptions, TrainingOptions
from .recipe_data import as_trained, dataset_for
from .series_steps import series_notes

if TYPE_CHECKING:
    import keras

    from ..epochs.batches import TrainingBatches
    from ..epochs.explanation import Explanation
    from ..epochs.plan_context import PlanContext
    from ..runs.recorder import RunRecorder
    from ..runs.run_folder import RunFolder


class Trainer:
    """Trains a recipe.

    Args:
        recipe: a name, `path/to/file.py:function`, or a `Recipe`; may be empty when `start` is a bundle whose recipe is
            registered.
        options: the recipe's own options, such as `{"units": 64}`.
        listener: called with progress events (see `callbacks.Progress`).
        callbacks: further Keras callbacks.
        settings: further fields of `TrainingOptions`, such as `epochs=3`.

    Attributes:
        requested: the options as the caller gave them.
        resolved: the options in force.
        chosen_plan: the plan that the last epochs were run by, as the record of a run has it.
        warnings: a sentence for each probable mistake in the data that were trained on last.
        notes: a sentence for each thing that was done to the data that were prepared last, without being asked for.

    Raises:
        RecipeError, OptionError, BundleError: a recipe, an option or a bundle that cannot be used.
        TypeError: there is no such setting.

    Example:
        >>> run = trivium.Trainer("dense/points", epochs=3).fit(trivium.load_data("iris"))
        >>> len(run.history)
        3
    """

    def __init__(
        self,
        recipe: Recipe | str = "",
        options: Mapping[str, Any] | None = None,
        *,
        listener: Listener | None = None,
        callbacks: Sequence[keras.callbacks.Callback] = (),
        **settings: Any,
    ) -> None:
        self.requested = TrainingOptions(recipe, options or {}, **settings)
        self.resolved: ResolvedOptions = self.requested.resolve()
        self.listener = listener
        self.callbacks = list(callbacks)
        self.chosen_plan: dict[str, Any] = {}
        self.warnings: list[str] = []
        self.notes: list[str] = []
        self._devices = self.requested.local_devices()

    @property
    def recipe(self) -> Recipe:
        return self.resolved.recipe

    @property
    def options(self) -> Mapping[str, Any]:
        """The recipe's options in force, as far as they are known before the data are."""
        return self.resolved.options

    @property
    def epochs(self) -> int:
        return self.resolved.epochs

    @property
    def batch_size(self) -> int:
        return self.resolved.batch_size

    @property
    def settings(self) -> dict[str, Any]:
        """The options in force and the plan, as the record of a run has them."""
        plan = {"plan": self.chosen_plan} if self.chosen_plan else {}
        return {**self.resolved.describe(), **plan}

    def fit(self, dataset: Dataset, prepared: Prepared | None = None, run_folder: RunFolder | None = None) -> Run:
        """Train on the training split of a dataset, and evaluate on its test split.

        Ctrl-C ends the run. It is only raised before the first epoch is finished; later the run so far is returned.

        Args:
            dataset: the data.
            prepared: the result of `prepare` for these data, if it was called before.
            run_folder: where to write history and checkpoints; if it holds a run to resume, the training continues that
                run. SIGTERM then ends the run like Ctrl-C.

        Raises:
            DataError: the data do not go with the recipe.
            OptionError: the run in the folder cannot be resumed: something has changed.
            OutputError: the folder cannot be written to.
            BackendError: the backend does not train, or this machine has fewer devices.
        """
        self._require_backend()
        with self._devices.acquire():
            run = self._fit(dataset, prepared, run_folder)
        if run_folder is None:
            run.end()
        return run

    def _fit(self, dataset: Dataset, prepared: Prepared | None, run_folder: RunFolder | None) -> Run:
        from .run_end import finish, require_saveable
        from .session import TrainingSession

        dataset = self.load(dataset)
        preprocessing, training, validation = prepared or self.prepare(dataset)
        self.resolved.callback_options.require_metrics(bool(validation or dataset.validation_stream))
        start = time.perf_counter()
        model = self._build_model(dataset, training, self.resolved.precision)
        training = model_building.match_split(model, training, dataset)
        validated = validation and model_building.match_split(model, validation, dataset)
        if validated:
            model_building.require_match(model, validated, dataset, "val")
        model_building.require_test_split(model, preprocessing, dataset)
        if run_folder:
            require_saveable(model, training, self.recipe.name)
        self.notes += self.resolved.starting_point.notes(model, self.options)
        self._tell("note", self.notes)
        self.warnings = [*self.resolved.preparation.likely_mistakes(dataset), *runtime.current().deviations(model)]
        self._tell("warning", self.warnings)
        build_seconds = time.perf_counter() - start
        subject = dataset, self.callbacks, model, training.y, run_folder
        session = TrainingSession(self.resolved, self.settings, *subject, lambda text: self._warn([text]))
        if not self._devices.several:
            self.resolved = dataclasses.replace(self.resolved, plan=session.plan)
        data = named_outputs(model, dataset)
        batches = self._batches(model, data, preprocessing, training)
        watched = streams.validation_batches(model, data, preprocessing, self.resolved) or validated
        session.train(model, preprocessing, training, lambda *epochs: self.run_epochs(model, batches, watched, *epochs))
        self._warn([*session.failures, *streams.warn_of_end(batches, self.resolved.epochs)])
        model = precisions.to_float32(
            model, self.resolved.precision, lambda: self._build_model(dataset, training, None)
        )
        run = Run(
            self.recipe,
            self.settings,
            model,
            preprocessing,
            data,
            session.history,
            Timings(build_seconds, session.clock.training_seconds, session.clock.validation_seconds),
            environment.describe(),
            interrupted=session.stop.interrupted,
            terminated=session.stop.terminated,
            asked=run_folder.arguments if run_folder else {},
            resumed=session.resumed,
            compiled=session.compiled,
            notes=self.notes,
            stopped=session.stopped,
            id=session.run_id,
            on_end=session.tracking.end,
        )
        self._warn(finish(run, self.resolved.preparation.held_out))
        run.warnings = self.warnings
        return run

    def prepare(self, dataset: Dataset) -> Prepared:
        """Fit the preprocessing on the training part, and prepare the training and validation parts by it.

        Raises:
            DataError: the data do not go with the recipe.
        """
        if self.resolved.augment:
            self.resolved.augment.require_classes_of_pictures(dataset)
        if self.resolved.threshold is not None:
            require_two_classes(dataset.labels)
        preparation = self._hold_out(dataset)
        prepared = preparation.prepare(dataset)
        self.resolved = self.resolved.with_fitted(preparation.fitted_options(dataset, prepared))
        done = (sentence for step in prepared[0].inputs.steps for sentence in step.describe())
        of_series = series_notes(self.recipe) if dataset.series and not self.resolved.start else []
        self.notes = [*dataset.notes, *of_series, *done]
        return prepared

    def make_ready(self, dataset: Dataset) -> tuple[keras.Model, Split]:
        """Return the compiled model and the prepared training part: all that `run_epochs` needs.

        Raises:
            DataError: the data do not go with the recipe.
        """
        runtime.current()
        dataset = self.load(dataset)
        _, training, _ = self.prepare(dataset)
        model = self._build_model(dataset, training, self.resolved.precision)
        return model, model_building.match_split(model, training, dataset)

    def run_epochs(
        self,
        model: keras.Model,
        training: Split | TrainingBatches,
        validation: Split | TrainingBatches | None,
        watchers: Sequence[keras.callbacks.Callback] = (),
        first_epoch: int = 0,
        recorder: RunRecorder | None = None,
    ) -> None:
        """Train the epochs from `first_epoch`, counted from 0, to the last, on prepared data.

        Args:
            model, training: the result of `make_ready`, or batches that are generated afresh.
            validation: the data to evaluate on after each epoch, or None.
            watchers: callbacks beside the trainer's own.
            first_epoch: earlier epochs were trained before; order and random numbers are those of an unbroken run.
            recorder: writes the run into its folder, and restores the state of an earlier session.
        """
        from ..epochs import epoch_loop
        from ..epochs.callbacks import Progress, ResetStates
        from ..epochs.model_errors import as_model_errors

        progress = [Progress(self.listener)] if self.listener else []
        callbacks = [ResetStates(), *watchers, *progress, *self.callbacks, *([recorder] if recorder else [])]
        context = self._plan_context(first_epoch)

        def run() -> None:
            with context.activate(model, training, callbacks) as choice:
                self.chosen_plan = choice.to_json()
                if recorder:
                    recorder.set_plan(choice.name, context.rng_variables)
                epoch_loop.run(choice, model, training, validation, callbacks, context.schedule)

        try:
            with as_model_errors(self.recipe.name), precisions.explain_errors(self.resolved.precision, model, training):
                context.with_fallback_to_fit(run)
        finally:  # it was compiled with trivium's generators; further training must compile again
            model.train_function = None

    def open_ended(self, model: keras.Model, training: Split, measure: bool = False) -> Callable[[int], None]:
        """Return a function that trains a number of further epochs, by the plan of a long run: for benchmarks.

        Args:
            measure: time the plans first, as a long run does, unless the cache has their timings.
        """
        choice, train = self._plan_context().endless_training(model, training, measure)
        self.chosen_plan = choice.to_json()

        def fit(epochs: int) -> None:
            for _ in range(epochs):
                self.run_epochs(model, training, None)

        return train if choice.plan else fit

    def explain(self, dataset: Dataset, prepared: Prepared | None = None) -> Explanation:
        """Measure the plans that a run on these data could use; train nothing.

        Raises:
            DataError: the data do not go with the recipe.
            OptionError: this backend has no such plan for this model, or cannot use it here.
            BackendError: the backend does not train.
        """
        self._require_backend()
        from ..epochs.explanation import Explanation

        dataset = self.load(dataset)
        preprocessing, training, _ = prepared or self.prepare(dataset)
        model = self._build_model(dataset, training, self.resolved.precision)
        training = model_building.match_split(model, training, dataset)
        data = self._batches(model, dataset, preprocessing, training)
        context = self._plan_context()

        def explain() -> Explanation:
            with context.activate(model, data, self.callbacks, always=True) as choice:
                return Explanation(self.recipe.name, context.schedule.batch_size, context.schedule.steps(data), choice)

        with precisions.explain_errors(self.resolved.precision, model, data):
            return context.with_fallback_to_fit(explain)

    def _require_backend(self) -> None:
        """Import the backend of this process, which must train."""
        catalog.require_trainer()
        runtime.current()

    def _plan_context(self, first_epoch: int = 0) -> PlanContext:
        from ..epochs.batches import Schedule
        from ..epochs.plan_context import PlanContext

        options = self.resolved
        schedule = Schedule(options.batch_size, options.epochs, options.seed, self.recipe.shuffle, first_epoch)
        return PlanContext(
            schedule,
            options.plan,
            options.uses_own_randomness,
            options.deterministic,
            self.listener,
            self._devices.group(),
            options.precision,
        )

    def _batches(
        self, model: keras.Model, dataset: Dataset, preprocessing: Preprocessing, training: Split
    ) -> Split | TrainingBatches:
        """Return batches of a stream, or that are generated, augmented or counted afresh; else the training part."""
        options = self.resolved
        if dataset.stream:
            return streams.training_batches(model, dataset, preprocessing, options)
        counts = options.batch_size, options.seed, options.steps_per_epoch
        fresh = options.preparation.fresh_batches(dataset, preprocessing, options.augment, *counts)
        return fresh or epoch_length.in_epochs_of_steps(model, training, options)

    def _warn(self, texts: Sequence[str]) -> None:
        self._tell("warning", texts)
        self.warnings = [*self.warnings, *texts]

    def _tell(self, kind: str, texts: Sequence[str]) -> None:
        for text in texts:
            if self.listener:
                self.listener({"kind": kind, "text": text})
            elif kind == "warning":
                warnings.warn(text, stacklevel=4)  # the caller of `fit`

    def _hold_out(self, dataset: Dataset) -> DataPreparation:
        """Resolve which samples are held out of a dataset, and return how it is prepared."""
        streams.require_options(dataset, self.resolved, self.requested.validation_split)
        if dataset.validation and not dataset.stream and self.requested.validation_split:
            raise OptionError(
                "`validation_split` holds out a share of the training data, but the data have a validation part of "
                "their own: leave it out"
            )
        if dataset.stream or dataset.validation:
            self.resolved = dataclasses.replace(self.resolved, validation_split=0.0, validation=LAST)
            return self.resolved.preparation
        held_out = self.resolved.preparation.held_out
        self.resolved = dataclasses.replace(self.resolved, validation=held_out.resolved_mode(dataset))
        return self.resolved.preparation

    def load(self, data: DataSource | None) -> Dataset:
        """Return the given data, or else the recipe's own, as the model takes them.

        Named arrays are assigned to the model's inputs and outputs. Pictures in colour become grey for a model of grey
        ones.

        Raises:
            DataError: the recipe has no data of its own, or the data cannot be read or do not go with the model.
        """
        dataset = as_trained(dataset_for(self.recipe, data), self.resolved)
        start = self.resolved.start
        if dataset.columns and start:
            dataset = with_columns(dataset, columns_of(start))
        if start and (record := SeriesRecord.of(start)):
            dataset = record.match(dataset)
        open_sizes = self.resolved.preparation.open_sizes
        # A builder of `inputs` takes as many numbers as there are.
        has_channels = is_coloured(dataset) and "inputs" not in open_sizes
        if has_values_for_one_output(dataset) and "outputs" in open_sizes:
            return joined_targets(dataset)
        is_complete = is_assigned(dataset) and not dataset.stream
        if is_complete and not has_channels and not has_values_for_one_output(dataset):
            return dataset
        runtime.current()
        streams.require_sizes(dataset, open_sizes)
        sizes = {"classes": len(dataset.labels), **sizes_of(dataset, dataset.train)}
        known = {name: size for name, size in sizes.items() if name in open_sizes}
        model = model_building.uncompiled_model(self.resolved.with_fitted(known), None)
        require_inputs(model, self.recipe.name)
        return streams.with_model(dataset, model) if dataset.stream else for_model(dataset, model)

    def _build_model(self, dataset: Dataset, training: Split, precision: str | None) -> keras.Model:
        model, self.resolved = model_building.build_model(self.resolved, dataset, training, precision)
        return model
